// Whoever dies during a roll-out, and whatever fails: it ends with all on the new image or halts with a reason, and nobody ever has
// fewer amphorae that serve than before.
import { expect, it } from 'vitest';
import { rollOut } from '../../lambdas/housekeeping/rollout.ts';
import { unsoundness } from '../support/flow-soundness.ts';
import { seeded } from '../support/random.ts';
import { RolloutWorld } from '../support/rollout-world.ts';

const topologies = { SINGLE: 1, ACTIVE_STANDBY: 2 } as const;
type Topology = keyof typeof topologies;

async function isAllNew(world: RolloutWorld): Promise<boolean> {
  return (await world.images()).every((image) => image === 'two');
}

it.each(['SINGLE', 'ACTIVE_STANDBY'] as Topology[])(
  'ends well for %s when it is killed at any of its steps',
  async (topology) => {
    let number = 0;
    for (let isOver = false; !isOver; ) {
      // Every third: the steps between are others of the same flows.
      number += topology === 'SINGLE' ? 1 : 3;
      const world = await RolloutWorld.begin(2, { topology, rollout_canary: 1 });
      world.watchServing(topologies[topology]);
      const id = await world.startRollout();
      world.effects = 0;
      world.atEffect = { number, act: world.die };
      const { status, load_balancers } = await world.rounds(id);
      isOver = world.effects < number;
      expect([number, status, load_balancers.done]).toEqual([number, 'COMPLETED', 2]);
      expect([number, await isAllNew(world), world.shortages]).toEqual([number, true, []]);
      await world.age();
      expect([number, await unsoundness(world)]).toEqual([number, []]);
      await world.close();
    }
    expect(number).toBeGreaterThan(60);
  },
);

/** Several lives, each of which ends anywhere; and calls of drivers that fail, for a while or for good. */
async function unhappy(seed: number) {
  const chance = seeded(seed);
  const some = <T>(all: readonly T[]): T => all[Math.floor(chance() * all.length)]!;
  const topology = some(['SINGLE', 'ACTIVE_STANDBY'] as const);
  const spare_amphorae = some([0, 1]);
  const world = await RolloutWorld.begin(3, { topology, spare_amphorae, rollout_wave: some([1, 2, 0.5]) });
  world.watchServing(topologies[topology]);
  const id = await world.startRollout();
  let lives = 6;
  const next = () => ({
    number: world.effects + 1 + Math.floor(chance() * 120),
    act: () => {
      if (--lives > 0) world.atEffect = next();
      world.die();
    },
  });
  world.atEffect = next();
  if (chance() < 0.5) {
    const at = some(['compute.build', 'network.takeVip', 'amphora.pushConfiguration', 'compute.delete'] as const);
    const fails = () => {
      throw new Error('as tested');
    };
    world.on(at, 'before', fails, some([1, 7, Number.POSITIVE_INFINITY]));
  }
  const ended = await world.rounds(id, 120);
  return { world, ended };
}

it.each(Array.from({ length: 25 }, (_, index) => index + 1))(
  'ends new or halted with a reason, seed %i',
  async (seed) => {
    const { world, ended } = await unhappy(seed);
    const { status, reason } = ended;
    if (status === 'COMPLETED') expect(await isAllNew(world)).toBe(true);
    else expect([status, reason]).toEqual(['HALTED', expect.stringMatching(/.{20}/)]);
    expect(world.shortages).toEqual([]);
    world.faults.length = 0;
    world.atEffect = undefined;
    if (status === 'HALTED') {
      await world.ask('POST', '', {});
      expect(await world.rounds(ended['id'], 120)).toMatchObject({ status: 'COMPLETED' });
    }
    await world.age();
    expect(await isAllNew(world)).toBe(true);
    expect(await unsoundness(world)).toEqual([]);
    await world.close();
  },
);

it('does nothing twice when several rounds run at once', async () => {
  const world = await RolloutWorld.begin(4, { rollout_canary: 2 });
  const id = await world.startRollout();
  for (let count = 0; count < 60 && (await world.rollout(id))['status'] === 'RUNNING'; count++) {
    await Promise.all([1, 2, 3].map(() => rollOut(world.services)));
    await world.settle();
    world.clock.turn(30_000);
  }
  expect(await world.rollout(id)).toMatchObject({ status: 'COMPLETED', load_balancers: { done: 4 } });
  expect(world.journal.filter((call) => call === 'compute.build')).toHaveLength(4);
  expect(await unsoundness(world)).toEqual([]);
  await world.close();
});
