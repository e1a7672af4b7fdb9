// Traffic through a VIP of the running service while members come, go, drain and change: no request is lost, HAProxy is never reloaded.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, median, report, timed } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import { answersFrom, Load, request, TestMember } from '../support/traffic.ts';
import { createWeb, listenerPort, type WebLoadBalancer } from '../support/web-load-balancer.ts';

let service: LocalService;
const members: TestMember[] = [];
const member = async (name: string): Promise<TestMember> => {
  const started = await TestMember.start(name);
  members.push(started);
  return started;
};
beforeAll(async () => {
  // No spares to begin with: the first load balancer has to be built.
  service = await LocalService.start({ args: ['--spare-amphorae', '0'] });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  for (const one of members) one[Symbol.dispose]();
});

let web: WebLoadBalancer;

async function createAndServe(what: string, pair: TestMember[]): Promise<WebLoadBalancer> {
  const since = performance.now();
  const created = await createWeb(service, pair);
  report(`create -> ACTIVE, ${what}`, performance.now() - since);
  // ACTIVE is a promise: it serves.
  await request(created.vip, listenerPort);
  report(`create -> served, ${what}`, performance.now() - since);
  expect(await answersFrom(created.vip, listenerPort, 10)).toEqual(new Set(pair.map(({ name }) => name)));
  return created;
}

test('builds a load balancer with everything below it, which serves from all its members as soon as it is ACTIVE', async () => {
  web = await createAndServe('without a spare', [await member('one'), await member('two')]);
});

test('takes a spare when there is one', async () => {
  await service.interrupt();
  await service.restart(['--spare-amphorae', '1']);
  await service.api.active(web.id);
  const spare = await service.spare();
  const taken = await createAndServe('with a spare', [members[0]!, members[1]!]);
  expect((await service.amphora(taken.id)).id).toBe(spare);
  expect(await service.spare()).not.toBe(spare);
});

/** Runs changes under load. Not one request may fail, and the workers of HAProxy stay who they are. */
async function underLoad(changes: () => Promise<void>): Promise<void> {
  await eventually('the load balancer serves', () => request(web.vip, listenerPort));
  const before = await service.workers(web.id);
  const load = new Load(web.vip, listenerPort);
  try {
    await changes();
  } finally {
    const { failures, closedIdle, requests } = await load.stop();
    expect({ failures, closedIdle }).toEqual({ failures: [], closedIdle: 0 });
    expect(requests).toBeGreaterThan(20);
  }
  expect(await service.workers(web.id)).toEqual(before);
}

const collection = () => `pools/${web.poolId}/members`;
const served = (one: TestMember): Promise<boolean> => {
  const before = one.requests;
  return eventually(`${one.name} is served`, () => one.requests > before);
};

/** Nothing more reaches it, however many ask. */
async function isPassedOver(one: TestMember, others: TestMember[]): Promise<void> {
  await service.api.active(web.id);
  const before = one.requests;
  expect(await answersFrom(web.vip, listenerPort, 12)).toEqual(new Set(others.map(({ name }) => name)));
  // Requests already on their way may have arrived.
  expect(one.requests - before).toBeLessThanOrEqual(4);
}

test('serves a member that is added, drained, enabled, disabled and deleted, without a reload or a failed request', async () => {
  const [one, two] = members as [TestMember, TestMember];
  const three = await member('three');
  await underLoad(async () => {
    const { id } = await service.api.create(collection(), three.attributes);
    await served(three);
    await service.api.becomes(collection(), id, 'ACTIVE');

    await service.api.update(collection(), id, { weight: 0 });
    await isPassedOver(three, [one, two]);
    await service.api.update(collection(), id, { weight: 5 });
    await served(three);
    await service.api.update(collection(), id, { admin_state_up: false });
    await isPassedOver(three, [one, two]);
    await service.api.update(collection(), id, { admin_state_up: true });
    await served(three);
    await service.api.delete(collection(), id);
    await service.api.gone(collection(), id);
    await isPassedOver(three, [one, two]);
  });
});

test('shares traffic by weight', async () => {
  const listed = await service.api.list(collection());
  const heavy = listed.find(({ name }) => name === 'one')!;
  await service.api.update(collection(), heavy.id, { weight: 4 });
  await service.api.active(web.id);
  // HAProxy finishes the round it is in, of up to the sum of the weights that were, by the places it had dealt out.
  for (let sent = 0; sent < 100; sent++) await request(web.vip, listenerPort);
  const before = members.map(({ requests }) => requests);
  for (let sent = 0; sent < 50; sent++) await request(web.vip, listenerPort);
  expect(members.slice(0, 2).map(({ requests }, index) => requests - before[index]!)).toEqual([40, 10]);
  await service.api.update(collection(), heavy.id, { weight: 1 });
  await service.api.active(web.id);
});

test('adds and removes members twenty times in a row without a reload or a failed request', async () => {
  const guests = await Promise.all(Array.from({ length: 5 }, (_, index) => member(`guest ${index}`)));
  const accepted: number[] = [];
  const live: number[] = [];
  await underLoad(async () => {
    for (let round = 0; round < 20; round++) {
      const guest = guests[round % guests.length]!;
      const since = performance.now();
      const { id } = await service.api.create(collection(), guest.attributes);
      accepted.push(performance.now() - since);
      await served(guest);
      live.push(performance.now() - since);
      await service.api.delete(collection(), id);
      await service.api.gone(collection(), id);
    }
  });
  report('member added: accepted, p50', median(accepted));
  report('member added: served, p50', median(live));
});

test('accepts a burst of members at once, and all are served', async () => {
  const guests = members.filter(({ name }) => name.startsWith('guest'));
  await underLoad(async () => {
    const ms = await timed(async () => {
      const added = guests.map((guest) => service.api.create(collection(), guest.attributes));
      await Promise.all([...added, ...guests.map(served)]);
    });
    report(`${guests.length} members added at once, all served`, ms);
    await service.api.replaceMembers(
      web.poolId,
      members.slice(0, 2).map((one) => one.attributes),
    );
    await service.api.active(web.id);
  });
  expect(await service.api.list(collection())).toHaveLength(2);
});

test('adds, moves and removes a listener without a failed request of the others', async () => {
  await eventually('the load balancer serves', () => request(web.vip, listenerPort));
  const load = new Load(web.vip, listenerPort);
  const listener = await service.api.create('listeners', {
    loadbalancer_id: web.id,
    protocol: 'HTTP',
    protocol_port: 8081,
    default_pool_id: web.poolId,
  });
  await service.api.becomes('listeners', listener.id, 'ACTIVE');
  expect(await answersFrom(web.vip, 8081, 4)).toEqual(new Set(['one', 'two']));
  await service.api.delete('listeners', listener.id);
  await service.api.gone('listeners', listener.id);
  await expect(request(web.vip, 8081)).rejects.toThrow(/ECONNREFUSED|ECONNRESET/);
  const { failures, closedIdle } = await load.stop();
  expect(failures).toEqual([]);
  process.stdout.write(`  connections kept by clients that two reloads closed: ${closedIdle}\n`);
});
