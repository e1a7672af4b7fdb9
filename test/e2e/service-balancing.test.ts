// How a pool chooses its members, counted in requests: algorithms, weights, backups.
import type { Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ask } from '../support/asking.ts';
import { eventually } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import type { Attributes } from '../support/octavia-client.ts';
import { connected } from '../support/raw-client.ts';
import { echoes, RawMember } from '../support/raw-member.ts';
import { SessionMember } from '../support/session-member.ts';
import { createWeb, listenerPort, type WebLoadBalancer } from '../support/web-load-balancer.ts';

let service: LocalService;
let web: WebLoadBalancer;
const members: SessionMember[] = [];
const named = async (name: string): Promise<SessionMember> => {
  const member = await SessionMember.start(name);
  members.push(member);
  return member;
};

beforeAll(async () => {
  service = await LocalService.start();
  for (const name of ['one', 'two', 'three']) await named(name);
  web = await createWeb(service, members);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  for (const one of members) one[Symbol.dispose]();
});

/** The pool has these members, and no others. */
async function pool(algorithm: string, given: Attributes[]): Promise<void> {
  await service.api.update('pools', web.poolId, { lb_algorithm: algorithm });
  await service.api.replaceMembers(web.poolId, given);
  await service.api.active(web.id);
}
const member = (index: number, attributes: Attributes = {}) => ({ ...members[index]!.attributes, ...attributes });

/** Requests by the member that answered. */
async function counted(requests: number, from?: (index: number) => string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let index = 0; index < requests; index += 1) {
    const { status, text } = await ask({
      address: web.vip,
      port: listenerPort,
      ...(from ? { from: from(index) } : {}),
    });
    const name = status === 200 ? text : String(status);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

// Whoever was there before has left no trace in the counters.
beforeEach(() => pool('ROUND_ROBIN', []));

test('ROUND_ROBIN gives each member requests by its weight', async () => {
  await pool('ROUND_ROBIN', [member(0, { weight: 1 }), member(1, { weight: 2 }), member(2, { weight: 5 })]);
  const counts = await counted(80);
  // By one or two, where the rounds begin.
  const difference = ([name, expected]: [string, number]) => Math.abs((counts[name] ?? 0) - expected);
  expect(Math.max(...Object.entries({ one: 10, two: 20, three: 50 }).map(difference))).toBeLessThanOrEqual(2);
});

test('LEAST_CONNECTIONS sends a client where the fewest connections are', async () => {
  const raw = [await RawMember.start('a', echoes), await RawMember.start('b', echoes)];
  const listener = await service.api.create('listeners', {
    loadbalancer_id: web.id,
    protocol: 'TCP',
    protocol_port: 9001,
  });
  const { id } = await service.api.create('pools', {
    listener_id: listener.id,
    protocol: 'TCP',
    lb_algorithm: 'LEAST_CONNECTIONS',
  });
  for (const one of raw) await service.api.create(`pools/${id}/members`, one.attributes);
  await service.api.active(web.id);
  const clients: Socket[][] = [[], []];
  const connectOne = async () => {
    const before = raw.map(({ connections }) => connections);
    const socket = await connected(web.vip, 9001);
    const at = await eventually('a member has it', () => {
      const found = raw.findIndex(({ connections }, index) => connections > before[index]!);
      return found === -1 ? undefined : { index: found };
    });
    clients[at.index]!.push(socket);
  };
  for (let count = 0; count < 10; count += 1) await connectOne();
  expect(clients.map(({ length }) => length)).toEqual([5, 5]);
  for (const socket of clients[0]!.splice(0)) socket.destroy();
  await eventually('they are closed', () => raw[0]!.connections === 0);
  for (let count = 0; count < 5; count += 1) await connectOne();
  expect(clients.map(({ length }) => length)).toEqual([5, 5]);
  for (const socket of clients.flat()) socket.destroy();
  for (const one of raw) one[Symbol.dispose]();
});

test('SOURCE_IP sends each client address to one member, also after a reload and on another amphora, and only those of a member that leaves elsewhere', async () => {
  await pool('SOURCE_IP', [member(2), member(0)]);
  await pool('SOURCE_IP', [member(0), member(1), member(2)]);
  const addresses = Array.from({ length: 60 }, (_, index) => `127.${index + 1}.5.7`);
  const chosen = async () => {
    const found: Record<string, string> = {};
    for (const address of addresses) {
      const names = Object.keys(await counted(2, () => address));
      expect(names).toHaveLength(1);
      found[address] = names[0]!;
    }
    return found;
  };
  const before = await chosen();
  expect(new Set(Object.values(before)).size).toBe(3);
  await service.api.update('listeners', web.listenerId, { timeout_client_data: 44_000 });
  await service.api.active(web.id);
  expect(await chosen()).toEqual(before);
  await service.spare();
  await service.api.failover(web.id);
  await service.api.active(web.id);
  await eventually('the VIP serves', () => counted(1));
  expect(await chosen()).toEqual(before);
  await service.api.replaceMembers(web.poolId, [member(0), member(1)]);
  await service.api.active(web.id);
  const after = await chosen();
  const moved = addresses.filter((address) => after[address] !== before[address]);
  expect(new Set(moved.map((address) => before[address]))).toEqual(new Set(['three']));
});

test('a member of weight 0 gets nothing, and 503 is the answer when all have weight 0', async () => {
  await pool('ROUND_ROBIN', [member(0, { weight: 0 }), member(1)]);
  expect(await counted(10)).toEqual({ two: 10 });
  await pool('ROUND_ROBIN', [member(0, { weight: 0 })]);
  expect(await counted(3)).toEqual({ '503': 3 });
});

test('backup members serve only while all others are down, then all of them', async () => {
  const monitor = { pool_id: web.poolId, type: 'TCP', delay: 1, timeout: 1, max_retries: 1, max_retries_down: 1 };
  const { id } = await service.api.create('healthmonitors', monitor);
  const primary = await named('primary');
  const other = await named('other');
  await pool('ROUND_ROBIN', [
    primary.attributes,
    other.attributes,
    member(0, { backup: true }),
    member(1, { backup: true }),
  ]);
  expect(await counted(10)).toEqual({ primary: 5, other: 5 });
  primary[Symbol.dispose]();
  await eventually('one of two is down', async () => (await counted(6))['other'] === 6);
  other[Symbol.dispose]();
  await eventually('the backups serve', async () => (await counted(6))['one'] === 3);
  expect(await counted(10)).toEqual({ one: 5, two: 5 });
  await service.api.delete('healthmonitors', id);
});
