// PENDING always ends, below a load balancer too: what waited for an operation that failed is in ERROR with it and says why, and goes
// into force with whatever heals it.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { unsoundness } from '../support/flow-soundness.ts';
import { FlowWorld } from '../support/flow-world.ts';

let world: FlowWorld;
beforeEach(() => {
  world = new FlowWorld();
});
afterEach(async () => {
  await world.age();
  expect(await unsoundness(world)).toEqual([]);
  await world.close();
});

const broken = () => {
  throw new Error('as tested');
};
const body = async (method: string, path: string, given?: object) =>
  (await world.api({ method, path: `/v2.0/lbaas/${path}`, ...(given ? { body: given } : {}) })).body;
const pool = (id: string) => ({ pool: { loadbalancer_id: id, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' } });

/** A load balancer whose failover fails after a pool was accepted, another changed and a third deleted. */
async function failed() {
  const id = await world.createActive();
  const ids: string[] = [];
  for (const _ of [1, 2]) ids.push((await body('POST', 'pools', pool(id))).pool.id);
  await world.settle();
  const fault = world.on('failover-amphora/PushConfiguration', 'before', broken, Number.POSITIVE_INFINITY);
  const held = world.hold('failover-load-balancer/PlanAll');
  await world.failover(id);
  await held.reached();
  const created = (await body('POST', 'pools', pool(id))).pool.id;
  await body('PUT', `pools/${ids[0]}`, { pool: { lb_algorithm: 'SOURCE_IP' } });
  await body('DELETE', `pools/${ids[1]}`);
  held.letGo();
  await world.settle();
  world.faults.splice(world.faults.indexOf(fault), 1);
  return { id, created, changed: ids[0]!, deleted: ids[1]! };
}

const shown = async (id: string) => (await body('GET', `pools/${id}`)).pool;

describe('what waited for a failover that failed', () => {
  it('is in ERROR with its load balancer, and explained as waiting', async () => {
    const { id, created, changed, deleted } = await failed();
    expect((await world.loadBalancer(id)).provisioning_status).toBe('ERROR');
    for (const one of [created, changed, deleted]) {
      expect((await shown(one)).provisioning_status).toBe('ERROR');
    }
    const { explanation } = await body('GET', `loadbalancers/${id}/explain`);
    expect(explanation).toMatchObject({ pending_count: 3, refused_count: 0 });
    expect(explanation.pending.map((one: { waits_for: string }) => one.waits_for).toSorted()).toEqual([
      'PENDING_CREATE',
      'PENDING_DELETE',
      'PENDING_UPDATE',
    ]);
  });

  it.each(['a failover', 'a write'])('goes into force by %s, as it was asked for', async (how) => {
    const { id, created, changed, deleted } = await failed();
    if (how === 'a write') await world.rename(id);
    else await world.failover(id);
    await world.settle();
    expect((await world.loadBalancer(id)).provisioning_status).toBe('ACTIVE');
    expect(await shown(created)).toMatchObject({ provisioning_status: 'ACTIVE' });
    expect(await shown(changed)).toMatchObject({ provisioning_status: 'ACTIVE', lb_algorithm: 'SOURCE_IP' });
    expect((await world.api({ method: 'GET', path: `/v2.0/lbaas/pools/${deleted}` })).status).toBe(404);
  });

  it('takes no writes when it is on its way out', async () => {
    const { deleted } = await failed();
    const path = `/v2.0/lbaas/pools/${deleted}`;
    expect((await world.api({ method: 'PUT', path, body: { pool: { name: 'late' } } })).status).toBe(409);
  });
});
