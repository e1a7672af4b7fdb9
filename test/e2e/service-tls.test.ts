// TLS that ends at the load balancer, over the whole service with real clients: which certificate is shown, what is spoken, who may
// come in, what members are told, and what a broken reference does.
import { execFileSync } from 'node:child_process';
import { constants } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type Issued, type Issuer, makeIssuer } from '../support/issuers.ts';
import { LocalService } from '../support/local-service.ts';
import type { Attributes, LoadBalancer, Resource } from '../support/octavia-client.ts';
import { ServiceSecrets } from '../support/service-secrets.ts';
import { ask, askOnce, type Place, shake, shownTo, startPlainMember, type TlsMember } from '../support/tls-traffic.ts';

let service: LocalService;
let secrets: ServiceSecrets;
let member: TlsMember;
let issuer: Issuer;
let stranger: Issuer;
let lb: LoadBalancer;
let poolId: string;

beforeAll(async () => {
  service = await LocalService.start();
  secrets = new ServiceSecrets(service);
  [member, issuer, stranger] = await Promise.all([startPlainMember(), makeIssuer('authority'), makeIssuer('stranger')]);
  const { id } = await service.api.createLoadBalancer({ name: 'tls' });
  await service.api.active(id);
  const pool = await service.api.create('pools', {
    loadbalancer_id: id,
    protocol: 'HTTP',
    lb_algorithm: 'ROUND_ROBIN',
  });
  poolId = pool.id;
  await service.api.create(`pools/${poolId}/members`, member.attributes);
  lb = await service.api.active(id);
});
afterAll(async () => {
  await secrets[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
  await member.stop();
});

let nextPort = 8443;
/** A listener that is ACTIVE, and where. */
async function listen(attributes: Attributes): Promise<Resource & { place: Place }> {
  const protocol_port = nextPort++;
  const created = await service.api.create('listeners', {
    loadbalancer_id: lb.id,
    protocol: 'TERMINATED_HTTPS',
    protocol_port,
    default_pool_id: poolId,
    ...attributes,
  });
  const shown = await service.api.becomes('listeners', created.id, 'ACTIVE');
  await service.api.active(lb.id);
  return { ...shown, place: { host: lb.vip_address, port: protocol_port } };
}
const issued = async (...names: string[]): Promise<string> => secrets.keepCertificate(await issuer.issue(...names));
const seen = (body: string) => JSON.parse(body) as { headers: Record<string, string> };

describe('a TERMINATED_HTTPS listener', () => {
  test('shows the certificate of the name that is asked for, and by default the default one', async () => {
    const { place } = await listen({
      default_tls_container_ref: await issued('www.example'),
      sni_container_refs: [await issued('shop.example'), await issued('*.blog.example')],
    });
    expect(await shownTo(place)).toBe('www.example');
    expect(await shownTo(place, 'nobody.example')).toBe('www.example');
    expect(await shownTo(place, 'shop.example')).toBe('shop.example');
    expect(await shownTo(place, 'my.blog.example')).toBe('*.blog.example');
  });

  test('with SNI alone speaks TLS, and nothing in the clear', async () => {
    const { place } = await listen({ sni_container_refs: [await issued('one.example'), await issued('two.example')] });
    expect(await shownTo(place, 'two.example')).toBe('two.example');
    expect(await shownTo(place)).toBe('one.example');
    expect((await askOnce(place)).status).toBe(200);
    await expect(fetch(`http://${place.host}:${place.port}/`)).rejects.toThrow();
  });

  test('speaks HTTP/2 and HTTP/1.1, TLS 1.2 and 1.3, and no older TLS', async () => {
    const { place } = await listen({ default_tls_container_ref: await issued('www.example') });
    const spoken = await shake(place, { ALPNProtocols: ['h2', 'http/1.1'] });
    expect([spoken.alpnProtocol, spoken.getProtocol()]).toEqual(['h2', 'TLSv1.3']);
    spoken.destroy();
    const older = await shake(place, { maxVersion: 'TLSv1.2' });
    expect([older.alpnProtocol, older.getProtocol()]).toEqual(['http/1.1', 'TLSv1.2']);
    older.destroy();
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
    await expect(shake(place, old)).rejects.toThrow(/protocol version/);
    const session = connectHttp2(`https://${place.host}:${place.port}`, { rejectUnauthorized: false });
    const stream = session.request({ ':path': '/' });
    const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once('response', resolve));
    session.destroy();
    expect(headers[':status']).toBe(200);
  });

  test('keeps to the versions, ciphers and protocols it was given', async () => {
    const { place } = await listen({
      default_tls_container_ref: await issued('www.example'),
      tls_versions: ['TLSv1.2'],
      tls_ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:TLS_AES_128_GCM_SHA256',
      alpn_protocols: ['http/1.1'],
    });
    await expect(shake(place, { minVersion: 'TLSv1.3' })).rejects.toThrow(/protocol version/);
    const socket = await shake(place, { ALPNProtocols: ['h2', 'http/1.1'] });
    expect([socket.alpnProtocol, socket.getCipher().name]).toEqual(['http/1.1', 'ECDHE-ECDSA-AES256-GCM-SHA384']);
    socket.destroy();
    const suites = await listen({
      default_tls_container_ref: await issued('www.example'),
      tls_ciphers: 'TLS_CHACHA20_POLY1305_SHA256',
    });
    const chosen = await shake(suites.place);
    expect(chosen.getCipher().name).toBe('TLS_CHACHA20_POLY1305_SHA256');
    chosen.destroy();
    await expect(shake(suites.place, { maxVersion: 'TLSv1.2' })).rejects.toThrow();
  });

  test('tells browsers to come back encrypted, also when no member answers', async () => {
    const default_tls_container_ref = await issued('www.example');
    const hsts = { hsts_max_age: 31_536_000, hsts_include_subdomains: true, hsts_preload: true };
    const { place } = await listen({ default_tls_container_ref, ...hsts });
    const expected = 'max-age=31536000; includeSubDomains; preload;';
    expect((await askOnce(place)).headers['strict-transport-security']).toBe(expected);
    const empty = await listen({ default_tls_container_ref, hsts_max_age: 60, default_pool_id: null });
    const said = await askOnce(empty.place);
    expect([said.status, said.headers['strict-transport-security']]).toEqual([503, 'max-age=60;']);
  });

  test('lets nobody in by a session that was begun with another listener, which asked for no certificate', async () => {
    const default_tls_container_ref = await issued('www.example');
    const open = await listen({ default_tls_container_ref });
    const guarded = await listen({
      default_tls_container_ref,
      client_ca_tls_container_ref: await secrets.keep(issuer.certificate),
      client_authentication: 'MANDATORY',
    });
    // Sessions that the server remembers, as older clients have them.
    const withoutTickets = { maxVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_TICKET } as const;
    await expect(askOnce(guarded.place, withoutTickets)).rejects.toThrow();
    const begun = await shake(open.place, withoutTickets);
    expect((await ask(begun)).status).toBe(200);
    const session = begun.getSession()!;
    begun.destroy();
    await expect(askOnce(guarded.place, { ...withoutTickets, session })).rejects.toThrow();
    const { certificate: cert, private_key: key } = await issuer.issue('alice');
    expect((await askOnce(guarded.place, { ...withoutTickets, cert, key })).status).toBe(200);
  });

  test('cannot have ciphers that nobody knows: it says so and the others serve on', async () => {
    const { place } = await listen({ default_tls_container_ref: await issued('www.example') });
    const { id } = await service.api.create('listeners', {
      loadbalancer_id: lb.id,
      protocol: 'TERMINATED_HTTPS',
      protocol_port: nextPort++,
      default_tls_container_ref: await issued('www.example'),
      tls_ciphers: 'NO-SUCH-CIPHER',
    });
    await service.api.becomes('listeners', id, 'ERROR');
    await eventually('the reason is told', () => reasonOf(id).includes("cipher list to 'NO-SUCH-CIPHER'"));
    expect((await askOnce(place)).status).toBe(200);
    await service.api.delete('listeners', id);
    await service.api.gone('listeners', id);
  });
});

const reasonOf = (id: string): string =>
  String((service.lines.findLast(({ resource_id }) => resource_id === id)?.['detail'] as { reason?: string })?.reason);

describe('clients with certificates', () => {
  const identity = ({ certificate, private_key }: Issued) => ({ cert: certificate, key: private_key });
  let good: Issued;
  let revoked: Issued;
  let foreign: Issued;
  let authority: string;
  beforeAll(async () => {
    [good, revoked, foreign] = await Promise.all([
      issuer.issue('alice'),
      issuer.issue('mallory'),
      stranger.issue('eve'),
    ]);
    authority = await secrets.keep(issuer.certificate);
  });
  const listeningFor = async (client_authentication: string, more: Attributes = {}) =>
    listen({
      default_tls_container_ref: await issued('www.example'),
      client_ca_tls_container_ref: authority,
      client_authentication,
      ...more,
    });
  const names = ['Verify', 'Has-Cert', 'DN', 'CN', 'SHA1', 'Not-Before', 'Not-After'];
  const insert_headers = Object.fromEntries(
    [...names.map((name) => `X-SSL-Client-${name}`), 'X-SSL-Issuer', 'X-Forwarded-Proto'].map((name) => [name, 'true']),
  );

  test('are let in when MANDATORY only with one of the authority that is not revoked', async () => {
    const client_crl_container_ref = await secrets.keep(await issuer.revocationList(revoked.serial));
    const { place } = await listeningFor('MANDATORY', { client_crl_container_ref });
    expect((await askOnce(place, identity(good))).status).toBe(200);
    await expect(askOnce(place)).rejects.toThrow();
    await expect(askOnce(place, identity(foreign))).rejects.toThrow();
    await expect(askOnce(place, identity(revoked))).rejects.toThrow();
  });

  test('are told of to members, who are not deceived by headers of the same name', async () => {
    const { place } = await listeningFor('OPTIONAL', { insert_headers });
    const known = seen((await askOnce(place, identity(good))).body).headers;
    expect(known).toMatchObject({
      'x-forwarded-proto': 'https',
      'x-ssl-client-verify': '0',
      'x-ssl-client-has-cert': '1',
      'x-ssl-client-dn': '/CN=alice',
      'x-ssl-client-cn': 'alice',
      'x-ssl-issuer': '/CN=authority',
      'x-ssl-client-sha1': good.fingerprint,
      'x-ssl-client-not-before': '250101000000Z',
      'x-ssl-client-not-after': '450101000000Z',
    });
    const claimed = { 'x-ssl-client-cn': 'admin', 'x-ssl-client-has-cert': '1' };
    const unknown = seen((await askOnce(place, {}, claimed)).body).headers;
    expect(unknown['x-ssl-client-has-cert']).toBe('0');
    expect(unknown['x-ssl-client-cn']).not.toContain('admin');
    await expect(askOnce(place, identity(foreign))).rejects.toThrow();
  });

  test('are not looked at when NONE', async () => {
    const { place } = await listeningFor('NONE');
    expect((await askOnce(place, identity(foreign))).status).toBe(200);
  });

  test('are told apart by L7 rules', async () => {
    const { id, place } = await listeningFor('OPTIONAL');
    const rejecting = async (position: number, rules: Attributes[]) => {
      const policy = await service.api.create('l7policies', { listener_id: id, action: 'REJECT', position });
      for (const rule of rules) await service.api.create(`l7policies/${policy.id}/rules`, rule);
      await service.api.active(lb.id);
    };
    const has = { type: 'SSL_CONN_HAS_CERT', compare_type: 'EQUAL_TO', value: 'true' };
    await rejecting(1, [{ ...has, invert: true }]);
    await rejecting(2, [{ type: 'SSL_DN_FIELD', key: 'CN', compare_type: 'STARTS_WITH', value: 'mal' }]);
    await rejecting(3, [{ type: 'SSL_VERIFY_RESULT', compare_type: 'EQUAL_TO', value: '0', invert: true }]);
    expect((await askOnce(place, identity(good))).status).toBe(200);
    expect((await askOnce(place, identity(revoked))).status).toBe(403);
    expect((await askOnce(place)).status).toBe(403);
  });
});

test('a secret that is deleted goes on being served, and is looked for again when there is no copy of it either', async () => {
  const { place } = await listen({ default_tls_container_ref: await issued('www.example') });
  const certificate = await issuer.issue('lost.example');
  const reference = await secrets.keepCertificate(certificate);
  const listener = await listen({ default_tls_container_ref: reference });
  await secrets.lose(reference);
  await service.api.update('listeners', listener.id, { name: 'once more' });
  await service.api.becomes('listeners', listener.id, 'ACTIVE');
  expect(await shownTo(listener.place)).toBe('lost.example');

  await secrets.loseCopy(reference);
  await service.api.update('listeners', listener.id, { name: 'and again' });
  await service.api.becomes('listeners', listener.id, 'ERROR');
  await service.api.active(lb.id);
  await eventually('the reason is told', () => reasonOf(listener.id).includes(reference));
  expect((await askOnce(place)).status).toBe(200);

  await secrets.keepCertificate(certificate, reference.split('/').at(-1));
  await service.api.becomes('listeners', listener.id, 'ACTIVE');
  expect(await shownTo(listener.place)).toBe('lost.example');
});

test('a listener in ERROR for a certificate that cannot be read is healed by another', async () => {
  const reference = await issued('lost.example');
  const listener = await listen({ default_tls_container_ref: reference });
  await secrets.lose(reference);
  await secrets.loseCopy(reference);
  await service.api.update('listeners', listener.id, { name: 'once more' });
  await service.api.becomes('listeners', listener.id, 'ERROR');
  await service.api.update('listeners', listener.id, { default_tls_container_ref: await issued('found.example') });
  await service.api.becomes('listeners', listener.id, 'ACTIVE');
  expect(await shownTo(listener.place)).toBe('found.example');
});

test('a PKCS#12 bundle kept with the key manager is served', async () => {
  const { certificate, private_key } = await issuer.issue('bundle.example');
  // OpenSSL reads its input twice.
  const pem = join(service.temporary, 'bundle.pem');
  writeFileSync(pem, `${private_key}\n${certificate}`);
  const bundle = execFileSync('openssl', ['pkcs12', '-export', '-passout', 'pass:', '-in', pem]);
  const { secret_ref } = await service.api.call('POST', '/key-manager/v1/secrets', {
    name: 'bundle',
    payload: bundle.toString('base64'),
    payload_content_type: 'application/octet-stream',
    payload_content_encoding: 'base64',
  });
  const { place } = await listen({ default_tls_container_ref: secret_ref });
  expect(await shownTo(place)).toBe('bundle.example');
});
