// An execution that lost its load balancer to a later one and comes back: whatever it does then has no effect.
import { describe, expect, it } from 'vitest';
import { begin, type Scenario, scenarios, statesOf } from '../support/flow-scenarios.ts';
import { unsoundness } from '../support/flow-soundness.ts';
import { isChild, lastCaught, type TaskState } from '../support/flow-states.ts';
import { type Fault, FlowWorld } from '../support/flow-world.ts';

const isActive = (world: FlowWorld) => async () =>
  (await world.loadBalancers()).every((row) => row.provisioning_status === 'ACTIVE');

/** The lease and the deadline of the first execution pass; the reconciler sets a second one going. */
async function overtake(world: FlowWorld): Promise<void> {
  world.clock.turn(world.services.config.flow_timeout_ms + 1);
  await world.housekeeping();
  await world.runUntil(isActive(world));
}

async function late(scenario: Scenario, state: TaskState, moment: Fault['moment']): Promise<string[]> {
  const { world, id } = await begin(scenario);
  try {
    const held = world.hold(state.at, moment);
    if (state.isRevert)
      world.on(lastCaught(state.flow).at, 'before', () => {
        throw new Error('so that it is reverted');
      });
    await scenario.go(world, id);
    await held.reached();
    await overtake(world);
    const before = JSON.stringify(await world.loadBalancers());

    held.letGo();
    await world.runOut();
    const after = JSON.stringify(await world.loadBalancers());
    await world.age();
    return [...(after === before ? [] : [`${before} became ${after}`]), ...(await unsoundness(world))];
  } finally {
    await world.close();
  }
}

const overtaken = scenarios.filter(({ name }) => ['create', 'failover', 'failover of a pair'].includes(name));

describe.each(overtaken)('a late execution of $name', (scenario) => {
  it.each(['before', 'after'] as const)('has no effect wherever it was held %s its task', async (moment) => {
    const bad: string[] = [];
    for (const state of (await statesOf(scenario)).filter((one) => !isChild(one))) {
      // FailOperation ends the operation itself: a second execution never comes.
      if (moment === 'after' && ['ActivateLoadBalancer', 'FailOperation'].includes(state.name)) continue;
      const wrong = await late(scenario, state, moment).catch((error) => [String(error)]);
      if (wrong.length > 0) bad.push(`${state.at}: ${wrong.join('; ')}`);
    }
    expect(bad).toEqual([]);
  });
});

it('leaves the VIP where a higher epoch took it, when the call of a lower one arrives late', async () => {
  const world = new FlowWorld();
  const held = world.hold('network.takeVip');
  const id = await world.create();
  await held.reached();
  await overtake(world);
  const row = await world.loadBalancer(id);
  expect(row.vip_epoch).toBe(2);
  held.letGo();
  await world.runOut();
  expect(await world.outside.network.vipOwner(id, row)).toBe(row.amphora_ids[0]);
  expect(await world.loadBalancer(id)).toEqual(row);
  await world.close();
});
