// What must stay with whom it belongs to: private keys, keys of heartbeats, passwords and tokens are nowhere in what AWS keeps of
// a deployment by itself: the history of flows, lines of logs, messages and events.
import { inspect } from 'node:util';
import { afterEach, expect, it, vi } from 'vitest';
import type { HeartbeatKey } from '../../amphora/agent-api.ts';
import { DriverError } from '../../lambdas/domain/errors.ts';
import { timestamp } from '../../lambdas/domain/time.ts';
import type { AmphoraAddress } from '../../lambdas/drivers/amphora/amphora-driver.ts';
import { NoopAmphoraDriver } from '../../lambdas/drivers/amphora/noop.ts';
import type { CertificateAuthority } from '../../lambdas/drivers/certificates/certificate-authority.ts';
import { NoopComputeDriver } from '../../lambdas/drivers/compute/noop.ts';
import { identityHandler } from '../../lambdas/identity/handler.ts';
import { seedAdministrator } from '../../lambdas/identity/seed.ts';
import { keyManagerHandler } from '../../lambdas/key-manager/handler.ts';
import { readAllAmphorae, setAmphora } from '../../lambdas/repositories/amphorae.ts';
import type { Logger } from '../../lambdas/runtime/logger.ts';
import { SqliteExecutionStore } from '../../local/flows/execution-store.ts';
import { FlowAmphorae } from '../support/flow-amphorae.ts';
import { paperAuthority } from '../support/flow-process-life.ts';
import { FlowWorld, projectId } from '../support/flow-world.ts';
import { send } from '../support/http.ts';
import { containerRef, keepCertificate, makeUserAuthority } from '../support/user-certificates.ts';

let world: FlowWorld;
afterEach(async () => {
  vi.restoreAllMocks();
  await world.close();
});

/** Everything that was told, and every secret there was, each with where it comes from. */
const told: { where: string; what: string }[] = [];
const secrets = new Map<string, string>();
const hear = (where: string, what: unknown) =>
  told.push({ where, what: inspect(what, { depth: 20, maxStringLength: null, maxArrayLength: null }) });
const keep = (name: string, secret: string): string => {
  secrets.set(name, secret);
  return secret;
};

const pem = (canary: string) => `-----BEGIN PRIVATE KEY-----\n${canary}\n-----END PRIVATE KEY-----\n`;
const withKey = <T extends { private_key: string }>(name: string, issued: T): T => ({
  ...issued,
  private_key: pem(keep(`${name} ${secrets.size}`, `canary-key-${secrets.size}-of-${name}`)),
});
const authority: CertificateAuthority = {
  ...paperAuthority,
  issueAmphora: async (id, now) => withKey('amphora', await paperAuthority.issueAmphora(id, now)),
  client: async (...given) => withKey('client', await paperAuthority.client(...given)),
};

/** Machines and amphorae are told keys; here is where the test learns them. */
class WatchedCompute extends NoopComputeDriver {
  override build(boot: Parameters<NoopComputeDriver['build']>[0]) {
    keep(`heartbeat key of ${boot.amphora_id}`, boot.heartbeat_key);
    return super.build(boot);
  }
}
class WatchedAmphorae extends NoopAmphoraDriver {
  override async putHeartbeatKey(_amphora?: AmphoraAddress, told?: HeartbeatKey): Promise<void> {
    keep(`new heartbeat key ${secrets.size}`, told!.heartbeat_key);
  }
  override pushConfiguration(...given: Parameters<NoopAmphoraDriver['pushConfiguration']>) {
    for (const { contents } of given[1].files ?? []) if (contents.includes('PRIVATE KEY')) pushed.push(contents);
    return super.pushConfiguration(...given);
  }
}
const pushed: string[] = [];

const logger: Logger = {
  debug: (...line) => hear('log', line),
  info: (...line) => hear('log', line),
  warn: (...line) => hear('log', line),
  error: (...line) => hear('log', line),
};

function watchedWorld(): FlowWorld {
  const drivers = { authority, compute: new WatchedCompute(), amphora: new WatchedAmphorae(), logger };
  const made = new FlowWorld({ topology: 'ACTIVE_STANDBY' }, drivers);
  made.witness = (at, what) => hear(`task ${at}`, what);
  for (const method of ['insert', 'saveCheckpoint', 'end'] as const) {
    const original = SqliteExecutionStore.prototype[method] as (...given: unknown[]) => unknown;
    const watched = function (this: SqliteExecutionStore, ...given: unknown[]) {
      hear(`execution ${method}`, given);
      return original.apply(this, given) as never;
    };
    vi.spyOn(SqliteExecutionStore.prototype, method).mockImplementation(watched);
  }
  const { send: sendMessage } = made.queue;
  made.queue.send = (queue, message) => {
    hear(`queue ${queue}`, message);
    return sendMessage.call(made.queue, queue, message);
  };
  return made;
}

/** @returns a token, by a password that was refused once first */
async function login(): Promise<string> {
  const password = keep('password', 'canary-password-of-the-administrator');
  await seedAdministrator(world.outside, { adminPassword: password });
  const identity = (given: string) => ({
    auth: {
      identity: {
        methods: ['password'],
        password: { user: { name: 'admin', domain: { id: 'default' }, password: given } },
      },
      scope: { project: { name: 'admin', domain: { id: 'default' } } },
    },
  });
  const ask = (given: string) =>
    send(identityHandler(world.services), { method: 'POST', path: '/identity/v3/auth/tokens', body: identity(given) });
  expect((await ask(keep('wrong password', 'canary-password-that-is-wrong'))).status).toBe(401);
  const { status, headers } = await ask(password);
  expect(status).toBe(201);
  return keep('token', headers['x-subject-token']!);
}

async function tlsListener(id: string, token: string): Promise<void> {
  const user = await makeUserAuthority('canary');
  keep('private key of a user', user.private_key.split('\n')[1]!);
  await keepCertificate(world.outside.certificates, 1, projectId, user);
  const listener = { loadbalancer_id: id, protocol: 'TERMINATED_HTTPS', protocol_port: 443 };
  const body = { listener: { ...listener, default_tls_container_ref: containerRef(1) } };
  const headers = { 'x-auth-token': token };
  expect((await world.api({ method: 'POST', path: '/v2/lbaas/listeners', body, headers })).status).toBe(201);
  await world.settle();
  const secret = {
    name: 'key',
    payload: pem(keep('payload', 'canary-payload-of-a-secret')),
    payload_content_type: 'text/plain',
  };
  const caller = { project_id: projectId, roles: ['member'] };
  const asked = { method: 'POST', path: '/key-manager/v1/secrets', body: secret, headers, caller };
  expect((await send(keyManagerHandler(world.services), asked)).status).toBe(201);
}

/** Errors are told whole, with what caused them. */
async function failures(id: string, token: string): Promise<void> {
  const refuses = () => Promise.reject(new DriverError('as tested', { cause: new Error('the service is away') }));
  const points = ['compute.build', 'amphora.pushConfiguration', 'amphora.putCertificate', 'amphora.putHeartbeatKey'];
  for (const at of points) world.on(at, 'before', refuses, 3);
  await world.rename(id);
  await world.settle();
  world.on('table.transact', 'before', () => Promise.reject(new Error('the table is away')), 1);
  const body = { loadbalancer: { name: 'other' } };
  const wish = { method: 'PUT', path: `/v2/lbaas/loadbalancers/${id}`, body, headers: { 'x-auth-token': token } };
  expect((await world.api(wish)).status).toBe(500);
}

async function rotation(): Promise<void> {
  for (const { id } of await readAllAmphorae(world.outside.table))
    await setAmphora(world.outside, id, {
      cert_expiration: timestamp(world.clock.now() + 86_400_000),
      heartbeat_key_at: 0,
    });
  // Those who ask first meet what is set up to fail.
  for (let round = 0; round < 4; round++) {
    await world.housekeeping();
    await world.settle();
    world.clock.turn(600_000);
  }
}

it('keeps private keys, heartbeat keys, passwords and tokens out of flows, logs, messages and events', async () => {
  world = watchedWorld();
  const token = await login();
  const id = await world.createActive();
  await tlsListener(id, token);
  await new FlowAmphorae(world).speak();
  await failures(id, token);
  await rotation();
  expect(await world.failover(id)).toBe(202);
  await world.settle();
  expect(await world.remove(id)).toBe(204);
  await world.settle();
  for (const event of world.outside.events.published) hear(`event ${event.type}`, event);

  // It was all there: keys of two amphorae and of those that took their place, new heartbeat keys, a certificate with its key.
  const kinds = [...secrets.keys()].map((name) => name.replace(/ [\d-].*| of .*/, ''));
  for (const kind of ['amphora', 'heartbeat key', 'new heartbeat key', 'password', 'token', 'private key', 'payload'])
    expect(kinds, kind).toContain(kind);
  expect(pushed.length).toBeGreaterThan(0);
  const places = new Set(told.map(({ where }) => where.split(' ')[0]));
  expect(places).toEqual(new Set(['log', 'task', 'execution', 'queue', 'event']));
  expect(told.length).toBeGreaterThan(200);

  const leaks = told.flatMap(({ where, what }) => {
    const named = [...secrets].filter(([, secret]) => what.includes(secret)).map(([name]) => `${where}: ${name}`);
    return what.includes('PRIVATE KEY') ? [...named, `${where}: a private key`] : named;
  });
  expect(leaks).toEqual([]);
});
