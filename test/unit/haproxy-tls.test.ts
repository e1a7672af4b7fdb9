// TLS of listeners and to members as HAProxy's configuration and its files. Golden files pass `haproxy -c` with certificates made for
// the occasion; `vitest run test/unit/haproxy-tls.test.ts -u` writes them anew after a change that is meant.
import { createHash } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import type { ListenerRow } from '../../lambdas/domain/listener.ts';
import type { PoolRow } from '../../lambdas/domain/pool.ts';
import type { Tree } from '../../lambdas/domain/tree.ts';
import type { Certificates } from '../../lambdas/haproxy/files.ts';
import { referencesOf } from '../../lambdas/haproxy/references.ts';
import { renderConfiguration } from '../../lambdas/haproxy/render.ts';
import { aListener, aLoadBalancer, aMember, aPool, aTree, idOf } from '../support/builders.ts';
import { certificatesOf, readable, refOf } from '../support/golden-certificates.ts';
import { HaproxyDirectory } from '../support/haproxy.ts';
import { newestHaproxy } from '../support/newest-haproxy.ts';

const newest = await newestHaproxy();
/** The one that is installed, and the newest there is. */
const everyHaproxy = ['haproxy', ...('path' in newest ? [newest.path] : [])];
const directory = new HaproxyDirectory();
afterAll(() => directory[Symbol.dispose]());

const options = { amphora_id: idOf('other', 9), hardStopAfterMs: 60_000 };
const members = [aMember({ address: '192.0.2.1' })];
const defaults = {
  tls_ciphers: 'TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256',
  tls_versions: ['TLSv1.2', 'TLSv1.3'],
  alpn_protocols: ['h2', 'http/1.1', 'http/1.0'],
};
const https = (given: Partial<ListenerRow> = {}): ListenerRow =>
  aListener({
    protocol: 'TERMINATED_HTTPS',
    protocol_port: 443,
    default_pool_id: idOf('pool'),
    default_tls_container_ref: refOf('www'),
    ...defaults,
    ...given,
  });
const served = (listener: Partial<ListenerRow> = {}, pool: Partial<PoolRow> = {}): Tree =>
  aTree({ listeners: [https(listener)], pools: [aPool(pool)], members });
const encrypted = (pool: Partial<PoolRow>, listener = aListener({ default_pool_id: idOf('pool') })): Tree =>
  aTree({ listeners: [listener], pools: [aPool({ tls_enabled: true, ...defaults, ...pool })], members });

const www = await certificatesOf(idOf('listener'), ['www']);
const withClients = await certificatesOf(idOf('listener'), ['www'], 'authority and list');
const ofPool = await certificatesOf(idOf('pool'), ['client'], 'authority and list');
const tlsHeaders = ['Client-Verify', 'Client-Has-Cert', 'Client-DN', 'Client-CN', 'Issuer', 'Client-SHA1'];
const headers = [...tlsHeaders, 'Client-Not-Before', 'Client-Not-After'].map((name) => `X-SSL-${name}`);

const goldens: Record<string, [Tree, Certificates]> = {
  'terminated-https': [served(), www],
  'terminated-https-with-sni': [
    served({ sni_container_refs: [refOf('shop'), refOf('blog')] }),
    await certificatesOf(idOf('listener'), ['www', 'shop', 'blog']),
  ],
  'terminated-https-with-sni-alone': [
    served({ default_tls_container_ref: null, sni_container_refs: [refOf('shop')] }),
    await certificatesOf(idOf('listener'), ['shop']),
  ],
  'terminated-https-hsts': [
    served({ hsts_max_age: 31_536_000, hsts_include_subdomains: true, hsts_preload: true }),
    www,
  ],
  'terminated-https-client-authentication': [
    served({
      client_authentication: 'MANDATORY',
      client_ca_tls_container_ref: refOf('ca'),
      client_crl_container_ref: refOf('crl'),
      insert_headers: Object.fromEntries(['X-Forwarded-Proto', ...headers].map((name) => [name, 'true'])),
    }),
    withClients,
  ],
  'terminated-https-optional-client-authentication': [
    served({ client_authentication: 'OPTIONAL', client_ca_tls_container_ref: refOf('ca') }),
    await certificatesOf(idOf('listener'), ['www'], 'authority'),
  ],
  'terminated-https-to-proxyv2-pool': [served({}, { protocol: 'PROXYV2' }), www],
  'terminated-https-old-and-narrow': [
    served({ tls_versions: ['TLSv1', 'TLSv1.1'], tls_ciphers: 'ALL:@SECLEVEL=0', alpn_protocols: ['http/1.1'] }),
    www,
  ],
  'terminated-https-with-suites-of-tls-1.3-alone': [served({ tls_ciphers: 'TLS_AES_256_GCM_SHA384' }), www],
  'tls-to-members-with-everything': [
    encrypted(
      { tls_container_ref: refOf('client'), ca_tls_container_ref: refOf('ca'), crl_container_ref: refOf('crl') },
      https(),
    ),
    new Map([...www, ...ofPool]),
  ],
  'tls-to-members-with-an-authority': [
    encrypted({ ca_tls_container_ref: refOf('ca') }),
    await certificatesOf(idOf('pool'), [], 'authority'),
  ],
};

const render = (tree: Tree, certificates: Certificates) => renderConfiguration(tree, options, certificates);
const bindOf = (text: string) => text.split('\n').find((line) => line.includes(' bind '))!;

describe('golden configurations', () => {
  test.for(Object.entries(goldens))('%s', async ([name, [tree, certificates]]) => {
    const { text, origins, files } = render(tree, certificates);
    await expect(readable(text, files)).toMatchFileSnapshot(`../golden/haproxy/${name}.cfg`);
    expect(origins).toHaveLength(text.split('\n').length);
    directory.layOut(text, files);
    for (const path of everyHaproxy) {
      const verdict = await directory.check(text, path);
      expect(verdict.isValid, verdict.output).toBe(true);
    }
  });
});

describe('files', () => {
  test('are known by the digest of what is in them, and no private key stands in the text', () => {
    const { text, files } = render(...goldens['tls-to-members-with-everything']!);
    for (const { digest, contents } of files) {
      expect(digest).toBe(createHash('sha256').update(contents).digest('hex'));
      expect(text).toContain(digest);
    }
    expect(files.filter(({ contents }) => contents.includes('PRIVATE KEY'))).toHaveLength(2);
    expect(text).not.toContain('-----');
  });

  test('keep their slots when what is in them changes: nothing but the manifest differs', async () => {
    const other = await certificatesOf(idOf('listener'), ['another']);
    const [before, after] = [
      render(served(), www).text,
      render(served({ default_tls_container_ref: refOf('another') }), other).text,
    ].map((text) => text.split('\n'));
    const differing = before!.filter((line, index) => line !== after![index]);
    expect(differing).toHaveLength(1);
    expect(differing[0]).toMatch(/# file \S+\.default\.pem /);
  });

  test('hold nothing but PEM without empty lines, whatever else there was', () => {
    const [id, read] = [...www][0]!;
    if (read instanceof Error) throw read;
    const [reference, one] = [...read.served][0]!;
    const wrapped = `Bag Attributes\r\n    name: x\r\n\r\n${one.certificate.replaceAll('\n', '\r\n')}\r\n\r\n`;
    const disguised = new Map([[id, { ...read, served: new Map([[reference, { ...one, certificate: wrapped }]]) }]]);
    expect(render(served(), disguised)).toEqual(render(served(), www));
  });

  test('are put down to their resource, line by line', () => {
    const { text, origins } = render(...goldens['tls-to-members-with-everything']!);
    const lines = text.split('\n').flatMap((line, index) => (line.includes('# file') ? [[line, origins[index]]] : []));
    expect(lines.length).toBe(5);
    for (const [line, origin] of lines) expect(line).toContain(`# file ${origin}.`);
  });
});

describe('what cannot be served as asked is refused, and put down to', () => {
  const lost = (id: string): Certificates => new Map([[id, new Error('cannot be read: ref')]]);
  test.for<[string, string, Tree, Certificates, string]>([
    ['a listener whose certificate cannot be read', idOf('listener'), served(), lost(idOf('listener')), 'ref'],
    [
      'a listener without one',
      idOf('listener'),
      served({ default_tls_container_ref: null }),
      www,
      'without encryption',
    ],
    [
      'a pool whose CA cannot be read',
      idOf('pool'),
      encrypted({ ca_tls_container_ref: 'x' }),
      lost(idOf('pool')),
      'ref',
    ],
    ['a gap in the versions', idOf('listener'), served({ tls_versions: ['TLSv1.1', 'TLSv1.3'] }), www, 'lacks TLSv1.2'],
    [
      'ciphers of TLS 1.3 alone for older versions',
      idOf('listener'),
      served({ tls_versions: ['TLSv1.2'], tls_ciphers: 'TLS_AES_128_GCM_SHA256' }),
      www,
      'no cipher for TLSv1.2',
    ],
    ['clients that nobody could check', idOf('listener'), served({ client_authentication: 'MANDATORY' }), www, 'a CA'],
  ])('%s', ([, resource_id, tree, certificates, reason]) => {
    const refused = expect.objectContaining({
      name: 'Unrenderable',
      resource_id,
      message: expect.stringContaining(reason),
    });
    expect(() => render(tree, certificates)).toThrow(refused);
  });
});

test('older TLS is offered only where it was asked for', () => {
  expect(bindOf(render(served(), www).text)).toContain('ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.3');
  const older = bindOf(render(served({ tls_versions: ['TLSv1.1', 'TLSv1.2'] }), www).text);
  expect(older).toContain('ssl-min-ver TLSv1.1 ssl-max-ver TLSv1.2');
  expect(older).not.toContain('ciphersuites');
});

test('asks for the references of what is rendered, and of nothing else', () => {
  const unused = aPool({ id: idOf('pool', 2), tls_enabled: true, ca_tls_container_ref: 'unused' });
  const plain = aPool({ ca_tls_container_ref: 'plain' });
  const off = https({ id: idOf('listener', 2), admin_state_up: false, default_tls_container_ref: 'off' });
  const tree = aTree({
    listeners: [https({ sni_container_refs: ['sni'], client_ca_tls_container_ref: 'ca' }), off],
    pools: [plain, unused],
  });
  expect(referencesOf(tree)).toMatchObject([
    { resource_id: idOf('listener'), served: [refOf('www'), 'sni'], authority: { reference: 'ca', revocation: null } },
  ]);
  expect(referencesOf({ ...tree, loadBalancer: aLoadBalancer({ admin_state_up: false }) })).toEqual([]);
});
