import { afterEach, expect, it } from 'vitest';
import { FlowWorld } from '../support/flow-world.ts';
let world: FlowWorld;
afterEach(() => world.close());
it('creates', async () => {
  world = new FlowWorld();
  const t=performance.now();
  const id = await world.create();
  await world.settle();
  console.log(performance.now()-t, world.journal, world.effects, world.visits, (await world.loadBalancer(id)));
  expect((await world.loadBalancer(id)).provisioning_status).toBe('ACTIVE');
  world.journal.length = 0;
  await world.failover(id); await world.settle();
  console.log(world.journal);
  world.journal.length = 0;
  console.log(await world.remove(id)); await world.settle();
  console.log(world.journal);
});
