// Members that change all the time, through the whole service, under connections that last: nothing is reset, refused or reloaded, and
// HAProxy's memory, its file and the table agree in the end. `npm run bench churn` does ten times as much.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MemberChurn } from '../support/churn.ts';
import { eventually } from '../support/eventually.ts';
import { HaproxyState } from '../support/haproxy-state.ts';
import { LocalService } from '../support/local-service.ts';
import { sendSignal } from '../support/processes.ts';
import { seeded } from '../support/random.ts';
import { Load, request, TestMember } from '../support/traffic.ts';
import { Tunnel, TunnelLoad } from '../support/tunnels.ts';
import { createWeb, listenerPort, type WebLoadBalancer } from '../support/web-load-balancer.ts';

const changes = 1_000;

let service: LocalService;
let web: WebLoadBalancer;
let haproxy: HaproxyState;
let churn: MemberChurn;
/** Two of the members always are there. */
let one: TestMember;
let two: TestMember;
/** On every loopback address. */
let passing: TestMember;

beforeAll(async () => {
  [one, two, passing] = await Promise.all([
    TestMember.start('one'),
    TestMember.start('two'),
    TestMember.start('passing', '0.0.0.0'),
  ]);
  // Old processes may linger for two seconds.
  service = await LocalService.start({ args: ['--spare-amphorae', '0', '--hard-stop-after-ms', '2000'] });
  web = await createWeb(service, [one, two]);
  const monitor = { pool_id: web.poolId, type: 'HTTP', delay: 1, timeout: 1, max_retries: 1 };
  await service.api.create('healthmonitors', monitor);
  await service.api.active(web.id);
  haproxy = new HaproxyState(service, web.id);
  const staying = [one, two].map(({ address, protocol_port }) => ({
    address,
    protocol_port,
    weight: 1,
    admin_state_up: true,
  }));
  const pool = { id: web.poolId, loadBalancerId: web.id, staying, memberPort: passing.protocol_port };
  churn = new MemberChurn(service.api, pool, seeded(7));
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  for (const member of [one, two, passing]) member[Symbol.dispose]();
});

/** Departed members are deleted after their last connection, which HAProxy keeps idle for seconds. */
async function expectAgreement(): Promise<void> {
  const expected = new Map([...(await churn.expected())].sort(([a], [b]) => (a < b ? -1 : 1)));
  expect(await haproxy.serversOfFile()).toEqual(expected);
  await eventually('HAProxy has no server too many', async () => (await haproxy.servers()).size === expected.size);
  expect(await haproxy.servers()).toEqual(expected);
}

test('a thousand changes of members reset nothing, fail nothing and reload nothing, and are all there in the end', async () => {
  const before = await haproxy.processes();
  // Tunnels first, while only those members are there that stay.
  const tunnels = await TunnelLoad.open(web.vip, listenerPort, 6);
  const load = new Load(web.vip, listenerPort);
  while (churn.changes < changes) await churn.round();
  const { failures, closedIdle, requests } = await load.stop();
  const { said, ...talk } = await tunnels.stop();
  expect({ failures, closedIdle, talk }).toEqual({ failures: [], closedIdle: 0, talk: { failures: [] } });
  expect(Math.min(requests, said)).toBeGreaterThan(100);
  expect(await haproxy.processes()).toEqual(before);
  await expectAgreement();
  process.stdout.write(`  ${churn.changes} changes by ${churn.calls} calls, ${requests} requests, ${said} words\n`);
}, 240_000);

test('a HAProxy killed after that comes back with every one of them', async () => {
  const { master } = await haproxy.processes();
  sendSignal(master, 'SIGKILL');
  await eventually('HAProxy serves again', async () => {
    const now = await haproxy.processes();
    return now.master !== master && (await request(web.vip, listenerPort));
  });
  await expectAgreement();
});

test('replacing every member of a pool by one call leaves nobody without an answer', async () => {
  // First those that stay alone, so that the next call leaves none of them.
  await service.api.replaceMembers(web.poolId, [one.attributes, two.attributes]);
  await service.api.active(web.id);
  const before = await haproxy.processes();
  const load = new Load(web.vip, listenerPort);
  const addresses = (block: number) => Array.from({ length: 150 }, (_, index) => `127.${block}.0.${index + 1}`);
  const crowd = (block: number) =>
    addresses(block).map((address) => ({ address, protocol_port: passing.protocol_port }));
  for (const members of [crowd(60), crowd(61), [one.attributes, two.attributes]]) {
    await service.api.replaceMembers(web.poolId, members);
    await service.api.active(web.id);
  }
  const { failures, closedIdle } = await load.stop();
  expect({ failures, closedIdle }).toEqual({ failures: [], closedIdle: 0 });
  // A process of before the monitor may end meanwhile.
  const { worker, reloads } = await haproxy.processes();
  expect({ worker, reloads }).toEqual({ worker: before.worker, reloads: before.reloads });
}, 120_000);

test('a member that leaves keeps its WebSocket until that ends, and is deleted then', async () => {
  const guest = await TestMember.start('guest');
  try {
    const { id } = await service.api.create(`pools/${web.poolId}/members`, { ...guest.attributes, weight: 256 });
    await service.api.active(web.id);
    const before = await haproxy.processes();
    const tunnel = await eventually('a WebSocket to the guest', async () => {
      const opened = await Tunnel.open(web.vip, listenerPort);
      if (opened.member === 'guest') return opened;
      opened[Symbol.dispose]();
      return undefined;
    });
    await service.api.delete(`pools/${web.poolId}/members`, id);
    await service.api.gone(`pools/${web.poolId}/members`, id);
    const reached = guest.requests;
    for (let sent = 0; sent < 20; sent++)
      await tunnel.say(`and ${await request(web.vip, listenerPort)} answers others`);
    expect(guest.requests).toBe(reached);
    expect((await haproxy.servers()).get(id)?.admin_state_up).toBe(false);
    tunnel[Symbol.dispose]();
    await eventually('the server is deleted', async () => !(await haproxy.servers()).has(id));
    expect(await haproxy.processes()).toEqual(before);
  } finally {
    guest[Symbol.dispose]();
  }
});

test('a reload for a listener fails no request, lets a WebSocket finish, and ends the old process in time', async () => {
  const before = await haproxy.processes();
  const tunnel = await Tunnel.open(web.vip, listenerPort);
  const load = new Load(web.vip, listenerPort);
  const listener = { loadbalancer_id: web.id, protocol: 'HTTP', protocol_port: 8_090, default_pool_id: web.poolId };
  await service.api.create('listeners', listener);
  await service.api.active(web.id);
  await tunnel.say('the old process is still there');
  const after = await haproxy.processes();
  expect(after).toMatchObject({ master: before.master, reloads: before.reloads + 1, oldWorkers: [before.worker] });
  await request(web.vip, 8_090);
  await eventually('the old process ended', async () => (await haproxy.processes()).oldWorkers.length === 0);
  await eventually('the WebSocket with it', () => !tunnel.isOpen);
  expect((await load.stop()).failures).toEqual([]);
});
