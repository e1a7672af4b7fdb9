// Every task of every flow, failed in each way there is: the world is sound afterwards, and what can be done is done.
import { describe, expect, it } from 'vitest';
import { DriverError } from '../../lambdas/domain/errors.ts';
import { begin, outcome, type Scenario, scenarios, statesOf, subjects } from '../support/flow-scenarios.ts';
import { unsoundness } from '../support/flow-soundness.ts';
import { isChild, lastCaught, type TaskState, taskStates } from '../support/flow-states.ts';
import type { FlowWorld } from '../support/flow-world.ts';

class Broken extends Error {
  override readonly name = 'Broken';
}
const fails = (error: Error) => () => {
  throw error;
};

/** Ways a task may fail: how it is made to, and whether what was asked for is done nevertheless. */
const faults: Record<string, { isPassing: boolean; inject(world: FlowWorld, at: string): unknown }> = {
  'is killed before its effect': { isPassing: true, inject: (world, at) => world.on(at, 'before', world.die) },
  'is killed after its effect': { isPassing: true, inject: (world, at) => world.on(at, 'after', world.die) },
  'fails always': {
    isPassing: false,
    inject: (world, at) => world.on(at, 'before', fails(new Broken('as tested')), Number.POSITIVE_INFINITY),
  },
  'fails always after its effect': {
    isPassing: false,
    inject: (world, at) => world.on(at, 'after', fails(new Broken('as tested')), Number.POSITIVE_INFINITY),
  },
  'fails once with an error that passes': {
    isPassing: true,
    inject: (world, at) => world.on(at, 'before', fails(new DriverError('as tested', { isTransient: true }))),
  },
  'fails once after its effect': {
    isPassing: true,
    inject: (world, at) => world.on(at, 'after', fails(new DriverError('as tested', { isTransient: true }))),
  },
  'has its flow stopped before its effect': {
    isPassing: true,
    inject: (world, at) => world.on(at, 'before', world.abortFlows),
  },
  'has its flow stopped after its effect': {
    isPassing: true,
    inject: (world, at) => world.on(at, 'after', world.abortFlows),
  },
};

const methods = [
  ...['compute.build', 'compute.delete', 'network.plugVip', 'network.unplugVip', 'network.takeVip'],
  ...['network.releaseVip', 'amphora.pushConfiguration', 'amphora.postVipPlug', 'amphora.leaveVip'],
  ...['amphora.putAuthorities', 'amphora.putCertificate', 'amphora.putHeartbeatKey'],
];

/** Undefined when the scenario does not come by that state. */
async function run(
  scenario: Scenario,
  state: Pick<TaskState, 'at' | 'flow' | 'isRevert'>,
  fault: (typeof faults)[string],
) {
  const { world, id } = await begin(scenario);
  try {
    if (state.isRevert) world.on(lastCaught(state.flow).at, 'before', fails(new Broken('so that it is reverted')));
    fault.inject(world, state.at);
    await scenario.go(world, id);
    await world.settle();
    if (!world.visits.has(state.at) && !world.journal.includes(state.at)) return undefined;
    // A machine that compute will not end stays: what counts is that it is swept once compute does.
    if (methods.includes(state.at)) world.faults.length = 0;
    await world.age();
    const is = await outcome(world);
    const wrong = await unsoundness(world);
    return { is, wrong: wrong.length > 0 || is !== 'ERROR' ? wrong : await healed(world, scenario) };
  } finally {
    await world.close();
  }
}

/** The cause is gone: the next write mends what is in ERROR; what is half deleted takes none and is deleted. */
async function healed(world: FlowWorld, { becomes }: Scenario): Promise<string[]> {
  world.faults.length = 0;
  const [row] = await subjects(world);
  const status = await world.rename(row!.id);
  const isHalfGone = becomes === 'gone';
  if (isHalfGone) await world.remove(row!.id);
  await world.settle();
  await world.age();
  const is = await outcome(world);
  const wrong = await unsoundness(world);
  if (is !== becomes) wrong.push(`${is} after the next write`);
  if (status !== (isHalfGone ? 409 : 200)) wrong.push(`the next write is answered ${status}`);
  return wrong.map((one) => `healed: ${one}`);
}

const reached = new Set<string>();
let cells = 0;

describe.each(scenarios)('$name', (scenario) => {
  it.each(Object.keys(faults))('leaves nothing behind when any of its tasks %s', async (name) => {
    const fault = faults[name]!;
    const bad: string[] = [];
    for (const state of await statesOf(scenario)) {
      const result = await run(scenario, state, fault);
      if (result === undefined) continue;
      cells += 1;
      reached.add(state.at);
      const isDone = !fault.isPassing || state.isRevert || result.is === scenario.becomes;
      if (result.wrong.length > 0 || !isDone) bad.push(`${state.at}: ${[result.is, ...result.wrong].join('; ')}`);
    }
    expect(bad).toEqual([]);
  });
});

it.each(scenarios)('leaves nothing behind after a $name when any call of a driver fails', async (scenario) => {
  const bad: string[] = [];
  for (const at of methods)
    for (const name of ['fails always', 'fails always after its effect', 'fails once after its effect']) {
      const result = await run(scenario, { at, flow: '', isRevert: false }, faults[name]!);
      if (result === undefined) continue;
      cells += 1;
      if (result.wrong.length > 0) bad.push(`${at} ${name}: ${[result.is, ...result.wrong].join('; ')}`);
    }
  expect(bad).toEqual([]);
});

it('has failed every task of every flow', () => {
  console.log(`fault matrix: ${cells} cells over ${reached.size} task states`);
  expect(
    taskStates
      .filter((state) => !isChild(state))
      .map(({ at }) => at)
      .filter((at) => !reached.has(at)),
  ).toEqual([]);
});
