// Each flow when nothing fails: which calls it makes of compute, network and amphora drivers, and in which order.
import { afterEach, describe, expect, it } from 'vitest';
import { requestFailover } from '../../lambdas/controller/failover.ts';
import { NotReady } from '../../lambdas/domain/errors.ts';
import { readAllAmphorae, readSpares } from '../../lambdas/repositories/amphorae.ts';
import { unsoundness } from '../support/flow-soundness.ts';
import { FlowWorld } from '../support/flow-world.ts';

let world: FlowWorld;
afterEach(async () => {
  expect(await unsoundness(world)).toEqual([]);
  await world.close();
});

/** What the drivers were called for until all was quiet. */
async function callsOf(run: () => Promise<unknown>): Promise<string[]> {
  world.journal.length = 0;
  await run();
  await world.settle();
  return [...world.journal];
}

const handedOver = [
  'network.plugVip',
  'amphora.pushConfiguration',
  'network.takeVip',
  'amphora.postVipPlug',
  'amphora.pushConfiguration',
];
const replaced = [...handedOver, 'network.unplugVip', 'compute.delete'];
/** One that is well leaves once the other one listens, and is ended when its connections have. */
const replacedInGoodOrder = [
  ...handedOver.slice(0, -1),
  'amphora.leaveVip',
  'amphora.pushConfiguration',
  'amphora.leaveVip',
  'network.unplugVip',
  'compute.delete',
];

describe('a single amphora', () => {
  it('is built, plugged, configured and given the VIP when a load balancer is created', async () => {
    world = new FlowWorld();
    expect(await callsOf(() => world.create())).toEqual(['compute.build', ...handedOver]);
  });

  it('is not built when there is a spare', async () => {
    world = new FlowWorld({ spare_amphorae: 1 });
    expect(await callsOf(() => world.housekeeping())).toEqual(['compute.build']);
    const [spare] = await readSpares(world.outside.table);
    let id = '';
    expect(
      await callsOf(async () => {
        id = await world.create();
      }),
    ).toEqual(handedOver);
    expect((await world.loadBalancer(id)).amphora_ids).toEqual([spare?.id]);
  });

  it('is replaced by one that has the VIP before the old one goes', async () => {
    world = new FlowWorld();
    const id = await world.createActive();
    const [old] = (await world.loadBalancer(id)).amphora_ids;
    const confirmed = ['amphora.pushConfiguration'];
    expect(await callsOf(() => world.failover(id))).toEqual(['compute.build', ...replacedInGoodOrder, ...confirmed]);
    const { amphora_ids, vip_epoch } = await world.loadBalancer(id);
    expect(amphora_ids).not.toContain(old);
    expect(vip_epoch).toBe(2);
  });

  it('is replaced by a spare without a build', async () => {
    world = new FlowWorld({ spare_amphorae: 2 });
    await world.housekeeping();
    const id = await world.createActive();
    expect(await callsOf(() => world.failover(id))).toEqual([...replacedInGoodOrder, 'amphora.pushConfiguration']);
  });

  it('is fenced before another one listens when its health asks for it', async () => {
    world = new FlowWorld();
    const id = await world.createActive();
    const [old] = (await world.loadBalancer(id)).amphora_ids;
    const calls = await callsOf(() => requestFailover(world.services, old!));
    expect(calls).toEqual(['compute.build', ...replaced, 'amphora.pushConfiguration']);
  });

  it('goes with its load balancer: interface, machine, VIP', async () => {
    world = new FlowWorld();
    const id = await world.createActive();
    expect(await callsOf(() => world.remove(id))).toEqual([
      'network.unplugVip',
      'compute.delete',
      'network.releaseVip',
    ]);
    expect(await world.loadBalancers()).toEqual([]);
  });
});

describe('a pair', () => {
  const countOf = (calls: string[]) =>
    Object.fromEntries([...Map.groupBy(calls, (call) => call)].map(([call, all]) => [call, all.length]));
  const rolesOf = async () => new Map((await readAllAmphorae(world.outside.table)).map((row) => [row.role, row.id]));

  it('is built and configured side by side, and its first takes the VIP', async () => {
    world = new FlowWorld({ topology: 'ACTIVE_STANDBY' });
    let id = '';
    const calls = await callsOf(async () => {
      id = await world.create();
    });
    expect(countOf(calls)).toEqual({
      'compute.build': 2,
      'network.plugVip': 2,
      'amphora.pushConfiguration': 4,
      'network.takeVip': 1,
      'amphora.postVipPlug': 1,
    });
    expect(calls.lastIndexOf('network.plugVip')).toBeLessThan(calls.indexOf('amphora.pushConfiguration'));
    const row = await world.loadBalancer(id);
    expect(await world.outside.network.vipOwner(id, row)).toBe((await rolesOf()).get('MASTER'));
  });

  it('is replaced one after the other, the standby first', async () => {
    world = new FlowWorld({ topology: 'ACTIVE_STANDBY' });
    const id = await world.createActive();
    const before = await rolesOf();
    const held = world.hold('failover-amphora/UnplugVip');
    await world.failover(id);
    await held.reached();
    const { amphora_ids } = await world.loadBalancer(id);
    expect(amphora_ids).toContain(before.get('MASTER'));
    expect(amphora_ids).not.toContain(before.get('BACKUP'));
    held.letGo();
    await world.settle();
    const after = await rolesOf();
    expect([after.get('MASTER'), after.get('BACKUP')]).not.toContain(before.get('MASTER'));
    expect(await world.outside.network.vipOwner(id, await world.loadBalancer(id))).toBe(after.get('MASTER'));
  });

  it('has its VIP with the standby before anything is built, when the one that had it is lost', async () => {
    world = new FlowWorld({ topology: 'ACTIVE_STANDBY' });
    const id = await world.createActive();
    const { MASTER: lost, BACKUP: standby } = Object.fromEntries(await rolesOf());
    const calls = await callsOf(() => requestFailover(world.services, lost!));
    expect(calls.slice(0, 3)).toEqual(['network.takeVip', 'amphora.postVipPlug', 'compute.build']);
    expect(calls.filter((call) => call === 'network.takeVip')).toHaveLength(1);
    const after = await rolesOf();
    expect(after.get('MASTER')).toBe(standby);
    expect((await world.loadBalancer(id)).amphora_ids).toEqual([standby, after.get('BACKUP')]);
    expect(await world.outside.network.vipOwner(id, await world.loadBalancer(id))).toBe(standby);
  });

  it('gives the VIP to a new one when the standby is lost too', async () => {
    world = new FlowWorld({ topology: 'ACTIVE_STANDBY' });
    const id = await world.createActive();
    const { MASTER: lost, BACKUP: standby } = Object.fromEntries(await rolesOf());
    const dead = () => {
      throw new NotReady('AmphoraNotReady', 'the standby does not answer');
    };
    world.on('failover-amphora/StandbyPostVipPlug', 'before', dead, Number.POSITIVE_INFINITY);
    await requestFailover(world.services, lost!);
    await world.settle();
    const after = await rolesOf();
    expect([lost, standby]).not.toContain(after.get('MASTER'));
    expect(await world.outside.network.vipOwner(id, await world.loadBalancer(id))).toBe(after.get('MASTER'));
  });
});

it('makes the amphorae of a pair in one server group and in different zones, and so those that replace them', async () => {
  world = new FlowWorld({ topology: 'ACTIVE_STANDBY', compute_zones: 'one, two' });
  const id = await world.createActive();
  const zonesOf = async () => {
    const { amphora_ids } = await world.loadBalancer(id);
    const machines = (await world.outside.compute.list()).filter((one) => amphora_ids.includes(one.amphora_id));
    expect(machines.map((one) => one.server_group)).toEqual([id, id]);
    return machines.map((one) => one.zone).toSorted();
  };
  expect(await zonesOf()).toEqual(['one', 'two']);
  expect(await world.failover(id)).toBe(202);
  await world.settle();
  expect(await zonesOf()).toEqual(['one', 'two']);
});
