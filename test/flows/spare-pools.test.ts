// Pools of spares: each is kept at its size, whoever dies at whatever moment, and what is in it is replaced before it is let go.
import { afterEach, describe, expect, it } from 'vitest';
import type { AmphoraRow } from '../../lambdas/domain/amphora.ts';
import type { NoopComputeDriver } from '../../lambdas/drivers/compute/noop.ts';
import { scanHealth } from '../../lambdas/health-manager/scan.ts';
import { keepSpares } from '../../lambdas/housekeeping/spares.ts';
import { readAllAmphorae, readSpares, setAmphora } from '../../lambdas/repositories/amphorae.ts';
import { readPools } from '../../lambdas/repositories/spare-pools.ts';
import type { Config } from '../../lambdas/runtime/config.ts';
import { unsoundness } from '../support/flow-soundness.ts';
import { FlowWorld } from '../support/flow-world.ts';

let world: FlowWorld;
afterEach(() => world.close());

const spares = () => readSpares(world.outside.table);
const sortedIds = (rows: AmphoraRow[]) => rows.map(({ id }) => id).toSorted();
const image = (name: string) => {
  (world.outside.compute as NoopComputeDriver).image = name;
};

/** Rounds of housekeeping, and what they start, until nothing is left to do. */
async function rounds(count: number): Promise<void> {
  for (let round = 0; round < count; round++) {
    await world.housekeeping();
    await world.settle();
    world.clock.turn(30_000);
  }
}

async function withSpares(config: Partial<Config>): Promise<void> {
  world = new FlowWorld(config);
  image('one');
  await rounds(2);
}

async function administrator(path: string, root: string, attributes: object): Promise<Record<string, string>> {
  const { status, body } = await world.api({ method: 'POST', path: `/v2/lbaas/${path}`, body: { [root]: attributes } });
  if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body[root];
}

async function flavor(name: string, data: object): Promise<string> {
  const profile = { name, provider_name: 'amphora', flavor_data: JSON.stringify(data) };
  const { id: flavor_profile_id } = await administrator('flavorprofiles', 'flavorprofile', profile);
  return (await administrator('flavors', 'flavor', { name, flavor_profile_id }))['id']!;
}

async function zone(name: string, data: object): Promise<void> {
  const profile = { name, provider_name: 'amphora', availability_zone_data: JSON.stringify(data) };
  const made = await administrator('availabilityzoneprofiles', 'availability_zone_profile', profile);
  const availability_zone = { name, availability_zone_profile_id: made['id'] };
  await administrator('availabilityzones', 'availability_zone', availability_zone);
}

/** The amphora of a load balancer that is made with those choices. */
async function amphoraOf(choices: object): Promise<string> {
  const [subnet] = await world.outside.network.listSubnets();
  const loadbalancer = { vip_subnet_id: subnet!.id, ...choices };
  const { body } = await world.api({ method: 'POST', path: '/v2/lbaas/loadbalancers', body: { loadbalancer } });
  await world.settle();
  return (await world.loadBalancer(body.loadbalancer.id)).amphora_ids[0]!;
}

const counted = async () => {
  const kinds = (await spares()).map(({ compute_flavor, image_tag, wished_zone }) =>
    [compute_flavor, image_tag, wished_zone].map((one) => one ?? '-').join(),
  );
  return Object.fromEntries(
    [...new Set(kinds)].toSorted().map((kind) => [kind, kinds.filter((k) => k === kind).length]),
  );
};

describe('pools', () => {
  const large = { compute_flavor: 'large', image_tag: 'blue', availability_zone: 'az2', spare_amphorae: 1 };

  it('are kept for the deployment, its flavors, its zones and what a setting names', async () => {
    world = new FlowWorld({ spare_amphorae: 1, spare_pools: JSON.stringify([large]) });
    await flavor('large', { compute_flavor: 'large', spare_amphorae: 2 });
    await zone('first', { compute_zone: 'az1', spare_amphorae: 3 });
    await rounds(3);
    expect(await counted()).toEqual({ '-,-,-': 1, '-,-,az1': 3, 'large,-,-': 2, 'large,blue,az2': 1 });
    expect(await unsoundness(world)).toEqual([]);
  });

  it('give a spare to who wishes for exactly what it is', async () => {
    world = new FlowWorld({ spare_amphorae: 1 });
    const flavor_id = await flavor('large', { compute_flavor: 'large', spare_amphorae: 1 });
    await zone('first', { compute_zone: 'az1', spare_amphorae: 1 });
    await rounds(2);
    const before = new Map((await spares()).map((row) => [`${row.compute_flavor}/${row.wished_zone}`, row.id]));
    expect(await amphoraOf({ flavor_id })).toBe(before.get('large/null'));
    expect(await amphoraOf({ availability_zone: 'first' })).toBe(before.get('null/az1'));
    expect(await amphoraOf({ flavor_id, availability_zone: 'first' })).not.toBe(before.get('null/null'));
    expect(await amphoraOf({})).toBe(before.get('null/null'));
    expect(await spares()).toEqual([]);
  });

  it('end with their flavor', async () => {
    world = new FlowWorld();
    const id = await flavor('large', { compute_flavor: 'large', spare_amphorae: 2 });
    await rounds(2);
    expect(await spares()).toHaveLength(2);
    await world.api({ method: 'DELETE', path: `/v2/lbaas/flavors/${id}` });
    await rounds(2);
    expect(await readAllAmphorae(world.outside.table)).toEqual([]);
    expect(await readPools(world.outside.table)).toEqual(new Map());
  });

  it.each([
    ['spare_amphorae -1 is less than the minimum of 0', -1],
    ['spare_amphorae 101 is greater than the maximum of 100', 101],
    ["spare_amphorae True is not of type 'integer'", true],
    ["spare_amphorae '2' is not of type 'integer'", '2'],
  ])('are of a size that makes sense: %s', async (reason, spare_amphorae) => {
    world = new FlowWorld();
    await expect(flavor('large', { spare_amphorae })).rejects.toThrow(reason);
  });

  it.each(['{', '[{"spare_amphorae": -1}]', '[{"size": 1, "spare_amphorae": 1}]'])(
    'of a setting that says %s are refused by name',
    async (spare_pools) => {
      world = new FlowWorld({ spare_pools });
      await expect(keepSpares(world.services)).rejects.toThrow('setting spare_pools');
    },
  );

  it('are filled a few at a time', async () => {
    world = new FlowWorld({ spare_amphorae: 7, spare_builds: 3 });
    expect(await keepSpares(world.services)).toBe(3);
    expect(await keepSpares(world.services)).toBe(0);
    await rounds(4);
    expect(await spares()).toHaveLength(7);
  });
});

describe('a spare', () => {
  const reasons: Record<string, () => unknown> = {
    'of an old image': () => image('two'),
    'that is too old': () => world.clock.turn(2_592_000_001),
    'whose certificate ends soon': async () => {
      for (const { id } of await spares())
        await setAmphora(world.services, id, { cert_expiration: '2025-06-02T00:00:00' });
    },
  };

  it.each(Object.keys(reasons))('%s goes after another one is ready in its place', async (name) => {
    await withSpares({ spare_amphorae: 2 });
    const old = sortedIds(await spares());
    await reasons[name]!();
    const held = world.hold('build-amphora/FinalizeAmphora');
    await world.housekeeping();
    await held.reached();
    expect(sortedIds(await spares())).toEqual(expect.arrayContaining([old[0]]));
    expect((await spares()).length).toBeGreaterThanOrEqual(2);
    held.letGo();
    await world.settle();
    world.on('compute.delete', 'before', async () => expect((await spares()).length).toBeGreaterThanOrEqual(2), 9);
    await rounds(3);
    expect(await spares()).toHaveLength(2);
    for (const id of sortedIds(await spares())) expect(old).not.toContain(id);
    expect(world.refusals).toEqual([]);
    expect(await unsoundness(world)).toEqual([]);
  });

  it('that is not heard any more is ended, and another is built', async () => {
    await withSpares({ spare_amphorae: 1, failover_share_floor: 3 });
    const [silent] = await spares();
    for (let scans = 0; scans < 30; scans++) {
      await scanHealth(world.services);
      world.clock.turn(3_000);
    }
    expect(await spares()).toEqual([]);
    await rounds(2);
    expect((await spares()).map(({ id }) => id)).not.toContain(silent!.id);
    expect(await spares()).toHaveLength(1);
  });

  it('that is as it should be stays, however often it is looked at', async () => {
    await withSpares({ spare_amphorae: 2 });
    const before = sortedIds(await spares());
    world.journal.length = 0;
    await rounds(10);
    expect(sortedIds(await spares())).toEqual(before);
    expect(world.journal).toEqual([]);
  });
});

describe('a round', () => {
  it('beside another one builds nothing twice', async () => {
    world = new FlowWorld({ spare_amphorae: 3 });
    const started = await Promise.all([1, 2, 3, 4].map(() => keepSpares(world.services)));
    expect(started.toSorted()).toEqual([0, 0, 0, 3]);
    await world.settle();
    expect(world.journal.filter((call) => call === 'compute.build')).toHaveLength(3);
    expect(await spares()).toHaveLength(3);
  });

  it('that is killed at any of its steps is made up for by the next, and nothing is built in vain', async () => {
    let number = 0;
    for (let isOver = false; !isOver; ) {
      await withSpares({ spare_amphorae: 2 });
      image('two');
      world.effects = 0;
      world.journal.length = 0;
      number += 1;
      world.atEffect = { number, act: world.die };
      await rounds(5);
      isOver = world.effects < number;
      expect([number, (await spares()).map(({ image_id }) => image_id)]).toEqual([number, ['two', 'two']]);
      await world.age();
      expect(await unsoundness(world)).toEqual([]);
      expect(await spares()).toHaveLength(2);
      if (!isOver) await world.close();
    }
    expect(number).toBeGreaterThan(15);
  });
});

it('a build that was written down and not started for an hour is given up, and counts for no failure', async () => {
  await withSpares({ spare_amphorae: 0 });
  world.services.config.spare_amphorae = 1;
  world.on('flows.start', 'before', world.die);
  await world.housekeeping();
  await world.runOut();
  world.refusals.length = 0;
  const lost = (await readAllAmphorae(world.outside.table)).map(({ id }) => id);
  expect(lost).toHaveLength(1);
  world.clock.turn(3_600_000);
  await rounds(3);
  expect((await readAllAmphorae(world.outside.table)).map(({ id }) => id)).not.toContain(lost[0]);
  expect(await spares()).toHaveLength(1);
  expect(world.outside.events.published.filter(({ type }) => type === 'spare_build_failed')).toEqual([]);
  expect(await unsoundness(world)).toEqual([]);
});

describe('builds that fail', () => {
  const failure = () => {
    throw new Error('no capacity, as tested');
  };
  const announced = () => world.outside.events.published.filter(({ type }) => type === 'spare_build_failed');

  it('are tried ever more rarely, one at a time, and announced each time', async () => {
    world = new FlowWorld({ spare_amphorae: 3 });
    const fault = world.on('compute.build', 'before', failure, Number.POSITIVE_INFINITY);
    await rounds(60);
    const failures = announced().map(({ detail }) => detail['failures']);
    // Half an hour in rounds of half a minute: after 30 s, 1 min, 2, 4, 8 and 16.
    expect(failures.length).toBeLessThanOrEqual(8);
    expect(failures).toEqual(failures.map((_, index) => index + 1));
    fault.times = 0;
    world.clock.turn(3_600_000);
    await rounds(6);
    expect(await spares()).toHaveLength(3);
    expect(await unsoundness(world)).toEqual([]);
  });
});
