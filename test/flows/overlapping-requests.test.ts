// Requests that arrive while a flow works on the load balancer: held at every state in turn, so that none is special.
import { describe, expect, it } from 'vitest';
import { requestFailover } from '../../lambdas/controller/failover.ts';
import { readAmphora } from '../../lambdas/repositories/amphorae.ts';
import { eventually } from '../support/eventually.ts';
import { unsoundness } from '../support/flow-soundness.ts';
import { isChild, taskStates } from '../support/flow-states.ts';
import { FlowWorld } from '../support/flow-world.ts';

const statesOf = (...flows: string[]) =>
  taskStates.filter((one) => flows.includes(one.flow) && !one.isRevert && !isChild(one) && one.name !== 'PlanOne');

const plan = taskStates.find(({ at }) => at === 'failover-load-balancer/PlanOne')!;

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

describe('a write while an amphora of a pair is replaced', () => {
  const last = 'failover-amphora/ReplaceAmphora';
  /** The VIP is not taken a second time, what comes after the last step ends the old amphora, and one that is lost does not leave. */
  const isBefore = ({ name }: { name: string }) =>
    !/^(TakeVip|PostVipPlug|AwaitLeaving|UnplugVip|ComputeDelete)$|(Leave|Fence)Vip$/.test(name);
  /** Of the replacement, with the build of the new amphora and the step that plans it all. */
  const restoring = [...statesOf('failover-amphora', 'build-amphora').filter(isBefore), plan];
  const memberPath = async (world: FlowWorld) => {
    const [pool] = (await world.api({ path: '/v2/lbaas/pools' })).body.pools;
    return `/v2/lbaas/pools/${pool.id}/members`;
  };

  /** One member comes and the other goes. */
  async function exchangeMembers(world: FlowWorld): Promise<string> {
    const path = await memberPath(world);
    const [old] = (await world.api({ path })).body.members;
    const member = { address: '192.0.2.11', protocol_port: 8080 };
    expect((await world.api({ method: 'POST', path, body: { member } })).status).toBe(201);
    expect((await world.api({ method: 'DELETE', path: `${path}/${old.id}` })).status).toBe(204);
    return path;
  }

  async function isInForce(world: FlowWorld, serving: string, path: string): Promise<boolean> {
    const lb_network_ip = (await readAmphora(world.outside.table, serving))?.lb_network_ip ?? '';
    const { generation } = await world.outside.amphora.getInfo({ id: serving, lb_network_ip });
    const { members } = (await world.api({ path })).body;
    const statuses = members.map((one: { provisioning_status: string }) => one.provisioning_status);
    return generation === 3 && statuses.join() === 'ACTIVE';
  }

  async function during(state: (typeof restoring)[number], isLost: (owner: string, id: string) => boolean) {
    const world = new FlowWorld({ topology: 'ACTIVE_STANDBY' });
    const id = await world.createActive();
    const owner = await world.outside.network.vipOwner(id, await world.loadBalancer(id));
    const { amphora_ids } = await world.loadBalancer(id);
    const lost = amphora_ids.find((one) => isLost(owner!, one))!;
    const serving = amphora_ids.find((one) => one !== lost)!;
    const held = world.hold(state.at);
    const atLast = state.at === last ? held : world.hold(last);
    await requestFailover(world.services, lost);
    await held.reached();
    const path = await exchangeMembers(world);
    if (held !== atLast) held.letGo();
    await atLast.reached();
    await world.runUntil(() => isInForce(world, serving, path));
    expect(await world.loadBalancer(id)).toMatchObject({ provisioning_status: 'PENDING_UPDATE' });
    atLast.letGo();
    await world.settle();
    expect(await world.loadBalancer(id)).toMatchObject({ generation: 3, applied_generation: 3 });
    await world.age();
    expect(await unsoundness(world), state.at).toEqual([]);
    await world.close();
  }

  it('is in force on the standby that took over before the lost one is replaced, wherever the flow is', async () => {
    for (const state of restoring) await during(state, (owner, id) => id === owner);
  });

  it('is in force on the one with the VIP before the lost standby is replaced, wherever the flow is', async () => {
    for (const state of restoring.filter(({ at }) => !ofPairs.test(at)))
      await during(state, (owner, id) => id !== owner);
  });

  it('is committed once, when the flow ends while the worker is about to commit', async () => {
    const world = new FlowWorld({ topology: 'ACTIVE_STANDBY' });
    const id = await world.createActive();
    const [, standby] = (await world.loadBalancer(id)).amphora_ids;
    const building = world.hold('build-amphora/ComputeWait');
    await requestFailover(world.services, standby!);
    await building.reached();
    const isOver = async () => (await world.loadBalancer(id)).lease === null;
    world.on('amphora.pushConfiguration', 'after', async () => {
      building.letGo();
      await eventually('the flow has ended', isOver);
    });
    const path = await exchangeMembers(world);
    await world.settle();
    const { members } = (await world.api({ path })).body;
    expect(members).toMatchObject([{ address: '192.0.2.11', provisioning_status: 'ACTIVE' }]);
    await world.age();
    expect(await unsoundness(world)).toEqual([]);
    await world.close();
  });
});
