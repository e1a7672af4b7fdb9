// What a listener keeps out, how many it takes and how long it waits: each limit as clients and members meet it.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask } from '../support/asking.ts';
import { eventually } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import type { Attributes } from '../support/octavia-client.ts';
import { connected, exchange } from '../support/raw-client.ts';
import { answersHttp, echoes, isSilent, RawMember } from '../support/raw-member.ts';
import { type SilentAddress, silentAddress } from '../support/silent-address.ts';

const ports = { web: 9001, tcp: 9002, impatientTcp: 9003, silent: 9004, unreachable: 9005, inspected: 9006 };
let service: LocalService;
let loadBalancerId: string;
let vip: string;
let listeners: Record<string, string>;
let pools: Record<string, string>;
let web: RawMember;
let echo: RawMember;
let silent: RawMember;
let unreachable: SilentAddress;

const listener = (port: number, protocol: string, member: object, attributes: Attributes = {}) => ({
  name: String(port),
  protocol,
  protocol_port: port,
  ...attributes,
  default_pool: { name: String(port), protocol, lb_algorithm: 'ROUND_ROBIN', members: [member] },
});

beforeAll(async () => {
  service = await LocalService.start();
  web = await RawMember.start('web', answersHttp);
  echo = await RawMember.start('echo', echoes);
  silent = await RawMember.start('silent', isSilent);
  unreachable = await silentAddress();
  const { id } = await service.api.createLoadBalancer({
    listeners: [
      listener(ports.web, 'HTTP', web.attributes),
      listener(ports.tcp, 'TCP', echo.attributes),
      listener(ports.impatientTcp, 'TCP', echo.attributes, { timeout_client_data: 700 }),
      listener(ports.silent, 'HTTP', silent.attributes, { timeout_member_data: 900 }),
      listener(ports.unreachable, 'HTTP', unreachable.attributes, { timeout_member_connect: 200 }),
      listener(ports.inspected, 'TCP', echo.attributes, { timeout_tcp_inspect: 5_000 }),
    ],
  });
  loadBalancerId = id;
  vip = (await service.api.active(id)).vip_address;
  listeners = Object.fromEntries((await service.api.list('listeners')).map((one) => [one.name, one.id]));
  pools = Object.fromEntries((await service.api.list('pools')).map((one) => [one.name, one.id]));
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  for (const one of [web, echo, silent, unreachable]) one[Symbol.dispose]();
});

const change = async (collection: string, id: string, attributes: Attributes) => {
  await service.api.update(collection, id, attributes);
  await service.api.active(loadBalancerId);
};
const changeListener = (port: number, attributes: Attributes) => change('listeners', listeners[port]!, attributes);
const answers = (from?: string) =>
  ask({ address: vip, port: ports.web, ...(from ? { from } : {}) }).then(
    ({ status }) => status,
    () => 'nothing',
  );
const operatingStatus = async (collection: string, id: string) =>
  (await service.api.show(collection, id)).operating_status;

test('allowed_cidrs let in the addresses they name, one or a hundred of them, and nobody else', async () => {
  await changeListener(ports.web, { allowed_cidrs: ['127.0.9.1/32', '127.0.8.0/24'] });
  expect([await answers('127.0.9.1'), await answers('127.0.8.200')]).toEqual([200, 200]);
  expect([await answers('127.0.9.2'), await answers('127.0.7.1')]).toEqual(['nothing', 'nothing']);
  const many = Array.from({ length: 100 }, (_, index) => `127.0.6.${index}/32`);
  await changeListener(ports.web, { allowed_cidrs: many });
  expect([await answers('127.0.6.1'), await answers('127.0.6.40'), await answers('127.0.6.99')]).toEqual([
    200, 200, 200,
  ]);
  expect([await answers('127.0.6.100'), await answers('127.0.9.1')]).toEqual(['nothing', 'nothing']);
  await changeListener(ports.web, { allowed_cidrs: null });
  expect(await answers('127.0.9.2')).toBe(200);
});

test('connection_limit: no more connections are served at a time, the next one waits, and the listener is DEGRADED meanwhile', async () => {
  await changeListener(ports.tcp, { connection_limit: 2 });
  const speak = async () => {
    const socket = await connected(vip, ports.tcp);
    let heard = '';
    socket.setEncoding('utf8').on('data', (data) => {
      heard += data;
    });
    socket.write('hello');
    return { socket, heard: () => heard };
  };
  const [one, two] = [await speak(), await speak()];
  await eventually('two are served', () => one.heard() === 'hello' && two.heard() === 'hello');
  const three = await speak();
  await eventually(
    'the listener is DEGRADED',
    async () => (await operatingStatus('listeners', listeners[ports.tcp]!)) === 'DEGRADED',
  );
  expect(await operatingStatus('loadbalancers', loadBalancerId)).toBe('DEGRADED');
  expect(three.heard()).toBe('');
  one.socket.destroy();
  await eventually('the third is served', () => three.heard() === 'hello');
  for (const { socket } of [two, three]) socket.destroy();
  await eventually(
    'the listener is ONLINE',
    async () => (await operatingStatus('listeners', listeners[ports.tcp]!)) === 'ONLINE',
  );
  await changeListener(ports.tcp, { connection_limit: -1 });
  const all = await Promise.all([speak(), speak(), speak()]);
  await eventually('all three are served', () => all.every(({ heard }) => heard() === 'hello'));
  for (const { socket } of all) socket.destroy();
});

/** Whether a connection is still open after a while. */
const staysOpen = async (socket: Socket, ms: number): Promise<boolean> => {
  const ended = Promise.race([once(socket, 'end'), once(socket, 'close')]).then(() => false);
  const stays = new Promise<boolean>((resolve) => setTimeout(() => resolve(true), ms));
  return Promise.race([ended, stays]);
};

test('timeout_client_data: a client that says nothing for so long is cut off, and not before', async () => {
  const { ms } = await exchange(vip, ports.impatientTcp, '', 'stays');
  expect(ms).toBeGreaterThan(650);
  const patient = await connected(vip, ports.tcp);
  expect(await staysOpen(patient, 2_000)).toBe(true);
  patient.destroy();
  await changeListener(ports.web, { timeout_client_data: 600 });
  const request = await exchange(vip, ports.web, 'GET / HTTP/1.1\r\nhost: half', 'stays');
  expect(request.text).toMatch(/^HTTP\/1.1 408 /);
  expect(request.ms).toBeGreaterThan(550);
});

test('timeout_member_data: a member that does not answer for so long costs the client a 504', async () => {
  const since = performance.now();
  expect((await ask({ address: vip, port: ports.silent })).status).toBe(504);
  expect(performance.now() - since).toBeGreaterThan(850);
  expect(silent.received.length).toBe(1);
  await changeListener(ports.silent, { timeout_member_data: 100 });
  const again = performance.now();
  expect((await ask({ address: vip, port: ports.silent })).status).toBe(504);
  expect(performance.now() - again).toBeGreaterThan(90);
});

test('timeout_member_connect: a member that takes no connection for so long is tried again, and then the client gets a 503', async () => {
  const since = performance.now();
  expect((await ask({ address: vip, port: ports.unreachable })).status).toBe(503);
  // Four tries.
  expect(performance.now() - since).toBeGreaterThan(4 * 200 - 50);
});

test('timeout_tcp_inspect: what is not looked into is not held back', async () => {
  const { text, ms } = await exchange(vip, ports.inspected, 'hello', 'half closes');
  expect(text).toBe('hello');
  expect(ms).toBeLessThan(4_500);
});

test('admin_state_up false of a member, pool, listener and load balancer ends service there and nowhere else', async () => {
  const [member] = await service.api.list(`pools/${pools[ports.web]}/members`);
  const other = async () =>
    exchange(vip, ports.tcp, 'on', 'half closes').then(
      ({ text }) => text,
      () => 'nothing',
    );
  const switched = async (collection: string, id: string) => {
    await change(collection, id, { admin_state_up: false });
    const seen = [await answers(), await other()];
    await eventually(`${collection} is OFFLINE`, async () => (await operatingStatus(collection, id)) === 'OFFLINE');
    await change(collection, id, { admin_state_up: true });
    await eventually(`${collection} serves again`, async () => (await answers()) === 200);
    return seen;
  };
  expect(await switched(`pools/${pools[ports.web]}/members`, member!.id)).toEqual([503, 'on']);
  expect(await switched('pools', pools[ports.web]!)).toEqual([503, 'on']);
  expect(await switched('listeners', listeners[ports.web]!)).toEqual(['nothing', 'on']);
  expect(await switched('loadbalancers', loadBalancerId)).toEqual(['nothing', 'nothing']);
});
