// What load balancers have carried, told once in an interval: cumulative, cheap, and under an id by which a repetition is known.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { tellUsage } from '../../lambdas/housekeeping/usage.ts';
import { healthKey } from '../../lambdas/repositories/keys.ts';
import { FlowWorld } from '../support/flow-world.ts';
import { over } from '../support/over.ts';

const hour = 3_600_000;
let world: FlowWorld;
beforeEach(() => {
  world = new FlowWorld();
});
afterEach(() => world.close());

const told = () => world.outside.events.published.filter(({ type }) => type === 'usage');

async function carries(id: string, bytes: number): Promise<string> {
  const { amphora_ids, listener_ids } = await world.loadBalancer(id);
  const listener = listener_ids[0]!;
  const add = { [`bytes_in#${listener}`]: bytes, [`total_connections#${listener}`]: 1 };
  await world.outside.table.transact([{ kind: 'update', key: healthKey(amphora_ids[0]!), add }]);
  return listener;
}

it('is the sum since the beginning, by listener too, once an hour', async () => {
  const id = await world.createActive();
  const listener = await carries(id, 100);
  expect(await tellUsage(world.outside)).toBe(1);
  expect(await tellUsage(world.outside)).toBe(0);
  await carries(id, 50);
  world.clock.turn(hour);
  expect(await tellUsage(world.outside)).toBe(1);
  expect(told().map(({ detail }) => [detail['bytes_in'], detail['total_connections']])).toEqual([
    [100, 1],
    [150, 2],
  ]);
  expect(told()[1]).toMatchObject({ resource_id: id, detail: { listeners: { [listener]: { bytes_in: 150 } } } });
  expect(new Set(told().map(({ id: eventId }) => eventId)).size).toBe(2);
});

it('is told again under the same id by a round that died before it noted so, or met a bus that was away', async () => {
  await world.createActive();
  const { events, table } = world.outside;
  const dying = over(table, { transact: () => Promise.reject(new Error('killed')) });
  await expect(tellUsage({ ...world.outside, table: dying })).rejects.toThrow('killed');
  const away = over(events, { deliver: () => Promise.reject(new Error('away')) });
  await expect(tellUsage({ ...world.outside, events: away })).rejects.toThrow('away');
  expect(await tellUsage(world.outside)).toBe(1);
  expect(told()).toHaveLength(2);
  expect(told()[1]!.id).toBe(told()[0]!.id);
});

it('of more load balancers than a round tells is told by the next rounds, each once', async () => {
  const ids = [await world.createActive(), await world.createActive(), await world.createActive()];
  const { table } = world.outside;
  // Pages as small as a deployment of thousands has them.
  const queryIndex = (query: Parameters<typeof table.queryIndex>[0]) => table.queryIndex({ ...query, limit: 2 });
  const paged = { ...world.outside, table: over(table, { queryIndex }) };
  const counts = [await tellUsage(paged), await tellUsage(paged), await tellUsage(paged)];
  expect(counts).toEqual([2, 1, 0]);
  expect(
    told()
      .map(({ resource_id }) => resource_id)
      .toSorted(),
  ).toEqual(ids.toSorted());
});

it('without anything to tell costs one read', async () => {
  await world.createActive();
  await tellUsage(world.outside);
  const { table } = world.outside;
  const calls: string[] = [];
  const watched = new Proxy(table, {
    get: (target, name) => {
      const value = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]) => {
        calls.push(String(name));
        return value.apply(target, given);
      };
    },
  });
  await tellUsage({ ...world.outside, table: watched });
  expect(calls).toEqual(['get']);
});
