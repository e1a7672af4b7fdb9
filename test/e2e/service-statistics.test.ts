// Statistics of real traffic on one machine: exact, and never going back, whatever happens to what counts. What a process that
// is killed counted since the last look, a quarter of a second at most, and what an amphora counted since its last heartbeat, is
// lost with it: so these tests kill when all was counted.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { queryAll } from '../../lambdas/drivers/table/table.ts';
import { eventually } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import { sendSignal } from '../support/processes.ts';
import { StatisticsWatch, statsOf } from '../support/statistics-watch.ts';
import { answersFrom, Load, request, TestMember } from '../support/traffic.ts';
import { createWeb, listenerPort, type WebLoadBalancer } from '../support/web-load-balancer.ts';

let service: LocalService;
let members: [TestMember, TestMember];
let ids: [string, string];
let web: WebLoadBalancer;
let watch: StatisticsWatch;
let sent = 0;

beforeAll(async () => {
  service = await LocalService.start();
  members = [await TestMember.start('one'), await TestMember.start('two')];
  web = await createWeb(service, members);
  const shown = await service.api.list(`pools/${web.poolId}/members`);
  ids = ['one', 'two'].map((name) => shown.find((each) => each.name === name)!.id) as [string, string];
  const paths = [`loadbalancers/${web.id}`, `listeners/${web.listenerId}`, ...ids.map(memberPath)];
  watch = new StatisticsWatch(service.api, paths);
});
afterAll(async () => {
  await watch.stop();
  await service[Symbol.asyncDispose]();
  for (const member of members) member[Symbol.dispose]();
});

const memberPath = (id: string) => `pools/${web.poolId}/members/${id}`;

async function send(count: number): Promise<void> {
  await answersFrom(web.vip, listenerPort, count);
  sent += count;
}

/** Each connection was counted by the listener once, and each request by the member that answered it. */
async function countsAgree(): Promise<void> {
  const truth = { listener: sent, one: members[0].requests, two: members[1].requests };
  let told: typeof truth | undefined;
  const look = async () => {
    const [listener, one, two] = await Promise.all(
      [`listeners/${web.listenerId}`, ...ids.map(memberPath)].map(
        async (path) => (await statsOf(service.api, path)).total_connections,
      ),
    );
    told = { listener: listener!, one: one!, two: two! };
    return JSON.stringify(told) === JSON.stringify(truth);
  };
  await eventually('the counts agree', look, 20_000).catch((cause) => {
    throw new Error(`told ${JSON.stringify(told)}, sent ${JSON.stringify(truth)}`, { cause });
  });
}

test('count each request once, by listener and by member', async () => {
  await send(41);
  await countsAgree();
  const [one, two] = await Promise.all(ids.map((id) => statsOf(service.api, memberPath(id))));
  const listener = await statsOf(service.api, `listeners/${web.listenerId}`);
  expect(one!.bytes_in + two!.bytes_in).toBeGreaterThan(41 * 'GET / HTTP/1.1'.length);
  expect(one!.bytes_out + two!.bytes_out).toBe(listener.bytes_out);
  expect(await statsOf(service.api, `loadbalancers/${web.id}`)).toEqual(listener);
});

test('count what the old worker still answers over reloads, down to the last request', async () => {
  const load = new Load(web.vip, listenerPort);
  for (let round = 1; round <= 4; round++) {
    await sleep(200);
    await service.api.update('listeners', web.listenerId, { timeout_client_data: 40_000 + round });
    await service.api.active(web.id);
  }
  const { failures } = await load.stop();
  expect(failures).toEqual([]);
  // Connections that are kept for several requests count once at the listener, each request at the member.
  const truth = [members[0].requests, members[1].requests];
  await eventually('members are counted', async () => {
    const told = await Promise.all(
      ids.map(async (id) => (await statsOf(service.api, memberPath(id))).total_connections),
    );
    return JSON.stringify(told) === JSON.stringify(truth);
  });
  const ofListener = () => statsOf(service.api, `listeners/${web.listenerId}`);
  await eventually('the listener has given to clients what it had from members', async () => {
    const [one, two] = await Promise.all(ids.map((id) => statsOf(service.api, memberPath(id))));
    return one!.bytes_out + two!.bytes_out === (await ofListener()).bytes_out;
  });
  await eventually('old workers have ended', async () => (await service.workers(web.id)).length === 1);
  const { total_connections } = await ofListener();
  expect(total_connections).toBeGreaterThan(sent);
  sent = total_connections;
});

test('go on where a member is taken out and put back, by the Runtime API or with its pool', async () => {
  await service.api.update(`pools/${web.poolId}/members`, ids[0], { admin_state_up: false });
  await service.api.active(web.id);
  await send(5);
  await service.api.update(`pools/${web.poolId}/members`, ids[0], { admin_state_up: true });
  await service.api.active(web.id);
  await send(10);
  await service.api.update('pools', web.poolId, { admin_state_up: false });
  await service.api.active(web.id);
  await expect(request(web.vip, listenerPort)).rejects.toThrow('503');
  sent++;
  await service.api.update('pools', web.poolId, { admin_state_up: true });
  await service.api.active(web.id);
  await send(10);
  await countsAgree();
});

test('go on after HAProxy was killed', async () => {
  const before = await service.amphora(web.id);
  sendSignal(before.haproxy, 'SIGKILL');
  await eventually('another HAProxy runs', () => service.amphorae(web.id)[0]?.haproxy !== before.haproxy);
  await eventually('it serves', () => request(web.vip, listenerPort));
  sent++;
  await send(10);
  await countsAgree();
});

test('go on over a failover, and one after the agent was killed', async () => {
  await service.api.failover(web.id);
  await service.api.active(web.id);
  await send(10);
  await countsAgree();
  const { agent, id } = await service.amphora(web.id);
  sendSignal(agent, 'SIGKILL');
  await eventually('another amphora serves', async () => (await service.amphora(web.id)).id !== id);
  await service.api.active(web.id);
  await send(10);
  await countsAgree();
});

/** Ids of members that anything was written down of. */
async function remembered(): Promise<string[]> {
  const table = new SqliteTable({ path: `${service.state}/table.sqlite` });
  try {
    const pages = await queryAll(table, { pk: `STATISTICS#${web.id}`, prefix: 'MEMBERS#' });
    return [...new Set(pages.flatMap(({ members: counts }) => Object.keys(counts as object)))].sort();
  } finally {
    await table.close();
  }
}

test('of a member that was deleted are gone, and a new one at its address begins anew', async () => {
  const third = { name: 'third', address: '127.0.0.9', protocol_port: members[0].protocol_port };
  using more = await TestMember.start('third', '127.0.0.9');
  const path = `pools/${web.poolId}/members`;
  const { id } = await service.api.create(path, { ...third, protocol_port: more.protocol_port });
  await service.api.active(web.id);
  await send(9);
  await eventually('it is counted', async () => {
    const { total_connections } = await statsOf(service.api, memberPath(id));
    return total_connections === more.requests && total_connections > 0;
  });
  expect(await remembered()).toContain(id);
  await service.api.delete(path, id);
  await service.api.gone(path, id);
  await expect(statsOf(service.api, memberPath(id))).rejects.toThrow('404');
  const again = await service.api.create(path, { ...third, protocol_port: more.protocol_port });
  await service.api.active(web.id);
  expect((await statsOf(service.api, memberPath(again.id))).total_connections).toBe(0);
  await service.api.delete(path, again.id);
  await service.api.gone(path, again.id);
  await send(2);
  await eventually('it is forgotten', async () => !(await remembered()).includes(id));
  await countsAgree();
});

test('never went back meanwhile', async () => {
  await watch.stop();
  expect(watch.looks).toBeGreaterThan(100);
  expect(watch.setbacks).toEqual([]);
});
