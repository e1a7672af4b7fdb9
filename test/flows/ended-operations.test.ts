// Whoever ends an operation in ERROR ends that one, and none that was accepted since.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { reconcileLoadBalancer } from '../../lambdas/housekeeping/reconcile.ts';
import { FlowWorld } from '../support/flow-world.ts';

let world: FlowWorld;
beforeEach(() => {
  world = new FlowWorld();
});
afterEach(() => world.close());

it('a look at the index that is out of date does not end the operation that came after', async () => {
  const id = await world.createActive();
  await world.rename(id, 'first');
  const { operation, ...row } = await world.loadBalancer(id);
  const seen = { ...row, operation: { ...operation!, attempts: 2, deadline: world.clock.now() - 1 } };
  await world.settle();
  // The update is in force by now, and another one accepted.
  await world.rename(id, 'second');
  await reconcileLoadBalancer(world.services, seen);
  expect(await world.loadBalancer(id)).toMatchObject({
    provisioning_status: 'PENDING_UPDATE',
    operation: { kind: 'update', attempts: 0 },
  });
});

it('a delete that is accepted while a create is being ended in ERROR is carried out', async () => {
  // The build fails for good, and the client deletes right when the flow has looked at the row to say so.
  world.on('create-load-balancer/TakeVip', 'before', () => {
    throw new TypeError('as tested');
  });
  const id = await world.create();
  let isAsked = false;
  world.on('create-load-balancer/FailOperation', 'before', () => {
    world.on('table.get', 'after', async () => {
      if (isAsked) return;
      isAsked = true;
      expect(await world.remove(id)).toBe(204);
    });
  });
  await world.settle();
  expect(isAsked).toBe(true);
  expect(await world.loadBalancers()).toEqual([]);
});
