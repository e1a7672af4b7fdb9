// Requests that arrive while a flow works on the load balancer: held at every state in turn, so that none is special.
import { describe, expect, it } from 'vitest';
import { requestFailover } from '../../lambdas/controller/failover.ts';
import { unsoundness } from '../support/flow-soundness.ts';
import { isChild, taskStates } from '../support/flow-states.ts';
import { FlowWorld } from '../support/flow-world.ts';

const statesOf = (...flows: string[]) =>
  taskStates.filter((one) => flows.includes(one.flow) && !one.isRevert && !isChild(one) && one.name !== 'PlanOne');

/** States that only a pair comes by. */
const ofPairs = /Standby|SwapRoles/;

/** Asks while the flow is held at each of its states; what is wrong when all is quiet again, by state. */
async function whileHeld(
  states: ReturnType<typeof statesOf>,
  prepare: (world: FlowWorld) => Promise<string>,
  ask: (world: FlowWorld, id: string) => Promise<void>,
  check: (world: FlowWorld, id: string) => Promise<void>,
): Promise<void> {
  for (const { at } of states) {
    const world = new FlowWorld(ofPairs.test(at) ? { topology: 'ACTIVE_STANDBY' } : {});
    const held = world.hold(at);
    const id = await prepare(world);
    await held.reached();
    await ask(world, id);
    held.letGo();
    await world.settle();
    await check(world, id);
    await world.age();
    expect(await unsoundness(world), at).toEqual([]);
    await world.close();
  }
}

const creating = statesOf('create-load-balancer', 'build-amphora');
const failingOver = statesOf('failover-load-balancer', 'failover-amphora');
const failover = async (world: FlowWorld) => {
  const id = await world.createActive();
  await world.failover(id);
  return id;
};
const create = (world: FlowWorld) => world.create();

describe('a delete', () => {
  const ask = async (world: FlowWorld, id: string) => {
    expect(await world.remove(id)).toBe(204);
    expect(await world.remove(id)).toBe(409);
  };
  const isGone = async (world: FlowWorld) => expect(await world.loadBalancers()).toEqual([]);

  it('that arrives while the load balancer is created takes its turn after', () =>
    whileHeld(creating, create, ask, isGone));
  it('that arrives while the load balancer fails over takes its turn after', () =>
    whileHeld(failingOver, failover, ask, isGone));
});

describe('a failover', () => {
  it('is refused while the load balancer is created', () =>
    whileHeld(
      creating.slice(-2),
      create,
      async (world, id) => expect(await world.failover(id)).toBe(409),
      async (world, id) => expect((await world.loadBalancer(id)).vip_epoch).toBe(1),
    ));

  it('asked for by the health manager while one runs does not start another', () =>
    whileHeld(
      failingOver,
      failover,
      async (world, id) => {
        for (const amphoraId of (await world.loadBalancer(id)).amphora_ids)
          expect(await requestFailover(world.services, amphoraId)).toBe(false);
        expect(await world.failover(id)).toBe(409);
      },
      async (world, id) => expect((await world.loadBalancer(id)).vip_epoch).toBe(2),
    ));

  it('takes a pending update along', async () => {
    const world = new FlowWorld();
    const id = await world.createActive();
    await world.rename(id);
    expect(await world.failover(id)).toBe(202);
    await world.settle();
    expect(await world.loadBalancer(id)).toMatchObject({
      provisioning_status: 'ACTIVE',
      name: 'renamed',
      vip_epoch: 2,
    });
    expect(await unsoundness(world)).toEqual([]);
    await world.close();
  });
});

describe('a write', () => {
  const ask = async (world: FlowWorld, id: string) => expect(await world.rename(id)).toBe(200);
  // That the amphora runs the newest generation is part of what is sound.
  const isInForce = async (world: FlowWorld, id: string) =>
    expect(await world.loadBalancer(id)).toMatchObject({
      provisioning_status: 'ACTIVE',
      name: 'renamed',
      generation: 2,
    });

  it('during a failover is in force after it', () => whileHeld(failingOver, failover, ask, isInForce));
  it('during a create is in force after it', () => whileHeld(creating, create, ask, isInForce));
});
