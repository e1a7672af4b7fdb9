// Waiting is an error with a name, retried by the flow: as often as the flow says, and then it is reverted.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { NotReady } from '../../lambdas/domain/errors.ts';
import { unsoundness } from '../support/flow-soundness.ts';
import { FlowWorld } from '../support/flow-world.ts';

let world: FlowWorld;
beforeEach(() => {
  world = new FlowWorld();
});
afterEach(async () => {
  expect(await unsoundness(world)).toEqual([]);
  await world.close();
});

const waits = [
  ['ComputeNotReady', 'build-amphora/ComputeWait', 60],
  ['AmphoraNotReady', 'build-amphora/AmphoraWait', 60],
  ['AmphoraNotReady', 'create-load-balancer/PushConfiguration', 24],
  ['AmphoraNotReady', 'create-load-balancer/PostVipPlug', 24],
] as const;
const notReady = (name: (typeof waits)[number][0]) => () => {
  throw new NotReady(name, 'not yet');
};

it.each(waits)('%s at %s is waited for as often as the flow says', async (name, at, retries) => {
  const begun = world.clock.now();
  world.on(at, 'before', notReady(name), retries);
  const id = await world.createActive();
  expect((await world.loadBalancer(id)).provisioning_status).toBe('ACTIVE');
  expect(world.visits.get(at)).toBe(retries + 1);
  expect(world.clock.now() - begun).toBeGreaterThanOrEqual(retries * 5_000);
});

it.each(waits)('%s at %s without an end fails the flow, which is reverted', async (name, at, retries) => {
  world.on(at, 'before', notReady(name), Number.POSITIVE_INFINITY);
  const id = await world.createActive();
  expect(await world.loadBalancer(id)).toMatchObject({ provisioning_status: 'ERROR', reason: `${name}: not yet` });
  expect(world.visits.get(at)).toBe(retries + 1);
  expect(await world.outside.compute.list()).toEqual([]);
});
