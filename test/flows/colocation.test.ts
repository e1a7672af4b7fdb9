// Colocation: amphorae of several load balancers on one machine, never more than their flavor allows and never both of a pair.
import { beforeEach, describe, expect, it } from 'vitest';
import { readSpares } from '../../lambdas/repositories/amphorae.ts';
import { readHosts } from '../../lambdas/repositories/hosts.ts';
import { Ec2World, vpcSubnets } from '../support/ec2-world.ts';
import { useFlowHosts } from '../support/flow-hosts.ts';
import { TurnableClock } from '../support/services.ts';

const shared = useFlowHosts();

describe('places', () => {
  it('are taken on one host until it is full', async () => {
    const flavor_id = await shared.world.flavor({ colocation: 3 });
    const ids = await shared.created(4, { flavor_id });
    expect(await shared.taken()).toEqual([3, 1]);
    const hosts = (await Promise.all(ids.map(shared.hostsOf))).flat();
    expect(new Set(hosts.slice(0, 3)).size).toBe(1);
    expect(hosts[3]).not.toBe(hosts[0]);
    expect(shared.compute.hosts).toEqual(new Set(hosts));
  });

  it('are never taken by more than there may be, nor hosts made in vain, when twenty look at once', async () => {
    const flavor_id = await shared.world.flavor({ colocation: 4 });
    await shared.createdAtOnce(20, { flavor_id });
    expect(await shared.taken()).toEqual([4, 4, 4, 4, 4]);
  });

  it('are given to who wishes for the same machine', async () => {
    shared.compute.image = 'one';
    const two = { colocation: 2 };
    const flavors = [two, { ...two, compute_flavor: 'large' }, { ...two, amp_image_tag: 'blue' }, { colocation: 3 }];
    for (const flavor of flavors) await shared.created(1, { flavor_id: await shared.world.flavor(flavor) });
    await shared.created(1, {});
    await shared.created(1, { flavor_id: await shared.world.flavor({ colocation: 1 }) });
    expect(await shared.taken()).toEqual([1, 1, 1, 1]);
    expect((await shared.compute.list()).filter(({ host_id }) => host_id === null)).toHaveLength(2);
  });

  it('are given back with the last amphora, and the machine ends; other amphorae of the host go on', async () => {
    const flavor_id = await shared.world.flavor({ colocation: 2 });
    const [first, second] = await shared.created(2, { flavor_id });
    const left = await shared.amphoraOf(second!);
    await shared.world.remove(first!);
    await shared.world.settle();
    expect(await shared.taken()).toEqual([1]);
    await shared.world.housekeeping();
    expect(await shared.compute.get(left)).toMatchObject({ state: 'RUNNING', host_id: await shared.hostOf(left) });
    await shared.world.remove(second!);
    await shared.world.settle();
    expect(shared.compute.hosts.size).toBe(1);
    await shared.world.housekeeping();
    expect([await shared.taken(), [...shared.compute.hosts], await shared.compute.list()]).toEqual([[], [], []]);
  });

  it('are taken again before the machine ends', async () => {
    const flavor_id = await shared.world.flavor({ colocation: 2 });
    const [first] = await shared.created(1, { flavor_id });
    const host = await shared.hostOf(await shared.amphoraOf(first!));
    await shared.world.remove(first!);
    await shared.world.settle();
    const [second] = await shared.created(1, { flavor_id });
    await shared.world.housekeeping();
    expect(await shared.hostsOf(second!)).toEqual([host]);
  });

  it('are none on EC2, where each amphora has an instance of its own', async () => {
    const clock = new TurnableClock();
    await using aws = await Ec2World.start(vpcSubnets, { clock });
    await shared.restart({}, { clock, compute: aws.compute() });
    const flavor_id = await shared.world.flavor({ colocation: 4, spare_amphorae: 1 });
    const [first, second] = await shared.created(2, { flavor_id });
    await shared.world.housekeeping();
    await shared.world.settle();
    const [third] = await shared.created(1, { flavor_id });
    for (const id of [first!, second!, third!]) expect(await shared.hostsOf(id)).toEqual([undefined]);
    expect([await shared.taken(), (await aws.compute().list()).length]).toEqual([[], 3]);
    expect(await readSpares(shared.table)).toEqual([]);
    await shared.world.remove(first!);
    await shared.world.settle();
    expect((await aws.compute().list()).length).toBe(2);
    await shared.restart();
  });

  it('are shown: those that share a machine have its id as their compute_id', async () => {
    const flavor_id = await shared.world.flavor({ colocation: 2 });
    const [id] = await shared.created(2, { flavor_id });
    const host_id = (await shared.hostsOf(id!))[0];
    const { body } = await shared.world.api({ path: `/v2/octavia/amphorae?compute_id=${host_id}` });
    expect(body.amphorae).toHaveLength(2);
    for (const amphora of body.amphorae) expect(amphora).toMatchObject({ compute_id: host_id, host_id });
    await shared.created(1, {});
    const alone = (await shared.world.api({ path: '/v2/octavia/amphorae' })).body.amphorae.find(
      (one: any) => !one.host_id,
    );
    expect(alone).not.toHaveProperty('host_id');
    expect(alone.compute_id).toBe(alone.id);
  });
});

describe('amphorae of a pair', () => {
  beforeEach(() => shared.restart({ topology: 'ACTIVE_STANDBY' }));

  it('are on different hosts, however full those are, though both are made at once', async () => {
    const flavor_id = await shared.world.flavor({ colocation: 8 });
    const ids = await shared.createdAtOnce(6, { flavor_id });
    for (const id of ids) expect(new Set(await shared.hostsOf(id)).size).toBe(2);
    expect(await shared.taken()).toEqual([6, 6]);
  });

  it('stay apart when one is replaced', async () => {
    const flavor_id = await shared.world.flavor({ colocation: 8 });
    const [id] = await shared.created(2, { flavor_id });
    const before = await shared.hostsOf(id!);
    await shared.world.failover(id!);
    await shared.world.settle();
    const after = await shared.hostsOf(id!);
    expect(new Set(after).size).toBe(2);
    // The first to go found no host without the other two; the second went where the first had been.
    expect(after.some((host) => !before.includes(host))).toBe(true);
  });

  it('stay apart when spares are claimed', async () => {
    await shared.restart({ topology: 'ACTIVE_STANDBY' });
    const flavor_id = await shared.world.flavor({ colocation: 8, spare_amphorae: 2 });
    await shared.world.housekeeping();
    await shared.world.settle();
    expect(await shared.taken()).toEqual([2]);
    const [id] = await shared.created(1, { flavor_id });
    expect(new Set(await shared.hostsOf(id!)).size).toBe(2);
    const spares = await readSpares(shared.table);
    expect(spares).toHaveLength(1);
    expect(await shared.hostsOf(id!)).toContain(spares[0]!.host_id);
  });
});

describe('spares of a flavor', () => {
  it('have places on hosts, beside load balancers, and become a load balancer there', async () => {
    const flavor_id = await shared.world.flavor({ colocation: 4, spare_amphorae: 1 });
    await shared.created(2, { flavor_id });
    await shared.world.housekeeping();
    await shared.world.settle();
    expect(await shared.taken()).toEqual([3]);
    const [spare] = await readSpares(shared.table);
    const [third] = await shared.created(1, { flavor_id });
    expect((await shared.world.loadBalancer(third!)).amphora_ids).toEqual([spare!.id]);
    expect(await shared.taken()).toEqual([3]);
  });

  it('are named by the setting too, and are nothing for who wants a machine alone', async () => {
    await shared.restart({ spare_pools: '[{"colocation": 4, "spare_amphorae": 1}]' });
    await shared.world.housekeeping();
    await shared.world.settle();
    const [alone] = await shared.created(1, {});
    expect(await shared.hostsOf(alone!)).toEqual([undefined]);
    const [beside] = await shared.created(1, { flavor_id: await shared.world.flavor({ colocation: 4 }) });
    expect(await shared.taken()).toEqual([1]);
    expect(await readSpares(shared.table)).toEqual([]);
    expect((await shared.hostsOf(beside!))[0]).toBe((await readHosts(shared.table))[0]!.id);
  });
});
