// Writes that are accepted just while somebody ends an operation or reads what is to be applied: none of them is left PENDING.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Operation, type Table, TableUnavailable } from '../../lambdas/drivers/table/table.ts';
import { passes } from '../../lambdas/repositories/passes.ts';
import type { Services } from '../../lambdas/runtime/services.ts';
import { applyConfigurationHandler } from '../../lambdas/worker/apply-configuration.ts';
import { unsoundness } from '../support/flow-soundness.ts';
import { FlowWorld } from '../support/flow-world.ts';

let world: FlowWorld;
beforeEach(() => {
  world = new FlowWorld();
});
afterEach(() => world.close());

const broken = () => {
  throw new Error('as tested');
};
const post = async (path: string, body: object) =>
  (await world.api({ method: 'POST', path: `/v2.0/lbaas/${path}`, body })).body;
const aPool = (id: string) => ({ pool: { loadbalancer_id: id, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' } });
const members = (subnet: number, count: number) => ({
  members: Array.from({ length: count }, (_, index) => ({
    address: `192.0.${subnet}.${index + 1}`,
    protocol_port: 80,
  })),
});
const statuses = async (poolId: string) => {
  const { body } = await world.api({ method: 'GET', path: `/v2.0/lbaas/pools/${poolId}/members` });
  const all = (body.members as { provisioning_status: string }[]).map((one) => one.provisioning_status);
  return Object.fromEntries([...Map.groupBy(all, (one) => one)].map(([status, of]) => [status, of.length]));
};

/** A failover that fails, and what happens when its end has been begun. */
async function failWith(id: string, act: () => Promise<unknown>): Promise<void> {
  world.on('failover-amphora/PushConfiguration', 'before', broken);
  world.on('failover-load-balancer/FailOperation', 'before', () => void world.on('table.query', 'after', act));
  await world.failover(id);
  await world.runOut();
}

it('leaves nothing PENDING that was accepted while its load balancer was being ended in ERROR', async () => {
  const id = await world.createActive();
  let pool = '';
  await failWith(id, async () => {
    pool = (await post('pools', aPool(id))).pool.id;
  });
  expect(pool).not.toBe('');
  expect((await world.loadBalancer(id)).provisioning_status).toBe('ERROR');
  expect(await unsoundness(world)).toEqual([]);
  await world.rename(id);
  await world.settle();
  expect(await unsoundness(world)).toEqual([]);
  const { body } = await world.api({ method: 'GET', path: `/v2.0/lbaas/pools/${pool}` });
  expect(body.pool.provisioning_status).toBe('ACTIVE');
});

/** Accepts a batch whose process dies before it has written it out. */
async function acceptAndDie(poolId: string, subnet: number, count: number): Promise<void> {
  const path = `/v2.0/lbaas/pools/${poolId}/members?additive_only=true`;
  const isAccepted = async () => (await world.loadBalancers()).some(({ intents }) => intents.length > 0);
  const { table } = world.services;
  const dead = new Error('the process died');
  Object.assign(world.services, {
    table: new Proxy(table, {
      get: (of, name: string) =>
        name !== 'transact'
          ? Reflect.get(of, name)
          : async (operations: never) => {
              if (await isAccepted()) throw dead;
              return table.transact(operations);
            },
    }),
  });
  const { status } = await world.api({ method: 'PUT', path, body: members(subnet, count) });
  Object.assign(world.services, { table });
  expect(status).toBe(202);
  expect(await isAccepted()).toBe(true);
}

it('has a large batch in ERROR with its load balancer, whose process died before it had written it out', async () => {
  const id = await world.createActive();
  const pool = (await post('pools', aPool(id))).pool.id;
  await world.settle();
  const held = world.hold('failover-load-balancer/PlanAll');
  world.on('failover-amphora/PushConfiguration', 'before', broken);
  await world.failover(id);
  await held.reached();
  await acceptAndDie(pool, 2, 120);
  held.letGo();
  await world.runOut();
  expect((await world.loadBalancer(id)).provisioning_status).toBe('ERROR');
  // Somebody who is refused comes by: what was accepted before is written out, and not left to itself.
  const refused = await world.api({ method: 'DELETE', path: `/v2.0/lbaas/pools/${pool}/members/${pool}` });
  expect(refused.status).toBe(404);
  expect(await statuses(pool)).toEqual({ ERROR: 120 });
  expect(await unsoundness(world)).toEqual([]);
  await world.rename(id);
  await world.settle();
  expect(await statuses(pool)).toEqual({ ACTIVE: 120 });
});

/** The services of somebody for whom something happens once, before the load balancer is read without anything left to write out. */
function meeting(act: () => Promise<unknown>): Services {
  const { table } = world.services;
  let times = 1;
  const isWrittenOut = async () => (await world.loadBalancers()).every(({ intents }) => intents.length === 0);
  const get: Table['get'] = async (key) => {
    if (key.sk === 'LB' && (await isWrittenOut()) && times-- > 0) await act();
    return table.get(key);
  };
  const watched = new Proxy(table, { get: (of, name) => (name === 'get' ? get : Reflect.get(of, name)) });
  return { ...world.services, table: watched };
}

it('applies a large batch that is accepted just when the one before was written out', async () => {
  const id = await world.createActive();
  const pool = (await post('pools', aPool(id))).pool.id;
  await world.settle();
  await acceptAndDie(pool, 2, 120);
  const worker = applyConfigurationHandler(meeting(() => acceptAndDie(pool, 3, 120)));
  const body = JSON.stringify({ load_balancer_id: id, generation: (await world.loadBalancer(id)).generation });
  await worker({ Records: [{ messageId: 'one', body }] } as never);
  await world.settle();
  expect(await statuses(pool)).toEqual({ ACTIVE: 240 });
  expect(await unsoundness(world)).toEqual([]);
});

/** Accepts a batch of which a part is delayed in the network for so long that nobody waits for it. @returns its arrival */
async function acceptWithDelay(poolId: string) {
  const skOf = (one: Operation) => ('item' in one ? one.item.sk : one.key.sk);
  const isDelayed = (operations: Operation[]) =>
    operations.some((one) => skOf(one).startsWith('MEMBER#')) && operations.every((one) => skOf(one) !== 'LB');
  const { table } = world.services;
  let late: Operation[] | undefined;
  const transact: Table['transact'] = async (operations) => {
    if (late !== undefined || !isDelayed(operations)) return table.transact(operations);
    late = operations;
    throw new TableUnavailable('no answer');
  };
  const slow = new Proxy(table, { get: (of, name) => (name === 'transact' ? transact : Reflect.get(of, name)) });
  Object.assign(world.services, { table: slow });
  const path = `/v2.0/lbaas/pools/${poolId}/members?additive_only=true`;
  const { status } = await world.api({ method: 'PUT', path, body: members(2, 120) });
  Object.assign(world.services, { table });
  expect(status).toBe(202);
  if (late === undefined) throw new Error('nothing was delayed');
  const operations = late;
  return async () => {
    await passes(world.outside, operations);
  };
}

it('brings no member back by a part of a batch that arrives late, after its members were deleted', async () => {
  const id = await world.createActive();
  const pool = (await post('pools', aPool(id))).pool.id;
  await world.settle();
  const arrive = await acceptWithDelay(pool);
  await world.settle();
  expect(await statuses(pool)).toEqual({ ACTIVE: 120 });
  await world.api({ method: 'PUT', path: `/v2.0/lbaas/pools/${pool}/members`, body: { members: [] } });
  await world.settle();
  await arrive();
  expect(await statuses(pool)).toEqual({});
  expect(await unsoundness(world)).toEqual([]);
});
