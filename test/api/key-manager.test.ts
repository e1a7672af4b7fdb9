// The built-in key manager, as Barbican's clients ask it.
import { beforeEach, describe, expect, it } from 'vitest';
import { routes } from '../../lambdas/key-manager/handler.ts';
import { type Answer, origin } from '../support/http.ts';
import type { InProcessApi } from '../support/in-process-api.ts';
import { fault, KeyManagerApi, note, stranger } from '../support/key-manager-api.ts';
import * as bundled from '../support/pkcs12-bundles.ts';

const bundle = Object.values(bundled.bundles)[0]!;
const tls = {
  name: 'tls',
  payload: bundle,
  payload_content_type: 'application/octet-stream',
  payload_content_encoding: 'base64',
};

let api: InProcessApi;
let ask: KeyManagerApi['ask'];
let stored: KeyManagerApi['stored'];
let contained: KeyManagerApi['contained'];
beforeEach(() => {
  const keyManager = new KeyManagerApi();
  ({ octavia: api, ask, stored, contained } = keyManager);
});

describe('versions', () => {
  it('are told to anybody, with microversions to who knows of them', async () => {
    const old = await ask('GET', '', undefined, { caller: null });
    expect(old).toMatchObject({ status: 300, body: { versions: { values: [{ id: 'v1', status: 'stable' }] } } });
    const headers = { 'OpenStack-API-Version': 'key-manager 1.1' };
    const { body } = await ask('GET', '/', undefined, { caller: null, headers });
    expect(body.versions).toMatchObject([{ id: 'v1', status: 'CURRENT', min_version: '1.0', max_version: '1.1' }]);
    expect((await ask('GET', '/v1', undefined, { caller: null })).status).toBe(200);
  });

  it('are all there is without a token', async () => {
    for (const route of Object.keys(routes).filter((one) => !/key-manager(\/v1)?$/.test(one))) {
      const [method, path] = route.split(' ') as [string, string];
      const { status, headers } = await ask(method, path.replace('/key-manager', ''), undefined, { caller: null });
      expect([route, status]).toEqual([route, 401]);
      expect(headers['www-authenticate']).toMatch(/^Keystone uri="/);
    }
  });
});

describe('a secret', () => {
  it('of any bytes comes back as it was stored', async () => {
    const reference = await stored(tls);
    const { status, headers, body } = await ask('GET', `${reference}/payload`, undefined, {
      headers: { accept: 'application/octet-stream' },
    });
    expect([status, headers['content-type']]).toEqual([200, 'application/octet-stream']);
    expect(body.toString('base64')).toBe(bundle);
  });

  it('shows what it is, and not its payload', async () => {
    const reference = await stored({ ...note, algorithm: 'aes', bit_length: 256, mode: 'cbc' });
    const { body } = await ask('GET', reference);
    expect(body).toEqual({
      ...{ name: 'note', status: 'ACTIVE', secret_type: 'passphrase', secret_ref: reference, creator_id: 'a-user' },
      ...{ algorithm: 'aes', bit_length: 256, mode: 'cbc', expiration: null, consumers: [] },
      ...{ content_types: { default: 'text/plain' }, created: expect.any(String), updated: expect.any(String) },
    });
    const old = await ask('GET', reference, undefined, { headers: { accept: 'text/plain' } });
    expect(String(old.body)).toBe('a text');
  });

  it('lies sealed in the table', async () => {
    const id = (await stored(note)).slice(-36);
    const items = await api.services.table.query({ pk: `SECRET#${id}` });
    expect(items.items).toHaveLength(2);
    const text = JSON.stringify(items);
    expect(text).not.toContain('a text');
    expect(text).not.toContain(Buffer.from('a text').toString('base64'));
  });

  it('takes a payload later, once', async () => {
    const reference = await stored({ name: 'later' });
    expect((await ask('GET', reference)).body).not.toHaveProperty('content_types');
    expect((await ask('GET', `${reference}/payload`)).status).toBe(404);
    const put = (body: string, headers: Record<string, string>) => ask('PUT', reference, body, { headers });
    expect(await put('{}', { 'content-type': 'application/json' })).toMatchObject({ status: 415 });
    expect(await put('x', { 'content-type': 'image/png' })).toMatchObject({ status: 415 });
    expect(await put('', { 'content-type': 'text/plain' })).toMatchObject({ status: 400 });
    const base64 = { 'content-type': 'application/octet-stream', 'content-encoding': 'base64' };
    expect(await put('no base64!', base64)).toMatchObject({ status: 400 });
    expect(await put(bundle, base64)).toMatchObject({ status: 204, body: undefined });
    const again = fault(409, 'Secret already has data, cannot modify it.');
    expect(await put('x', { 'content-type': 'text/plain; charset=utf-8' })).toMatchObject(again);
    expect((await ask('GET', `${reference}/payload`)).body.toString('base64')).toBe(bundle);
  });

  it('is gone with its payload when it is deleted', async () => {
    const reference = await stored(tls);
    expect(await ask('DELETE', reference)).toMatchObject({ status: 204, body: undefined });
    for (const [method, path] of [
      ['GET', reference],
      ['GET', `${reference}/payload`],
      ['DELETE', reference],
      ['GET', '/v1/secrets/no-id'],
    ] as const)
      expect(await ask(method, path)).toMatchObject(fault(404, 'Secret not found.'));
    expect((await api.services.table.query({ pk: `SECRET#${reference.slice(-36)}` })).items).toEqual([]);
  });

  it('is not found any more when its time is over', async () => {
    const expiration = new Date(api.services.clock.now() + 60_000).toISOString();
    const reference = await stored({ ...note, expiration });
    expect((await ask('GET', reference)).status).toBe(200);
    api.services.clock.turn(60_000);
    expect((await ask('GET', reference)).status).toBe(404);
    expect((await ask('GET', '/v1/secrets')).body.total).toBe(0);
  });

  const type = 'payload_content_type';
  const encoding = 'payload_content_encoding';
  it.each<[string, object, string | RegExp]>([
    ['a payload of no type', { payload: 'x' }, `If 'payload' is supplied, '${type}' must also be supplied`],
    ['an empty payload', { ...note, payload: ' ' }, "If 'payload' specified, must be non empty"],
    ['a type of no payload', { [type]: 'text/plain' }, `payload must be provided when ${type} is supplied`],
    [
      'bytes that are not encoded',
      { payload: 'x', [type]: 'application/octet-stream' },
      `${encoding} must be specified`,
    ],
    ['a text that is encoded', { ...note, [encoding]: 'base64' }, `${encoding} must not be specified`],
    ['another encoding', { ...tls, [encoding]: 'hex' }, `${encoding} must be 'base64'`],
    ['no base64', { ...tls, payload: '§§' }, `Invalid payload for ${encoding}`],
    ['another content', { ...tls, [type]: 'image/png' }, `${type} is not one of those that are supported`],
    ['another type', { secret_type: 'certificates' }, "Invalid property: 'secret_type'"],
    ['no length', { bit_length: 0 }, "Invalid property: 'bit_length'"],
    ['a time that is over', { expiration: '2001-01-01' }, "'expiration' is before current time"],
    ['no time', { expiration: 'tomorrow' }, "Invalid date for 'expiration'"],
  ])('is refused with %s', async (_what, secret, reason) => {
    const answer = await ask('POST', '/v1/secrets', secret);
    expect(answer).toMatchObject(fault(400, expect.stringContaining(reason as string)));
    expect(answer.body.description).toContain("Provided object does not match schema 'Secret'");
    expect((await ask('GET', '/v1/secrets')).body.total).toBe(0);
  });

  it('has 64 kB at most', async () => {
    const large = fault(413, 'Provided information too large to process');
    expect((await ask('POST', '/v1/secrets', { ...note, payload: 'x'.repeat(65_536) })).status).toBe(201);
    expect(await ask('POST', '/v1/secrets', { ...note, payload: 'x'.repeat(65_537) })).toMatchObject(large);
    const reference = await stored({});
    const headers = { 'content-type': 'text/plain' };
    expect(await ask('PUT', reference, 'x'.repeat(65_537), { headers })).toMatchObject(large);
  });
});

describe('a list of secrets', () => {
  it('is of the project, in pages, and by what is asked for', async () => {
    for (const name of ['a', 'b', 'c']) {
      await stored({ ...note, name, ...(name === 'c' ? { secret_type: 'opaque', algorithm: 'rsa' } : {}) });
      api.services.clock.turn(1_000);
    }
    const names = ({ body }: Answer) => body.secrets.map(({ name }: { name: string }) => name);
    expect(names(await ask('GET', '/v1/secrets'))).toEqual(['a', 'b', 'c']);
    expect(names(await ask('GET', '/v1/secrets', undefined, { caller: stranger }))).toEqual([]);
    const first = await ask('GET', '/v1/secrets?limit=2');
    expect([names(first), first.body.total, first.body.previous]).toEqual([['a', 'b'], 3, undefined]);
    const second = await ask('GET', first.body.next);
    expect([names(second), second.body.next]).toEqual([['c'], undefined]);
    expect(names(await ask('GET', second.body.previous))).toEqual(['a', 'b']);
    expect(names(await ask('GET', '/v1/secrets?name=b'))).toEqual(['b']);
    expect(names(await ask('GET', '/v1/secrets?secret_type=opaque&alg=rsa'))).toEqual(['c']);
    expect(names(await ask('GET', '/v1/secrets?limit=many&offset=-1'))).toEqual(['a', 'b', 'c']);
  });
});

describe('a container', () => {
  const parts = async () => [
    { name: 'certificate', secret_ref: await stored({ ...note, payload: bundled.certificate }) },
    { name: 'private_key', secret_ref: await stored({ ...note, payload: bundled.privateKey }) },
  ];

  it('holds secrets by name', async () => {
    const secret_refs = await parts();
    const reference = await contained({ name: 'tls', type: 'certificate', secret_refs });
    const { body } = await ask('GET', reference);
    expect(body).toMatchObject({ name: 'tls', type: 'certificate', status: 'ACTIVE', secret_refs, consumers: [] });
    expect((await ask('GET', '/v1/containers?type=certificate')).body).toMatchObject({ total: 1 });
    expect((await ask('GET', '/v1/containers?type=rsa')).body).toEqual({ containers: [], total: 0 });
    expect((await ask('DELETE', reference)).status).toBe(204);
    expect(await ask('GET', reference)).toMatchObject(fault(404, 'Container not found.'));
    expect((await ask('GET', secret_refs[0]!.secret_ref)).status).toBe(200);
  });

  it('is refused with names its type does not have, twice the same, and secrets that are not there', async () => {
    const [certificate, key] = await parts();
    const refused = (container: object) => ask('POST', '/v1/containers', container);
    const bad = (reason: string) => fault(400, expect.stringContaining(reason));
    expect(await refused({ type: 'box' })).toMatchObject(bad("Invalid property: 'type'"));
    const other = { type: 'certificate', secret_refs: [certificate, { ...key, name: 'key' }] };
    expect(await refused(other)).toMatchObject(bad('reference names are allowed for certificate type'));
    expect(await refused({ type: 'certificate', secret_refs: [key] })).toMatchObject(bad('minimum required'));
    expect(await refused({ type: 'rsa', secret_refs: [key] })).toMatchObject(bad('minimum required'));
    expect(await refused({ type: 'generic', secret_refs: [key, key] })).toMatchObject(bad('Duplicate reference names'));
    const gone = { name: 'x', secret_ref: `${origin}/key-manager/v1/secrets/5ec2e700-0000-4000-8000-000000000000` };
    const missing = fault(404, "Secret provided for 'x' doesn't exist.");
    expect(await refused({ type: 'generic', secret_refs: [gone] })).toMatchObject(missing);
    const foreign = { name: 'x', secret_ref: await stored(note, { caller: stranger }) };
    expect(await refused({ type: 'generic', secret_refs: [foreign] })).toMatchObject(missing);
    expect((await ask('GET', '/v1/containers')).body.total).toBe(0);
  });
});

describe('consumers', () => {
  it('are listeners and pools by themselves', async () => {
    const secret = await stored(tls);
    const secret_refs = [
      { name: 'certificate', secret_ref: await stored({ ...note, payload: bundled.certificate }) },
      { name: 'private_key', secret_ref: await stored({ ...note, payload: bundled.privateKey }) },
    ];
    const container = await contained({ type: 'certificate', secret_refs });
    const loadBalancer = await api.createLoadBalancer();
    const listener = await api.createListener(loadBalancer, {
      protocol: 'TERMINATED_HTTPS',
      default_tls_container_ref: secret,
    });
    const pool = await api.createPool(loadBalancer, { tls_enabled: true, tls_container_ref: container });
    const used = { service: 'load-balancer', resource_type: 'listener', resource_id: listener['id'] };
    expect((await ask('GET', secret)).body.consumers).toEqual([used]);
    expect((await ask('GET', `${secret}/consumers`)).body).toMatchObject({ total: 1, consumers: [used] });
    const url = `${origin}/v2.0/lbaas/pools/${pool['id']}`;
    expect((await ask('GET', container)).body.consumers).toEqual([{ name: 'Octavia', URL: url }]);
    await api.made('PUT', `pools/${pool['id']}`, { pool: { tls_container_ref: secret } });
    expect((await ask('GET', `${container}/consumers`)).body).toEqual({ consumers: [], total: 0 });
    expect((await ask('GET', `${secret}/consumers`)).body.total).toBe(2);
  });

  it('register, once each, and take their leave', async () => {
    const secret = `${await stored(note)}/consumers`;
    const one = { service: 'image', resource_type: 'image', resource_id: '1' };
    expect((await ask('POST', secret, one)).body.consumers).toEqual([one]);
    expect((await ask('POST', secret, one)).body.consumers).toEqual([one]);
    expect((await ask('DELETE', secret, one)).body.consumers).toEqual([]);
    expect(await ask('DELETE', secret, one)).toMatchObject(fault(404, 'Consumer not found.'));
    const container = `${await contained({ type: 'generic' })}/consumers`;
    const client = { name: 'me', URL: 'https://me.example' };
    expect((await ask('POST', container, client)).body.consumers).toEqual([client]);
    expect((await ask('GET', container)).body).toMatchObject({ total: 1, consumers: [client] });
    expect((await ask('DELETE', container, client)).body.consumers).toEqual([]);
    expect((await ask('POST', container, {})).status).toBe(400);
  });
});

it('a certificate that was kept here is served, and one that is gone is refused', async () => {
  const reference = await stored(tls);
  const loadBalancer = await api.createLoadBalancer();
  const https = { protocol: 'TERMINATED_HTTPS', default_tls_container_ref: reference };
  await api.createListener(loadBalancer, https);
  await ask('DELETE', reference);
  const listener = { loadbalancer_id: loadBalancer['id'], protocol_port: 8443, ...https };
  const answer = await api.ask('POST', 'listeners', { listener });
  expect([answer.status, answer.body.faultstring]).toEqual([400, `Could not retrieve certificate: ['${reference}']`]);
});
