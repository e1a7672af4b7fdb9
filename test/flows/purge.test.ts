// Purges: what is old enough goes, so much at a time, and nothing else; whoever is cut short is made up for.
import { afterEach, describe, expect, it } from 'vitest';
import { queryAll } from '../../lambdas/drivers/table/table.ts';
import { housekeepingHandler } from '../../lambdas/housekeeping/handler.ts';
import { purgeDeleted, purgeEnded } from '../../lambdas/housekeeping/purge.ts';
import { claimKey } from '../../lambdas/repositories/idempotency.ts';
import { isRevoked, revoke } from '../../lambdas/repositories/tokens.ts';
import { RolloutWorld } from '../support/rollout-world.ts';

let world: RolloutWorld;
afterEach(() => world.close());

const none = { revocations: 0, idempotency_keys: 0, rollouts: 0 };
const dayMs = 86_400_000;
const partition = (id: string) => queryAll(world.outside.table, { pk: `LB#${id}` });

async function deleted(count: number): Promise<string[]> {
  world = await RolloutWorld.begin(count, { purges_per_round: 2 });
  for (const id of world.ids) await world.remove(id);
  await world.settle();
  return world.ids;
}

describe('a deleted load balancer', () => {
  it('is purged when it is old enough, so many in a round', async () => {
    const ids = await deleted(3);
    world.clock.turn(7 * dayMs - 60_000);
    expect(await purgeDeleted(world.services)).toBe(0);
    for (const id of ids) expect(await partition(id)).not.toEqual([]);
    world.clock.turn(120_000);
    expect([await purgeDeleted(world.services), await purgeDeleted(world.services)]).toEqual([2, 1]);
    for (const id of ids) expect(await partition(id)).toEqual([]);
    expect(await purgeDeleted(world.services)).toBe(0);
  });

  it('is purged by the next round when one is killed at any of its steps', async () => {
    for (let number = 1, isOver = false; !isOver; number++) {
      const [id] = await deleted(1);
      world.clock.turn(8 * dayMs);
      world.effects = 0;
      world.atEffect = { number, act: world.die };
      await purgeDeleted(world.services).catch(() => undefined);
      isOver = world.effects < number;
      await world.runOut();
      await purgeDeleted(world.services);
      expect([number, await partition(id!)]).toEqual([number, []]);
      if (!isOver) await world.close();
    }
  });
});

describe('what ends by itself', () => {
  it('goes when it has ended: revocations, keys of requests and roll-outs', async () => {
    world = await RolloutWorld.begin(0, { purges_per_round: 2 });
    const { services, clock } = world;
    for (const token of ['a', 'b', 'c']) await revoke(services, token, clock.now() + 3_600_000);
    for (const key of ['k', 'l']) await claimKey(services, key, 'fingerprint');
    await world.rounds(await world.startRollout());
    const running = await world.startRollout();
    await world.ask('PUT', `/${running}`, { status: 'PAUSED' });
    expect(await purgeEnded(services)).toEqual(none);
    clock.turn(3_600_001);
    expect(await purgeEnded(services)).toEqual({ ...none, revocations: 2 });
    expect(await purgeEnded(services)).toEqual({ ...none, revocations: 1 });
    expect(await isRevoked(services.table, 'c')).toBe(false);
    clock.turn(dayMs);
    expect(await purgeEnded(services)).toEqual({ ...none, idempotency_keys: 2 });
    clock.turn(30 * dayMs);
    expect(await purgeEnded(services)).toEqual({ ...none, rollouts: 1 });
    expect(await purgeEnded(services)).toEqual(none);
    expect((await world.ask('GET'))['rollouts'].map(({ id }: { id: string }) => id)).toEqual([running]);
  });
});

it('housekeeping reads no more of the table when there is nothing to do, however much there is', async () => {
  world = await RolloutWorld.begin(1);
  world.image = 'one';
  const calls = async () => {
    await housekeepingHandler(world.services)();
    let count = 0;
    const methods = ['table.get', 'table.query', 'table.queryIndex', 'table.transact'];
    const counting = methods.map((at) => world.on(at, 'before', () => void count++, Number.POSITIVE_INFINITY));
    await housekeepingHandler(world.services)();
    for (const fault of counting) fault.times = 0;
    return count;
  };
  const few = await calls();
  for (let made = 0; made < 5; made++) await world.remove(await world.createActive());
  await world.settle();
  for (let count = 0; count < 20; count++) await revoke(world.services, `token-${count}`, world.clock.now() + dayMs);
  expect(await calls()).toBe(few);
});
