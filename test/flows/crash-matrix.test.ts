// Death at every single call that leaves a trace: the process is killed, or its flow is stopped and goes on as a late one for a while.
import { describe, expect, it } from 'vitest';
import { begin, outcome, type Scenario, scenarios } from '../support/flow-scenarios.ts';
import { unsoundness } from '../support/flow-soundness.ts';
import type { FlowWorld } from '../support/flow-world.ts';

const deaths: Record<string, (world: FlowWorld) => unknown> = {
  'the process is killed': (world) => world.die(),
  'the process is killed and the flow is lost': (world) => {
    void world.abortFlows();
    world.die();
  },
  'the flow is stopped, and what it had begun goes on': (world) => world.abortFlows(),
};

async function run(scenario: Scenario, number: number, act: (world: FlowWorld) => unknown) {
  const { world, id } = await begin(scenario);
  try {
    await scenario.go(world, id);
    // What the API does is over: a client whose request dies asks again.
    const first = world.effects;
    world.atEffect = { number: first + number, act: () => act(world) };
    await world.settle();
    const made = world.effects - first;
    world.atEffect = undefined;
    await world.age();
    return { made, is: await outcome(world), wrong: await unsoundness(world) };
  } finally {
    await world.close();
  }
}

let cells = 0;

describe.each(scenarios)('$name', (scenario) => {
  it.each(Object.entries(deaths))('comes to its end wherever %s', async (_name, act) => {
    const bad: string[] = [];
    const { made } = await run(scenario, 0, act);
    for (let number = 1; number <= made; number++) {
      const { is, wrong } = await run(scenario, number, act);
      cells += 1;
      if (is !== scenario.becomes || wrong.length > 0) bad.push(`at call ${number}: ${[is, ...wrong].join('; ')}`);
    }
    expect(bad).toEqual([]);
  });
});

it('has died everywhere', () => {
  console.log(`crash matrix: ${cells} cells`);
  expect(cells).toBeGreaterThan(200);
});
