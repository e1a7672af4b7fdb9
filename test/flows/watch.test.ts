// Silence that is the control plane's own fault: a few amphorae, below the floor of the storm guard, are not failed over for it.
import { afterEach, expect, it } from 'vitest';
import { scanHealth } from '../../lambdas/health-manager/scan.ts';
import { FlowAmphorae } from '../support/flow-amphorae.ts';
import { FlowWorld } from '../support/flow-world.ts';

let world: FlowWorld;
afterEach(() => world.close());

it.each([
  { what: 'on AWS, where a look each minute is the most there is', scanMs: 60_000 },
  { what: 'on one machine', scanMs: 3_000 },
])('a table that is away for two minutes costs no amphora $what', async ({ scanMs }) => {
  world = new FlowWorld({ health_scan_interval_ms: scanMs });
  const amphorae = new FlowAmphorae(world);
  await world.createActive();
  let failedOver = 0;
  const pass = async (ms: number, isThere: boolean) => {
    for (let passed = 0; passed < ms; passed += 3_000) {
      world.clock.turn(3_000);
      if (!isThere) continue;
      // The first look after it comes before the first heartbeat.
      if (world.clock.now() % scanMs === 0) failedOver += (await scanHealth(world.services)).failed_over;
      await amphorae.speak();
    }
  };
  await pass(300_000, true);
  await pass(117_000, false);
  await pass(600_000, true);
  expect(failedOver).toBe(0);
});
