// The last net: whatever is PENDING past its deadline is set going again, ends in ERROR when that did not help, and can be mended.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { requestWhatIsPending } from '../../lambdas/controller/requests.ts';
import { reconcile } from '../../lambdas/housekeeping/reconcile.ts';
import { unsoundness } from '../support/flow-soundness.ts';
import { FlowWorld } from '../support/flow-world.ts';

let world: FlowWorld;
beforeEach(() => {
  world = new FlowWorld();
});
afterEach(() => world.close());

const broken = () => {
  throw new TypeError('as tested');
};
const timeoutMs = () => world.services.config.operation_timeout_ms;
const statusOf = async (id: string) => (await world.loadBalancer(id)).provisioning_status;

it('leaves an operation alone before its deadline and sets it going again after', async () => {
  const id = await world.create();
  expect(world.queue.lose()).toBe(1);
  await world.runOut();
  world.clock.turn(timeoutMs() - 1);
  expect(await reconcile(world.services)).toBe(0);
  world.clock.turn(1);
  expect(await reconcile(world.services)).toBe(1);
  expect((await world.loadBalancer(id)).operation).toMatchObject({ kind: 'create', attempts: 1 });
  await world.runOut();
  expect(await statusOf(id)).toBe('ACTIVE');
});

it.each([
  ['create', async () => ({ id: await world.create(), done: 'ACTIVE' })],
  ['failover', async () => ({ id: await withActive((id) => world.failover(id)), done: 'ACTIVE' })],
  ['update', async () => ({ id: await withActive((id) => world.rename(id)), done: 'ACTIVE' })],
  ['delete', async () => ({ id: await withActive((id) => world.remove(id)), done: undefined })],
] as const)('sets a %s going again whose message was lost', async (_kind, ask) => {
  const { id, done } = await ask();
  world.queue.lose();
  await world.settle();
  expect((await world.loadBalancers()).find((row) => row.id === id)?.provisioning_status).toBe(done);
  expect(await unsoundness(world)).toEqual([]);
});

async function withActive(ask: (id: string) => Promise<unknown>): Promise<string> {
  const id = await world.createActive();
  await ask(id);
  return id;
}

it('sets a change going again at once when it is asked for anew, although its message was sent less than five minutes ago', async () => {
  const id = await withActive((one) => world.rename(one));
  expect(world.queue.lose()).toBe(1);
  await requestWhatIsPending(world.services, await world.loadBalancer(id), '-start-1');
  await world.runOut();
  expect(await world.loadBalancer(id)).toMatchObject({ provisioning_status: 'ACTIVE', name: 'renamed' });
});

it('restarts an operation whose flow died as another execution', async () => {
  const id = await world.create();
  const held = world.hold('create-load-balancer/TakeVip');
  await held.reached();
  const first = (await world.loadBalancer(id)).lease?.execution;
  // Nobody is told: as when the end of the execution was lost too.
  world.die();
  await world.restart();
  await world.abortFlows();
  await world.runUntil(async () => {
    const { lease } = await world.loadBalancer(id);
    return lease !== null && lease.execution !== first;
  });
  await world.settle();
  expect(await statusOf(id)).toBe('ACTIVE');
  await world.age();
  expect(await unsoundness(world)).toEqual([]);
});

it('does not disturb a flow that still runs past the deadline', async () => {
  const id = await world.create();
  const held = world.hold('create-load-balancer/TakeVip');
  await held.reached();
  const before = await world.loadBalancer(id);
  world.clock.turn(timeoutMs() + 1);
  await world.housekeeping();
  expect(await world.loadBalancer(id)).toEqual(before);
  held.letGo();
  await world.settle();
  expect(await statusOf(id)).toBe('ACTIVE');
});

it('ends an operation in ERROR with a reason after all attempts, and the next write builds the load balancer', async () => {
  const fault = world.on('flows.start', 'before', broken, Number.POSITIVE_INFINITY);
  const id = await world.create();
  await world.settle();
  expect(await world.loadBalancer(id)).toMatchObject({
    provisioning_status: 'ERROR',
    reason: 'create did not end within 3 attempts',
    amphora_ids: [],
    lease: null,
  });
  fault.times = 0;
  expect(await world.rename(id)).toBe(200);
  expect((await world.loadBalancer(id)).operation?.kind).toBe('create');
  await world.settle();
  expect(await world.loadBalancer(id)).toMatchObject({ provisioning_status: 'ACTIVE', name: 'renamed' });
  expect(await unsoundness(world)).toEqual([]);
});

it('says in the reason what a task of a flow within the flow threw', async () => {
  world.on('build-amphora/ComputeCreate', 'before', broken);
  const id = await world.create();
  await world.settle();
  expect(await world.loadBalancer(id)).toMatchObject({ provisioning_status: 'ERROR', reason: 'TypeError: as tested' });
});

it('never gives up a deletion', async () => {
  const id = await world.createActive();
  const fault = world.on('flows.start', 'before', broken, Number.POSITIVE_INFINITY);
  await world.remove(id);
  for (let attempt = 0; attempt < 6; attempt++) {
    await world.runOut();
    world.clock.turn(timeoutMs() + 1);
    await world.housekeeping();
    expect(await statusOf(id)).toBe('PENDING_DELETE');
  }
  fault.times = 0;
  await world.settle();
  expect(await world.loadBalancers()).toEqual([]);
  expect(await unsoundness(world)).toEqual([]);
});

it('takes no write for a load balancer whose deletion failed half way, and deletes it when asked again', async () => {
  const id = await world.createActive();
  world.on('delete-load-balancer/RemoveLoadBalancer', 'before', broken);
  await world.remove(id);
  await world.settle();
  expect(await world.loadBalancer(id)).toMatchObject({ provisioning_status: 'ERROR', reason: 'TypeError: as tested' });
  expect(await world.rename(id)).toBe(409);
  expect(await world.failover(id)).toBe(409);
  expect(await world.remove(id)).toBe(204);
  await world.settle();
  expect(await world.loadBalancers()).toEqual([]);
});

it('brings the VIP back with the next write when a failover failed after it took it', async () => {
  const id = await world.createActive();
  world.on('failover-amphora/PostVipPlug', 'before', broken);
  await world.failover(id);
  await world.settle();
  expect(await statusOf(id)).toBe('ERROR');
  expect(await world.rename(id)).toBe(200);
  await world.settle();
  expect(await statusOf(id)).toBe('ACTIVE');
  expect(await unsoundness(world)).toEqual([]);
});

it('builds a load balancer that has no amphora when a failover of it is asked for', async () => {
  world.on('create-load-balancer/TakeVip', 'before', broken);
  const id = await world.create();
  await world.settle();
  expect(await statusOf(id)).toBe('ERROR');
  expect(await world.failover(id)).toBe(202);
  await world.settle();
  expect(await statusOf(id)).toBe('ACTIVE');
  expect(await unsoundness(world)).toEqual([]);
});
