// Certificates that change while clients are connected, over the whole service: nobody is cut off, HAProxy is not reloaded, and a
// restart serves the same.
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type Issued, type Issuer, makeIssuer } from '../support/issuers.ts';
import { LocalService } from '../support/local-service.ts';
import type { Attributes, LoadBalancer, Resource } from '../support/octavia-client.ts';
import { sendSignal } from '../support/processes.ts';
import { ServiceSecrets } from '../support/service-secrets.ts';
import { ask, askOnce, type Place, shake, shownTo, startPlainMember, type TlsMember } from '../support/tls-traffic.ts';

let service: LocalService;
let secrets: ServiceSecrets;
let member: TlsMember;
let issuer: Issuer;
beforeAll(async () => {
  service = await LocalService.start();
  secrets = new ServiceSecrets(service);
  [member, issuer] = await Promise.all([startPlainMember(), makeIssuer('authority')]);
});
afterAll(async () => {
  await secrets[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
  await member.stop();
});

let lb: LoadBalancer;
let listener: Resource;
let place: Place;
let before: number[];
const issued = async (...names: string[]): Promise<string> => secrets.keepCertificate(await issuer.issue(...names));

async function served(attributes: Attributes): Promise<void> {
  const web = { protocol: 'TERMINATED_HTTPS', protocol_port: 8443, ...attributes };
  const members = [member.attributes];
  const default_pool = { name: 'web', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', members };
  const { id } = await service.api.createLoadBalancer({ listeners: [{ ...web, default_pool }] });
  lb = await service.api.active(id);
  listener = await service.api.show('listeners', lb.listeners[0]!.id);
  place = { host: lb.vip_address, port: 8443 };
  before = await service.workers(lb.id);
}

async function change(attributes: Attributes): Promise<void> {
  await service.api.update('listeners', listener.id, attributes);
  await service.api.becomes('listeners', listener.id, 'ACTIVE');
  await service.api.active(lb.id);
}

/** Clients that stay connected, over HTTP/1.1 and HTTP/2, and ask all the time. */
class Staying {
  readonly failures: string[] = [];
  requests = 0;
  readonly #socket: TLSSocket;
  readonly #session: ClientHttp2Session;
  readonly #ends: Promise<void>[];
  #isStopped = false;

  private constructor(socket: TLSSocket, session: ClientHttp2Session) {
    this.#socket = socket;
    this.#session = session;
    const cut = (what: string) => () => this.#isStopped || this.failures.push(`${what} was closed`);
    socket.on('close', cut('HTTP/1.1'));
    session.on('close', cut('HTTP/2')).on('goaway', cut('HTTP/2 by GOAWAY'));
    this.#ends = [this.#asking(async () => (await ask(socket)).status), this.#asking(() => this.#stream())];
  }

  static async connect(): Promise<Staying> {
    const session = connectHttp2(`https://${place.host}:${place.port}`, { rejectUnauthorized: false });
    return new Staying(await shake(place), session);
  }

  async #asking(once: () => Promise<number>): Promise<void> {
    while (!this.#isStopped) {
      const status = await once().catch((error) => String(error));
      this.requests++;
      if (status !== 200) this.failures.push(String(status));
      await sleep(2);
    }
  }

  #stream(): Promise<number> {
    const stream = this.#session.request({ ':path': '/' });
    return new Promise((resolve, reject) => {
      let status = 0;
      stream.on('response', (headers) => {
        status = Number(headers[':status']);
      });
      stream
        .on('error', reject)
        .on('end', () => resolve(status))
        .resume();
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#ends);
    this.#socket.destroy();
    this.#session.destroy();
  }
}

let staying: Staying | undefined;
beforeEach(() => {
  staying = undefined;
});
afterEach(() => staying?.stop());

/** The same worker, and nobody noticed. */
async function expectUndisturbed(): Promise<void> {
  await staying!.stop();
  expect(staying!.failures).toEqual([]);
  expect(staying!.requests).toBeGreaterThan(20);
  expect(await service.workers(lb.id)).toEqual(before);
}

/** kill -9 of HAProxy: the next one knows only files. */
async function killHaproxy(): Promise<void> {
  const { haproxy } = await service.amphora(lb.id);
  sendSignal(haproxy, 'SIGKILL');
  await eventually('HAProxy is started again', async () => {
    const now = await service.amphora(lb.id);
    return now.haproxy !== haproxy && (await askOnce(place)).status === 200;
  });
}

test('replaces the default certificate under live connections, and a restart serves the new one', async () => {
  await served({ default_tls_container_ref: await issued('first.example') });
  staying = await Staying.connect();
  for (const name of ['second.example', 'third.example', 'fourth.example']) {
    await change({ default_tls_container_ref: await issued(name) });
    expect(await shownTo(place)).toBe(name);
  }
  await expectUndisturbed();
  await killHaproxy();
  expect(await shownTo(place)).toBe('fourth.example');
});

test('adds and removes SNI certificates under live connections, members meanwhile, and a restart serves the same', async () => {
  const [byDefault, one, two, three] = await Promise.all(
    ['www', 'one', 'two', 'three'].map((name) => issued(`${name}.example`)),
  );
  await served({ default_tls_container_ref: byDefault, sni_container_refs: [one] });
  staying = await Staying.connect();
  const names = async () => {
    const shown: string[] = [];
    for (const name of ['one.example', 'two.example', 'three.example']) shown.push(await shownTo(place, name));
    return shown;
  };
  await change({ sni_container_refs: [one, two, three] });
  expect(await names()).toEqual(['one.example', 'two.example', 'three.example']);
  await service.api.create(`pools/${lb.pools[0]!.id}/members`, {
    ...member.attributes,
    weight: 3,
    address: '127.0.0.2',
  });
  await change({ sni_container_refs: [two, three] });
  expect(await names()).toEqual(['www.example', 'two.example', 'three.example']);
  await change({ sni_container_refs: [two, three, one] });
  expect(await names()).toEqual(['one.example', 'two.example', 'three.example']);
  await service.api.active(lb.id);
  expect(await service.workers(lb.id)).toEqual(before);
  await staying.stop();
  await killHaproxy();
  expect(await names()).toEqual(['one.example', 'two.example', 'three.example']);
});

test('revokes a client, even one that would resume its session, and trusts another authority', async () => {
  const other = await makeIssuer('other');
  const [alice, bob, eve] = await Promise.all([issuer.issue('alice'), issuer.issue('bob'), other.issue('eve')]);
  const as = ({ certificate, private_key }: Issued) => ({ cert: certificate, key: private_key });
  await served({
    default_tls_container_ref: await issued('www.example'),
    client_ca_tls_container_ref: await secrets.keep(issuer.certificate),
    client_crl_container_ref: await secrets.keep(await issuer.revocationList()),
    client_authentication: 'MANDATORY',
  });
  expect((await askOnce(place, as(bob))).status).toBe(200);
  // In TLS 1.2 a session may be resumed without a certificate being shown again.
  const older = { ...as(bob), maxVersion: 'TLSv1.2' } as const;
  const resumable = await shake(place, older);
  expect((await ask(resumable)).status).toBe(200);
  const session = resumable.getSession()!;
  resumable.destroy();
  const resumed = await shake(place, { ...older, session });
  expect(resumed.isSessionReused()).toBe(true);
  resumed.destroy();
  await change({ client_crl_container_ref: await secrets.keep(await issuer.revocationList(bob.serial)) });
  await expect(askOnce(place, as(bob))).rejects.toThrow();
  await expect(askOnce(place, { ...older, session })).rejects.toThrow();
  expect((await askOnce(place, as(alice))).status).toBe(200);
  await change({
    client_ca_tls_container_ref: await secrets.keep(other.certificate),
    client_crl_container_ref: await secrets.keep(await other.revocationList()),
  });
  expect((await askOnce(place, as(eve))).status).toBe(200);
  await expect(askOnce(place, as(alice))).rejects.toThrow();
});

test('serves through a failover: the new amphora has the certificates', async () => {
  await served({ default_tls_container_ref: await issued('kept.example') });
  await service.api.failover(lb.id);
  await service.api.active(lb.id);
  await eventually('the new amphora serves', async () => (await shownTo(place)) === 'kept.example');
  expect((await askOnce(place)).status).toBe(200);
});
