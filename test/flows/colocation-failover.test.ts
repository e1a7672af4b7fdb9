// A machine that several load balancers share and that dies, or speaks for some of them only: it is one machine, and each amphora on it is a
// load balancer's own.
import { beforeEach, describe, expect, it } from 'vitest';
import { amphoraeOn } from '../../lambdas/domain/host.ts';
import { computeEventHandler } from '../../lambdas/health-manager/compute-event.ts';
import { scanHealth } from '../../lambdas/health-manager/scan.ts';
import { readHosts } from '../../lambdas/repositories/hosts.ts';
import { FlowAmphorae } from '../support/flow-amphorae.ts';
import { useFlowHosts } from '../support/flow-hosts.ts';

const shared = useFlowHosts();

describe('a host', () => {
  const heartbeatMs = 10_000;
  let amphorae: FlowAmphorae;
  beforeEach(() => {
    amphorae = new FlowAmphorae(shared.world, { isCounting: false });
  });

  async function pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += heartbeatMs) {
      shared.world.clock.turn(heartbeatMs);
      await amphorae.speak();
      await scanHealth(shared.world.services);
    }
  }

  async function fallSilent(hostId: string): Promise<string[]> {
    const ids = amphoraeOn((await readHosts(shared.table)).find(({ id }) => id === hostId)!);
    for (const id of ids) amphorae.silent.add(id);
    return ids;
  }

  async function die(hostId: string): Promise<string[]> {
    const ids = await fallSilent(hostId);
    for (const id of ids) await shared.compute.delete(id);
    return ids;
  }

  it('that dies is one silent machine of the zone, and all its load balancers are failed over at once', async () => {
    // Eight of eleven amphorae, but one of four machines.
    const flavor_id = await shared.world.flavor({ colocation: 8 });
    const ids = await shared.created(8, { flavor_id });
    await shared.created(3, {});
    await pass(60_000);
    const host = (await shared.hostsOf(ids[0]!))[0]!;
    const lost = await die(host);
    expect(lost).toHaveLength(8);
    await pass(80_000);
    const rows = await Promise.all(ids.map((id) => shared.world.loadBalancer(id)));
    expect(rows.map(({ operation }) => operation?.kind)).toEqual(Array(8).fill('failover'));
    await shared.world.settle();
    for (const id of ids) expect(await shared.hostOf(await shared.amphoraOf(id))).not.toBe(host);
    expect(await shared.taken()).toEqual([8, 0]);
    await shared.world.housekeeping();
    expect(await shared.taken()).toEqual([8]);
    expect(shared.world.outside.events.published.filter(({ type }) => type.startsWith('storm'))).toEqual([]);
  });

  it('is a storm with many others, by machines', async () => {
    const flavor_id = await shared.world.flavor({ colocation: 2 });
    const ids = await shared.created(12, { flavor_id });
    await pass(60_000);
    const hosts = (await readHosts(shared.table)).map(({ id }) => id);
    // Four of six machines are more than the floor and than three in ten.
    for (const host of hosts.slice(0, 4)) await fallSilent(host);
    await pass(120_000);
    const engaged = shared.world.outside.events.published.filter(({ type }) => type === 'storm_guard_engaged');
    expect(engaged.map(({ detail }) => detail['silent'])).toEqual([8]);
    for (const id of ids) expect((await shared.world.loadBalancer(id)).operation).toBeNull();
    amphorae.silent.clear();
    await pass(30_000);
  });

  it('of which one is silent is a part of a silent machine', async () => {
    const flavor_id = await shared.world.flavor({ colocation: 4 });
    const ids = await shared.created(20, { flavor_id });
    await pass(60_000);
    // One of four on each of five machines: not even two machines.
    for (const [index, id] of ids.entries()) if (index % 4 === 0) amphorae.silent.add(await shared.amphoraOf(id));
    await pass(70_000);
    const failing = (await shared.world.loadBalancers()).filter(({ operation }) => operation?.kind === 'failover');
    expect(failing).toHaveLength(5);
    await shared.world.settle();
  });

  it('with somebody silent, or that compute has ended, is given nobody', async () => {
    const flavor_id = await shared.world.flavor({ colocation: 8 });
    const [first] = await shared.created(1, { flavor_id });
    const dead = await shared.amphoraOf(first!);
    await pass(60_000);
    amphorae.silent.add(dead);
    await pass(30_000);
    const [second] = await shared.created(1, { flavor_id });
    expect(await shared.hostsOf(second!)).not.toEqual(await shared.hostsOf(first!));
    amphorae.silent.clear();
    await pass(20_000);
    await shared.compute.delete(dead);
    const [third] = await shared.created(1, { flavor_id });
    expect(await shared.hostsOf(third!)).toEqual(await shared.hostsOf(second!));
    await shared.world.failover(first!);
    await shared.world.settle();
    expect(await shared.hostsOf(first!)).toEqual(await shared.hostsOf(second!));
    await shared.world.housekeeping();
    expect(await shared.taken()).toEqual([3]);
  });

  it('that compute says has ended is failed over as far as there may be failovers at once, and the scan sees to the rest', async () => {
    await shared.restart({ concurrent_failovers: 2 });
    amphorae = new FlowAmphorae(shared.world, { isCounting: false });
    const flavor_id = await shared.world.flavor({ colocation: 8 });
    const ids = await shared.created(5, { flavor_id });
    await pass(60_000);
    const host_id = (await shared.hostsOf(ids[0]!))[0]!;
    await die(host_id);
    const detail = { 'instance-id': host_id, state: 'terminated', host_id };
    expect(await computeEventHandler(shared.world.services)({ detail })).toEqual({ failed_over: 2 });
    const underWay = async () =>
      (await shared.world.loadBalancers()).filter(({ operation }) => operation !== null).length;
    expect(await underWay()).toBe(2);
    for (let rounds = 0; rounds < 10; rounds++) {
      await pass(20_000);
      expect(await underWay()).toBeLessThanOrEqual(2);
      await shared.world.runOut();
    }
    for (const id of ids) expect(await shared.hostOf(await shared.amphoraOf(id))).not.toBe(host_id);
    await shared.world.housekeeping();
    expect(shared.compute.hosts.has(host_id)).toBe(false);
    const nobody = { 'instance-id': 'unknown', state: 'terminated', host_id: 'unknown' };
    expect(await computeEventHandler(shared.world.services)({ detail: nobody })).toEqual({ failed_over: 0 });
  });

  it('of an old image is left one by one, and ends when it is empty', async () => {
    shared.compute.image = 'one';
    const flavor_id = await shared.world.flavor({ colocation: 3 });
    const ids = await shared.created(3, { flavor_id });
    const [old] = await readHosts(shared.table);
    shared.compute.image = 'two';
    for (const [index, id] of ids.entries()) {
      await shared.world.failover(id);
      await shared.world.settle();
      await shared.world.housekeeping();
      const counts = Object.fromEntries((await readHosts(shared.table)).map((host) => [host.image_id, host.taken]));
      expect(counts).toEqual(index === 2 ? { two: 3 } : { one: 2 - index, two: index + 1 });
    }
    expect(shared.compute.hosts.has(old!.id)).toBe(false);
  });
});
