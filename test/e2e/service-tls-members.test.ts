// TLS from the load balancer to members, over the whole service: whose certificate is believed, what members are shown, and members
// that come and go without a reload.
import { connect as connectHttp2 } from 'node:http2';
import { text as readAll } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type Issuer, makeIssuer } from '../support/issuers.ts';
import { LocalService } from '../support/local-service.ts';
import type { Attributes, LoadBalancer } from '../support/octavia-client.ts';
import { ServiceSecrets } from '../support/service-secrets.ts';
import { askOnce, type Place, startTlsMember, type TlsMember } from '../support/tls-traffic.ts';

let service: LocalService;
let secrets: ServiceSecrets;
let issuer: Issuer;
let stranger: Issuer;
let authority: string;
const members: TlsMember[] = [];
beforeAll(async () => {
  service = await LocalService.start();
  secrets = new ServiceSecrets(service);
  [issuer, stranger] = await Promise.all([makeIssuer('authority'), makeIssuer('stranger')]);
  authority = await secrets.keep(issuer.certificate);
});
afterAll(async () => {
  await secrets[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
  await Promise.all(members.map((member) => member.stop()));
});

const startMember = async (...given: Parameters<typeof startTlsMember>): Promise<TlsMember> => {
  const member = await startTlsMember(...given);
  members.push(member);
  return member;
};

interface Served {
  lb: LoadBalancer;
  poolId: string;
  place: Place;
}

async function served(pool: Attributes, graph: Attributes = {}): Promise<Served> {
  const default_pool = { name: 'tls', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', tls_enabled: true, ...pool };
  const default_tls_container_ref = await secrets.keepCertificate(await issuer.issue('www.example'));
  const web = { protocol: 'TERMINATED_HTTPS', protocol_port: 8443, default_tls_container_ref, default_pool, ...graph };
  const { id } = await service.api.createLoadBalancer({ listeners: [web] });
  const lb = await service.api.active(id);
  return { lb, poolId: lb.pools[0]!.id, place: { host: lb.vip_address, port: 8443 } };
}

const add = async ({ lb, poolId }: Served, member: TlsMember): Promise<string> => {
  const { id } = await service.api.create(`pools/${poolId}/members`, member.attributes);
  await service.api.active(lb.id);
  return id;
};
const named = { servername: 'www.example' };
interface Seen {
  servername: string;
  version: string;
  client: string;
}
const seenBy = async (place: Place): Promise<Seen> => JSON.parse((await askOnce(place, named)).body) as Seen;

test('believes members that the CA signed, by the name the client asked for, and no others', async () => {
  const all = await served({ ca_tls_container_ref: authority });
  const good = await startMember(await issuer.issue('www.example'));
  const id = await add(all, good);
  expect(await seenBy(all.place)).toMatchObject({ servername: 'www.example', version: '2.0' });
  expect((await askOnce(all.place, { servername: 'other.example' })).status).toBe(503);
  await service.api.delete(`pools/${all.poolId}/members`, id);
  await service.api.active(all.lb.id);
  await add(all, await startMember(await stranger.issue('www.example')));
  expect((await askOnce(all.place, named)).status).toBe(503);
});

test('does not believe a member that was revoked', async () => {
  const own = await issuer.issue('www.example');
  const crl_container_ref = await secrets.keep(await issuer.revocationList(own.serial));
  const all = await served({ ca_tls_container_ref: authority, crl_container_ref });
  await add(all, await startMember(own));
  expect((await askOnce(all.place, named)).status).toBe(503);
  const none = await secrets.keep(await issuer.revocationList());
  await service.api.update('pools', all.poolId, { crl_container_ref: none });
  await service.api.active(all.lb.id);
  expect((await askOnce(all.place, named)).status).toBe(200);
});

test('without a CA believes anybody, and keeps to the protocols it was given', async () => {
  const all = await served({ alpn_protocols: ['http/1.1'], tls_versions: ['TLSv1.2'] });
  await add(all, await startMember(await stranger.issue('nobody.example')));
  expect(await seenBy(all.place)).toMatchObject({ version: '1.1' });
});

test('shows members a certificate of its own, and another without a reload', async () => {
  const first = await secrets.keepCertificate(await issuer.issue('first'));
  const second = await secrets.keepCertificate(await issuer.issue('second'));
  const all = await served({ tls_container_ref: first, ca_tls_container_ref: authority });
  const own = await issuer.issue('www.example');
  await add(all, await startMember(own, issuer.certificate));
  expect((await seenBy(all.place)).client).toBe('first');
  const before = await service.workers(all.lb.id);
  await service.api.update('pools', all.poolId, { tls_container_ref: second });
  await service.api.active(all.lb.id);
  // Connections that are kept to a member know the old one until they end.
  await eventually('the member is shown the second', async () => (await seenBy(all.place)).client === 'second');
  expect(await service.workers(all.lb.id)).toEqual(before);
});

test('adds the first and further members and removes them without a reload', async () => {
  const crl_container_ref = await secrets.keep(await issuer.revocationList());
  const tls_container_ref = await secrets.keepCertificate(await issuer.issue('lb'));
  const all = await served({ tls_container_ref, ca_tls_container_ref: authority, crl_container_ref });
  const before = await service.workers(all.lb.id);
  expect((await askOnce(all.place, named)).status).toBe(503);
  const ids = [];
  for (const _ of [1, 2])
    ids.push(await add(all, await startMember(await issuer.issue('www.example'), issuer.certificate)));
  expect((await seenBy(all.place)).client).toBe('lb');
  for (const id of ids) {
    await service.api.delete(`pools/${all.poolId}/members`, id);
    await service.api.active(all.lb.id);
  }
  expect((await askOnce(all.place, named)).status).toBe(503);
  expect(await service.workers(all.lb.id)).toEqual(before);
});

test('encrypts to members of a listener that is not encrypted itself', async () => {
  const plain = { protocol: 'HTTP', protocol_port: 8080, default_tls_container_ref: undefined };
  const all = await served({ ca_tls_container_ref: authority }, plain);
  await add(all, await startMember(await issuer.issue('any.example')));
  const said = await fetch(`http://${all.place.host}:8080/`);
  expect(said.status).toBe(200);
});

test('puts down to the pool what is wrong with its ciphers: members are not to blame, and serve on as before', async () => {
  const all = await served({ ca_tls_container_ref: authority });
  const ids = [];
  for (let one = 0; one < 2; one++) ids.push(await add(all, await startMember(await issuer.issue('www.example'))));
  await service.api.update('pools', all.poolId, { tls_ciphers: 'NO-SUCH-CIPHER' });
  await service.api.becomes('pools', all.poolId, 'ERROR');
  await service.api.active(all.lb.id);
  expect((await askOnce(all.place, named)).status).toBe(200);
  for (const id of ids) await service.api.becomes(`pools/${all.poolId}/members`, id, 'ACTIVE');
  await service.api.update('pools', all.poolId, { tls_ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' });
  await service.api.becomes('pools', all.poolId, 'ACTIVE');
  await service.api.active(all.lb.id);
  expect((await askOnce(all.place, named)).status).toBe(200);
});

test('speaks HTTP/2 from the client to the member, many requests at once on one connection', async () => {
  const all = await served({ ca_tls_container_ref: authority, alpn_protocols: ['h2', 'http/1.1'] });
  await add(all, await startMember(await issuer.issue('www.example')));
  const { host, port } = all.place;
  const client = connectHttp2(`https://${host}:${port}`, { rejectUnauthorized: false, ...named });
  const versions = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const stream = client.request({ ':path': '/', ':authority': 'www.example' });
      return (JSON.parse(await readAll(stream)) as Seen).version;
    }),
  );
  expect(client.alpnProtocol).toBe('h2');
  expect(new Set(versions)).toEqual(new Set(['2.0']));
  client.close();
});
