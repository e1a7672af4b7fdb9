// Certificates and TLS of listeners and pools: what goes with what, what is filled in, and what cannot be read.
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Attributes, DirectApi, failure, fault, project, type Shown } from '../support/direct-api.ts';
import { unreadableBundles } from '../support/pkcs12-bundles.ts';
import {
  containerRef,
  keepCertificate,
  keepSecret,
  makeUserAuthority,
  secretRef,
  type UserAuthority,
} from '../support/user-certificates.ts';

let one: UserAuthority;
let other: UserAuthority;
beforeAll(async () => {
  [one, other] = await Promise.all([makeUserAuthority('one'), makeUserAuthority('other')]);
});

let api: DirectApi;
let lb: Shown;
/** References to what is there: two certificates, an authority with its list, another's list, a text. */
const ref = {
  certificate: containerRef(1),
  second: containerRef(2),
  authority: secretRef(1),
  list: secretRef(2),
  otherList: secretRef(3),
  text: secretRef(4),
  nowhere: containerRef(9),
  foreign: containerRef(3),
};
beforeEach(async () => {
  api = await DirectApi.start();
  lb = await api.loadBalancer();
  const { certificates } = api.services;
  await keepCertificate(certificates, 1, project, one);
  await keepCertificate(certificates, 2, project, other);
  await keepCertificate(certificates, 3, 'somebody', other);
  await keepSecret(certificates, 1, project, one.certificate);
  await keepSecret(certificates, 2, project, one.revocation_list);
  await keepSecret(certificates, 3, project, other.revocation_list);
  await keepSecret(certificates, 4, project, 'no certificate');
});

let nextPort = 1;
const postListener = (given: Attributes) =>
  api.post('listeners', { listener: { loadbalancer_id: lb['id'], protocol_port: nextPort++, ...given } });
const postPool = (given: Attributes) =>
  api.post('pools', {
    pool: { loadbalancer_id: lb['id'], protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', ...given },
  });
const putListener = ({ id }: Shown, listener: Attributes) => api.put(`listeners/${id}`, { listener });
const putPool = ({ id }: Shown, pool: Attributes) => api.put(`pools/${id}`, { pool });
const https = { protocol: 'TERMINATED_HTTPS', default_tls_container_ref: ref.certificate };

const lost = (...references: string[]) =>
  fault(400, `Could not retrieve certificate: [${references.map((text) => `'${text}'`).join(', ')}]`);
const noPemOfAuthority =
  /^Validation failure: The client authentication CA certificate is invalid\. It must be a valid x509 PEM format certificate\. Error: /;
const noPemOfList =
  /^Validation failure: The client authentication certificate revocation list is invalid\. It must be a valid x509 PEM format certificate revocation list\. Error: /;
const notItsList = failure('The CRL specified is not valid for client certificate authority reference supplied.');

const ciphers = [
  'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384',
  'DHE-RSA-CHACHA20-POLY1305',
].join(':');
const defaults = {
  tls_ciphers: ciphers,
  tls_versions: ['TLSv1.2', 'TLSv1.3'],
  alpn_protocols: ['h2', 'http/1.1', 'http/1.0'],
};
const nothing = { tls_ciphers: null, tls_versions: null, alpn_protocols: null };

describe('a listener', () => {
  const plain = ['TCP', 'HTTP', 'HTTPS', 'UDP', 'SCTP'];
  const needed = 'An SNI or default certificate container reference must be provided';

  it('that ends TLS shows what it was given, with the defaults filled in', async () => {
    const given = {
      ...https,
      sni_container_refs: [ref.second],
      client_ca_tls_container_ref: ref.authority,
      client_crl_container_ref: ref.list,
      client_authentication: 'MANDATORY',
      hsts_max_age: 31_536_000,
      hsts_include_subdomains: true,
      hsts_preload: true,
    };
    expect(await api.done(postListener(given))).toMatchObject({ ...given, ...defaults });
  });

  it('of any other protocol has no TLS settings unless they are given', async () => {
    for (const protocol of [...plain, 'PROMETHEUS']) {
      expect(await api.done(postListener({ protocol }))).toMatchObject(nothing);
      expect(await api.done(postListener({ protocol, tls_versions: ['TLSv1.3'] }))).toMatchObject({
        ...nothing,
        tls_versions: ['TLSv1.3'],
      });
    }
  });

  it('gets the defaults back by null, where it ends TLS', async () => {
    const own = { tls_ciphers: 'AES128-SHA', tls_versions: ['TLSv1.3'], alpn_protocols: ['h2'] };
    const listener = await api.done(postListener({ ...https, ...own }));
    expect(listener).toMatchObject(own);
    expect(await api.done(putListener(listener, nothing))).toMatchObject(defaults);
    const unencrypted = await api.done(postListener({ protocol: 'HTTP', ...own }));
    expect(await api.done(putListener(unencrypted, nothing))).toMatchObject(nothing);
  });

  it('of protocol PROMETHEUS may have a certificate', async () => {
    const prometheus = { protocol: 'PROMETHEUS', sni_container_refs: [ref.certificate] };
    expect(await api.done(postListener(prometheus))).toMatchObject(prometheus);
  });

  it.each(['TERMINATED_HTTPS', 'PROMETHEUS'])('of protocol %s may be forbidden', async (protocol) => {
    const allow = { allow_tls_terminated_listeners: false, allow_prometheus_listeners: false };
    const strict = await DirectApi.start(allow);
    const { id } = await strict.loadBalancer();
    const listener = { loadbalancer_id: id, protocol, protocol_port: 1, default_tls_container_ref: ref.certificate };
    const value = protocol === 'PROMETHEUS' ? 'PROMETHEUS with TLS' : protocol;
    const forbidden = `The selected protocol is not allowed in this deployment: ${value}`;
    expect(await strict.post('listeners', { listener })).toMatchObject(fault(400, forbidden));
  });

  type Case = [what: string, given: Attributes, reason: string];
  it.each<Case>([
    ...plain.flatMap((protocol): Case[] => {
      const text =
        protocol === 'UDP' || protocol === 'SCTP'
          ? `${protocol} protocol listener does not support TLS.`
          : `Certificate container references are not allowed on ${protocol} protocol listeners.`;
      return [
        [`${protocol} with a certificate`, { protocol, default_tls_container_ref: ref.certificate }, text],
        [`${protocol} with SNI`, { protocol, sni_container_refs: [ref.certificate] }, text],
        [
          `${protocol} with a client CA`,
          { protocol, client_ca_tls_container_ref: ref.authority },
          `${needed} with a client CA container reference.`,
        ],
      ];
    }),
    [
      'TLS without a certificate',
      { protocol: 'TERMINATED_HTTPS' },
      `${needed} for TERMINATED_HTTPS protocol listeners.`,
    ],
    [
      'client authentication without a CA',
      { ...https, client_authentication: 'OPTIONAL' },
      'Client authentication setting OPTIONAL requires a client CA container reference.',
    ],
    [
      'a CRL without a CA',
      { ...https, client_crl_container_ref: ref.list },
      'A client authentication CA reference is required to specify a client authentication revocation list.',
    ],
    [
      'ciphers with a space',
      { ...https, tls_ciphers: 'AES128 SHA' },
      'Invalid characters in cipher string. Only alphanumeric, -, +, !, :, @, =, _, and . are allowed.',
    ],
    [
      'no TLS version',
      { ...https, tls_versions: [] },
      'Empty TLS version list. Either specify at least one TLS version or remove this parameter to use the default.',
    ],
    ['unknown TLS versions', { ...https, tls_versions: ['TLSv1.2', 'TLSv9', 'x'] }, 'Invalid TLS versions: TLSv9, x'],
    [
      'no ALPN protocol',
      { ...https, alpn_protocols: [] },
      'Empty ALPN protocol list. Either specify at least one ALPN protocol or remove this parameter to use the default.',
    ],
    [
      'HSTS on HTTP',
      { protocol: 'HTTP', hsts_max_age: 0 },
      'The HSTS feature can only be used for listeners using the TERMINATED_HTTPS protocol.',
    ],
    ...['hsts_include_subdomains', 'hsts_preload'].map(
      (name): Case => [
        `${name} without hsts_max_age`,
        { ...https, [name]: true },
        'HSTS configuration options hsts_include_subdomains and hsts_preload only make sense if hsts_max_age is set as well.',
      ],
    ),
  ])('is refused with %s', async (_what, given, reason) => {
    expect(await postListener(given)).toMatchObject(failure(reason));
  });

  it.each<Case>([
    [
      'no certificate any more',
      { default_tls_container_ref: null },
      `${needed} for TERMINATED_HTTPS protocol listeners.`,
    ],
    [
      'client authentication without a CA',
      { client_authentication: 'MANDATORY' },
      'Client authentication setting MANDATORY requires a client CA container reference.',
    ],
    [
      'a CRL without a CA',
      { client_crl_container_ref: ref.list },
      'A client authentication CA reference is required to specify a client authentication revocation list.',
    ],
    [
      'no TLS version',
      { tls_versions: [] },
      'Empty TLS version list. Either specify at least one TLS version or remove this parameter to use the default.',
    ],
    [
      'no ALPN protocol',
      { alpn_protocols: [] },
      'Empty ALPN protocol list. Either specify at least one ALPN protocol or remove this parameter to use the default.',
    ],
    [
      'hsts_preload without hsts_max_age',
      { hsts_preload: true },
      'Cannot enable hsts_include_subdomains or hsts_preload if hsts_max_age was not set as well.',
    ],
  ])('is not changed to have %s', async (_what, given, reason) => {
    const listener = await api.done(postListener(https));
    expect(await putListener(listener, given)).toMatchObject(failure(reason));
    expect(await api.done(api.get(`listeners/${listener['id']}`))).toEqual(listener);
  });

  it('may replace a default certificate by SNI in one change, and keeps HSTS without an age to itself', async () => {
    const listener = await api.done(postListener({ ...https, hsts_max_age: 5, hsts_preload: true }));
    const sni = { default_tls_container_ref: null, sni_container_refs: [ref.second] };
    expect(await api.done(putListener(listener, sni))).toMatchObject(sni);
    expect(await api.done(putListener(listener, { hsts_max_age: null }))).toMatchObject({ hsts_max_age: null });
    const plainListener = await api.done(postListener({ protocol: 'HTTP' }));
    const hsts = failure('The HSTS feature can only be used for listeners using the TERMINATED_HTTPS protocol.');
    expect(await putListener(plainListener, { hsts_max_age: 1 })).toMatchObject(hsts);
  });

  it('names all certificates that cannot be read, another’s too', async () => {
    const given = { ...https, sni_container_refs: [ref.nowhere, ref.second, ref.foreign] };
    expect(await postListener(given)).toMatchObject(lost(ref.nowhere, ref.foreign));
    const listener = await api.done(postListener(https));
    expect(await putListener(listener, { default_tls_container_ref: ref.text })).toMatchObject(lost(ref.text));
    expect(await putListener(listener, { sni_container_refs: ['x'] })).toMatchObject(lost('x'));
  });

  const unreadable = {
    'a bundle that has a passphrase': unreadableBundles['with a passphrase'],
    'a bundle without a key': unreadableBundles['without a key'],
    'another key than its own': () => Buffer.from(one.certificate + other.private_key),
    'no certificate': () => Buffer.from(one.private_key),
  };
  it.each(Object.entries(unreadable))('cannot be retrieved with %s', async (_what, payload) => {
    const bytes = typeof payload === 'string' ? Buffer.from(payload, 'base64') : payload();
    await api.services.certificates.putSecret(secretRef(5).slice(-36), project, bytes);
    expect(await postListener({ ...https, default_tls_container_ref: secretRef(5) })).toMatchObject(lost(secretRef(5)));
  });

  it('cannot be retrieved with an ARN where there is no Secrets Manager', async () => {
    const arn = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:tls-AbCdEf';
    expect(await postListener({ ...https, default_tls_container_ref: arn })).toMatchObject(lost(arn));
  });

  it('checks the client CA and its revocation list', async () => {
    const withAuthority = (ca: string, crl: string | null = null) => ({
      client_ca_tls_container_ref: ca,
      client_crl_container_ref: crl,
    });
    const listener = await api.done(postListener(https));
    const answersTo = async (given: Attributes) => [
      await postListener({ ...https, ...given }),
      await putListener(listener, given),
    ];
    for (const answer of await answersTo(withAuthority(ref.nowhere, ref.foreign)))
      expect(answer).toMatchObject(lost(ref.nowhere, ref.foreign));
    for (const { body } of await answersTo(withAuthority(ref.text))) expect(body.faultstring).toMatch(noPemOfAuthority);
    for (const { body } of await answersTo(withAuthority(ref.authority, ref.text)))
      expect(body.faultstring).toMatch(noPemOfList);
    for (const answer of await answersTo(withAuthority(ref.authority, ref.otherList)))
      expect(answer).toMatchObject(notItsList);
    for (const answer of await answersTo(withAuthority(ref.authority, ref.list)))
      expect(answer.status).toBeLessThan(300);
    expect(await putListener(listener, { client_crl_container_ref: ref.otherList })).toMatchObject(notItsList);
    const inUse = failure(
      'A client authentication CA reference is required to specify a client authentication revocation list.',
    );
    expect(await putListener(listener, { client_ca_tls_container_ref: null })).toMatchObject(inUse);
  });

  it('can be changed while its certificate is out of reach', async () => {
    const listener = await api.done(postListener({ ...https, client_ca_tls_container_ref: ref.authority }));
    await keepCertificate(api.services.certificates, 1, 'somebody', one);
    await keepSecret(api.services.certificates, 1, 'somebody', one.certificate);
    expect(await api.done(putListener(listener, { name: 'new' }))).toMatchObject({ name: 'new' });
  });
});

describe('what an operator forbids', () => {
  it('are ciphers and old versions, of listeners and pools', async () => {
    const rules = { tls_cipher_prohibit_list: 'RC4-MD5:NULL-SHA', minimum_tls_version: 'TLSv1.2' as const };
    api = await DirectApi.start(rules);
    lb = await api.loadBalancer();
    await keepCertificate(api.services.certificates, 1, project, one);
    const listener = await api.done(postListener(https));
    const pool = await api.done(postPool({ tls_enabled: true }));
    const ofCiphers = failure('The following ciphers have been prohibited by an administrator: NULL-SHA, RC4-MD5');
    const ofVersions = failure('Requested TLS versions are less than the minimum: SSLv3, TLSv1.1 < TLSv1.2');
    for (const [given, refused] of [
      [{ tls_ciphers: 'NULL-SHA:AES128-SHA:RC4-MD5' }, ofCiphers],
      [{ tls_versions: ['TLSv1.3', 'SSLv3', 'TLSv1.1'] }, ofVersions],
    ] as const) {
      expect(await postListener({ ...https, ...given })).toMatchObject(refused);
      expect(await putListener(listener, given)).toMatchObject(refused);
      expect(await postPool({ tls_enabled: true, ...given })).toMatchObject(refused);
      expect(await putPool(pool, given)).toMatchObject(refused);
    }
  });
});

describe('a pool', () => {
  it('that speaks TLS has the defaults, from the beginning or once it does', async () => {
    expect(await api.done(postPool({ tls_enabled: true }))).toMatchObject({ tls_enabled: true, ...defaults });
    const pool = await api.done(postPool({}));
    expect(pool).toMatchObject({ tls_enabled: false, ...nothing });
    expect(await api.done(putPool(pool, { tls_versions: null }))).toMatchObject(nothing);
    expect(await api.done(putPool(pool, { tls_enabled: true, alpn_protocols: ['h2'] }))).toMatchObject({
      ...defaults,
      alpn_protocols: ['h2'],
    });
    expect(await api.done(putPool(pool, { alpn_protocols: null }))).toMatchObject(defaults);
  });

  it('shows its references', async () => {
    const given = {
      tls_container_ref: ref.certificate,
      ca_tls_container_ref: ref.authority,
      crl_container_ref: ref.list,
    };
    expect(await api.done(postPool({ tls_enabled: true, ...given }))).toMatchObject(given);
  });

  it('has a revocation list only with its CA', async () => {
    const refused = failure('A CA certificate reference is required to specify a revocation list.');
    expect(await postPool({ crl_container_ref: ref.list })).toMatchObject(refused);
    const pool = await api.done(postPool({}));
    const required = failure('A CA reference is required to specify a certificate revocation list.');
    expect(await putPool(pool, { crl_container_ref: ref.list })).toMatchObject(required);
    const both = { ca_tls_container_ref: ref.authority, crl_container_ref: ref.list };
    expect(await api.done(putPool(pool, both))).toMatchObject(both);
    const kept = failure('A CA reference cannot be removed when a certificate revocation list is present.');
    expect(await putPool(pool, { ca_tls_container_ref: null })).toMatchObject(kept);
    const gone = { ca_tls_container_ref: null, crl_container_ref: null };
    expect(await api.done(putPool(pool, gone))).toMatchObject(gone);
  });

  it('refers to what can be read and used', async () => {
    const pool = await api.done(postPool({}));
    const answersTo = async (given: Attributes) => [await postPool(given), await putPool(pool, given)];
    for (const answer of await answersTo({ tls_container_ref: ref.nowhere }))
      expect(answer).toMatchObject(lost(ref.nowhere));
    for (const answer of await answersTo({ ca_tls_container_ref: ref.foreign, crl_container_ref: ref.nowhere }))
      expect(answer).toMatchObject(lost(ref.foreign, ref.nowhere));
    for (const answer of await answersTo({ ca_tls_container_ref: ref.authority, crl_container_ref: ref.otherList }))
      expect(answer).toMatchObject(notItsList);
    for (const { body } of await answersTo({ ca_tls_container_ref: ref.text }))
      expect(body.faultstring).toMatch(noPemOfAuthority);
  });
});
