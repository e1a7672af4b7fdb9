// Housekeeping over flows that run: spares are kept and claimed once, orphans are swept, and what is in work is left alone.
import { afterEach, describe, expect, it } from 'vitest';
import { computeEventHandler } from '../../lambdas/health-manager/compute-event.ts';
import { keepSpares } from '../../lambdas/housekeeping/spares.ts';
import { sweepOrphans } from '../../lambdas/housekeeping/sweep.ts';
import { readAllAmphorae, readSpares, setAmphora } from '../../lambdas/repositories/amphorae.ts';
import { unsoundness } from '../support/flow-soundness.ts';
import { isChild, taskStates } from '../support/flow-states.ts';
import { FlowWorld } from '../support/flow-world.ts';

let world: FlowWorld;
afterEach(() => world.close());

const nothing = { amphorae: 0, machines: 0, vips: 0, tagged: 0 };
const countOf = (call: string) => world.journal.filter((one) => one === call).length;

async function withSpares(spare_amphorae: number): Promise<void> {
  world = new FlowWorld({ spare_amphorae });
  await world.housekeeping();
  await world.settle();
}

describe('spares', () => {
  it('are built once and kept at their number', async () => {
    await withSpares(3);
    expect(await readSpares(world.outside.table)).toHaveLength(3);
    expect(await keepSpares(world.services)).toBe(0);
    world.services.config.spare_amphorae = 1;
    await world.age();
    expect(await readSpares(world.outside.table)).toHaveLength(1);
    expect(await unsoundness(world)).toEqual([]);
  });

  it('are claimed once each by ten load balancers created at the same time, and the others build', async () => {
    await withSpares(3);
    const spares = (await readSpares(world.outside.table)).map(({ id }) => id);
    world.journal.length = 0;
    await Promise.all(Array.from({ length: 10 }, () => world.create()));
    await world.settle();
    const used = (await world.loadBalancers()).flatMap((row) => row.amphora_ids);
    expect(new Set(used).size).toBe(10);
    expect(used).toEqual(expect.arrayContaining(spares));
    expect(countOf('compute.build')).toBe(7);
    await world.age();
    expect(await readSpares(world.outside.table)).toHaveLength(3);
    expect(await unsoundness(world)).toEqual([]);
  });

  it('that died are removed and replaced', async () => {
    await withSpares(2);
    const [dead] = await readSpares(world.outside.table);
    await world.outside.compute.delete(dead!.compute_id!);
    const detail = { 'instance-id': dead!.compute_id!, state: 'terminated', amphora_id: dead!.id };
    await computeEventHandler(world.services)({ detail });
    expect(await readSpares(world.outside.table)).toHaveLength(1);
    await world.age();
    expect((await readSpares(world.outside.table)).map(({ id }) => id)).not.toContain(dead!.id);
    expect(await readSpares(world.outside.table)).toHaveLength(2);
    expect(await unsoundness(world)).toEqual([]);
  });
});

describe('the sweep', () => {
  it('removes an amphora that nobody owns, with its machine and interface', async () => {
    world = new FlowWorld();
    const id = await world.createActive();
    await withOrphan(id);
    world.clock.turn(3_600_000);
    expect(await sweepOrphans(world.services)).toEqual({ ...nothing, amphorae: 1 });
    expect(await readAllAmphorae(world.outside.table)).toHaveLength(1);
    expect(await unsoundness(world)).toEqual([]);
  });

  /** What is left when the replacement was recorded and its old amphora is still there. */
  async function withOrphan(id: string): Promise<void> {
    world.on('failover-amphora/UnplugVip', 'before', () => {
      throw new Error('as tested');
    });
    await world.failover(id);
    await world.settle();
    expect(await readAllAmphorae(world.outside.table)).toHaveLength(2);
  }

  it('ends a machine that has no row', async () => {
    world = new FlowWorld();
    await world.outside.compute.build({ amphora_id: 'lost' } as never);
    expect(await sweepOrphans(world.services)).toEqual({ ...nothing, machines: 1 });
    expect(await world.outside.compute.list()).toEqual([]);
  });

  it('releases a VIP without a load balancer, once it is old enough not to be one being created', async () => {
    world = new FlowWorld();
    const [subnet] = await world.outside.network.listSubnets();
    const none = { address: null, port_id: null, network_id: null, project_id: 'p', additional_vips: [] };
    await world.outside.network.allocateVip({ load_balancer_id: 'none', subnet_id: subnet!.id, ...none });
    expect(await sweepOrphans(world.services)).toEqual(nothing);
    world.clock.turn(world.services.config.orphan_age_ms + 1);
    expect(await sweepOrphans(world.services)).toEqual({ ...nothing, vips: 1, tagged: 0 });
    expect(await world.outside.network.listVips()).toEqual([]);
  });

  it('touches nothing of a build that takes longer than an operation is given, as long as its flow may run', async () => {
    world = new FlowWorld();
    const id = await world.create();
    const held = world.hold('build-amphora/AmphoraWait');
    await held.reached();
    world.clock.turn(world.services.config.flow_timeout_ms - 60_000);
    await world.housekeeping();
    expect(await readAllAmphorae(world.outside.table)).toHaveLength(1);
    held.letGo();
    await world.settle();
    expect(await world.loadBalancer(id)).toMatchObject({ provisioning_status: 'ACTIVE' });
    expect(await unsoundness(world)).toEqual([]);
  });

  it('reads no row on its own of what has an owner, however many there are', async () => {
    await withSpares(2);
    const [orphan] = await readSpares(world.outside.table);
    await setAmphora(world.services, orphan!.id, { status: 'ERROR', load_balancer_id: 'gone' });
    for (let count = 0; count < 8; count++) await world.createActive();
    await world.outside.compute.build({ amphora_id: 'lost' } as never);
    world.clock.turn(3_600_000);
    const reads: unknown[] = [];
    world.on('table.get', 'before', () => reads.push('one'), Number.POSITIVE_INFINITY);
    expect(await sweepOrphans(world.services)).toEqual({ ...nothing, amphorae: 1, machines: 1 });
    // Of the two that have none.
    expect(reads.length).toBeLessThan(8);
  });

  it('goes on past an orphan that cannot be removed, and says so', async () => {
    await withSpares(2);
    const [one, other] = await readSpares(world.outside.table);
    for (const { id } of [one!, other!]) await setAmphora(world.services, id, { status: 'ERROR' });
    world.on('compute.delete', 'before', () => {
      throw new Error('as tested');
    });
    await expect(sweepOrphans(world.services)).rejects.toThrow('1 of what belongs to nobody');
    expect(await readAllAmphorae(world.outside.table)).toHaveLength(1);
    await world.age();
    expect(await unsoundness(world)).toEqual([]);
  });

  it.each(['before', 'after'] as const)('touches nothing of a live create, %s each of its states', async (moment) => {
    const flows = ['create-load-balancer', 'build-amphora', 'failover-load-balancer', 'failover-amphora'];
    world = new FlowWorld({ spare_amphorae: 0, topology: 'ACTIVE_STANDBY' });
    const swept: unknown[] = [];
    // The old amphora of a failover belongs to nobody once it is replaced: the sweep and the flow may both end it.
    const states = taskStates.filter((one) => flows.includes(one.flow) && !isChild(one));
    for (const { at } of states)
      world.on(at, moment, async () => swept.push({ at, ...(await sweepOrphans(world.services)) }), 10);
    const id = await world.createActive();
    expect(swept).toEqual(swept.map((one) => ({ ...(one as object), ...nothing })));
    await world.failover(id);
    await world.settle();
    expect((await world.loadBalancer(id)).provisioning_status).toBe('ACTIVE');
    expect(swept.length).toBeGreaterThan(30);
    expect(await unsoundness(world)).toEqual([]);
  });
});
