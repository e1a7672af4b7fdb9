// Spares are counted without the amphorae that are built for somebody.
import { expect, it } from 'vitest';
import { keepSpares } from '../../lambdas/housekeeping/spares.ts';
import { FlowWorld } from '../support/flow-world.ts';

it('an amphora that is built for a load balancer is no spare on its way', async () => {
  const world = new FlowWorld({ spare_amphorae: 1 });
  const held = world.hold('build-amphora/ComputeWait');
  await world.create();
  await held.reached();
  expect(await keepSpares(world.services)).toBe(1);
  held.letGo();
  await world.settle();
  await world.close();
});
