// Hundreds of amphorae that fall silent at once, for reasons that are none of theirs: nothing is failed over, zone by zone, and what
// is failed over in the end goes at the pace that is set.
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { computeEventHandler } from '../../lambdas/health-manager/compute-event.ts';
import { scanHealth } from '../../lambdas/health-manager/scan.ts';
import { FlowAmphorae } from '../support/flow-amphorae.ts';
import { FlowWorld } from '../support/flow-world.ts';

const perZone = 250;
const zones = ['zone-a', 'zone-b'];
const stepMs = 10_000;

let world: FlowWorld;
let amphorae: FlowAmphorae;
const measured: unknown[] = [];
beforeAll(async () => {
  world = new FlowWorld({}, { metrics: { put: async (...each) => void measured.push(each) } });
  amphorae = new FlowAmphorae(world, { isCounting: false });
  for (const zone of zones) {
    await addZone(zone);
    for (let count = 0; count < perZone; count++) await create(zone);
  }
  await world.settle();
});
afterAll(() => world.close());
beforeEach(async () => {
  amphorae.silent.clear();
  await pass(60_000);
  world.outside.events.published.length = 0;
});

async function made(path: string, name: string, attributes: object): Promise<Record<string, any>> {
  const { status, body } = await world.api({ method: 'POST', path: `/v2/lbaas/${path}`, body: { [name]: attributes } });
  expect(status, JSON.stringify(body)).toBe(201);
  return body[name];
}

async function addZone(name: string): Promise<void> {
  const profile = await made('availabilityzoneprofiles', 'availability_zone_profile', {
    ...{ name, provider_name: 'amphora' },
    availability_zone_data: JSON.stringify({ compute_zone: name }),
  });
  await made('availabilityzones', 'availability_zone', { name, availability_zone_profile_id: profile['id'] });
}

async function create(availability_zone: string): Promise<void> {
  const [subnet] = await world.outside.network.listSubnets();
  await made('loadbalancers', 'loadbalancer', { vip_subnet_id: subnet!.id, availability_zone });
  // A large site was not made in one moment, and SQS hands over ten messages at a time.
  await world.runOut();
}

const underWay = async (): Promise<number> =>
  (await world.loadBalancers()).filter(({ operation }) => operation?.kind === 'failover').length;

/** Heartbeats and scans as time goes by. @returns failovers that were asked for */
async function pass(ms: number, { isHeard = true } = {}): Promise<number> {
  let failedOver = 0;
  for (let passed = 0; passed < ms; passed += stepMs) {
    world.clock.turn(stepMs);
    if (isHeard) await amphorae.speak();
    failedOver += (await scanHealth(world.services)).failed_over;
  }
  return failedOver;
}

async function silence(zone: string, count: number): Promise<string[]> {
  const there = (await amphorae.all()).filter(({ cached_zone }) => cached_zone === zone);
  const ids = there.slice(0, count).map(({ id }) => id);
  for (const id of ids) amphorae.silent.add(id);
  return ids;
}

const idsThere = async () => new Set((await amphorae.all()).map(({ id }) => id));
const told = () =>
  world.outside.events.published
    .filter(({ type }) => type.startsWith('storm'))
    .map(({ type, detail }) => [type, detail['zone'], detail['silent']]);
const ofZone = async (zone: string) =>
  (await world.loadBalancers()).find((row) => row.availability_zone_data?.compute_zone === zone)!;
async function summaryOf(zone: string): Promise<string> {
  const { id } = await ofZone(zone);
  return (await world.api({ path: `/v2/lbaas/loadbalancers/${id}/explain` })).body.explanation.summary.join(' ');
}

it('holds failovers back while three in ten are silent, says so, and releases by itself when they are heard', async () => {
  const before = await idsThere();
  for (const zone of zones) await silence(zone, 0.3 * perZone + 1);
  expect(await pass(600_000)).toBe(0);
  expect(told().toSorted()).toEqual(zones.map((zone) => ['storm_guard_engaged', zone, 76]));
  expect(await summaryOf('zone-b')).toContain('76 of 250 of zone zone-b fell silent at once');
  expect(measured.at(-1)).toEqual([
    { StormGuardedZones: 2 },
    { zones: zones.join(','), silent: '152', amphorae: '500' },
  ]);
  amphorae.silent.clear();
  expect(await pass(30_000)).toBe(0);
  expect(told().slice(2).toSorted()).toEqual(zones.map((zone) => ['storm_guard_released', zone, 0]));
  expect(await summaryOf('zone-b')).not.toContain('fell silent');
  expect(measured.at(-1)).toEqual([{ StormGuardedZones: 0 }, { zones: '', silent: '0', amphorae: '500' }]);
  expect(await idsThere()).toEqual(before);
});

it('holds one zone back and fails over in the other, never more at once than is set', async () => {
  const held = await silence('zone-a', 100);
  const lost = await silence('zone-b', 45);
  let replaced = 0;
  let most = 0;
  for (let rounds = 0; rounds < 30; rounds++) {
    await pass(20_000);
    most = Math.max(most, await underWay());
    // Some of the scans find flows that are still at work.
    if (rounds % 2 === 0) continue;
    replaced += await underWay();
    await world.runOut();
  }
  expect([replaced, most]).toEqual([lost.length, 10]);
  const there = await idsThere();
  expect(held.filter((id) => !there.has(id))).toEqual([]);
  expect(lost.filter((id) => there.has(id))).toEqual([]);
  expect(told()).toEqual([['storm_guard_engaged', 'zone-a', 100]]);
});

/** Flows go on, and what they end is replaced, until nothing is left to do. @returns the most that were under way at once */
async function recover(lost: string[]): Promise<number> {
  let most = 0;
  for (let rounds = 0; rounds < 60; rounds++) {
    await pass(20_000);
    most = Math.max(most, await underWay());
    await world.runOut();
    const there = await idsThere();
    if (!lost.some((id) => there.has(id))) return most;
  }
  throw new Error('some are never replaced');
}

it('machines that end by the hundred are held back while their zone goes out, and then replaced at the pace that is set', async () => {
  const lost = await silence('zone-a', 100);
  const handle = computeEventHandler(world.services);
  for (const amphora_id of lost) {
    await handle({ detail: { 'instance-id': `i-${amphora_id}`, state: 'terminated', amphora_id } });
    world.clock.turn(100);
  }
  // Those that were told of before anybody could know how many there would be.
  expect(await underWay()).toBe(10);
  // News of a little more than a second lead to one look together.
  expect(told()).toEqual([['storm_guard_engaged', 'zone-a', 79]]);
  await world.runOut();
  expect(await pass(50_000)).toBe(0);
  expect(await recover(lost)).toBe(10);
  expect(told().at(-1)).toEqual(['storm_guard_released', 'zone-a', 0]);
});

it('one machine that ends is not waited for', async () => {
  const [amphora_id] = await silence('zone-b', 1);
  const detail = { 'instance-id': `i-${amphora_id}`, state: 'terminated', amphora_id: amphora_id! };
  expect(await computeEventHandler(world.services)({ detail })).toEqual({ failed_over: 1 });
  await world.runOut();
  expect((await idsThere()).has(amphora_id!)).toBe(false);
});

it('a zone whose last amphora goes is not held back for good', async () => {
  await addZone('zone-c');
  for (let count = 0; count < 5; count++) await create('zone-c');
  await silence('zone-c', 5);
  await pass(80_000);
  expect(told()).toEqual([['storm_guard_engaged', 'zone-c', 5]]);
  const rows = (await world.loadBalancers()).filter((row) => row.availability_zone_data?.compute_zone === 'zone-c');
  for (const { id } of rows) expect(await world.remove(id)).toBe(204);
  await world.settle();
  await pass(20_000);
  expect(told().at(-1)).toEqual(['storm_guard_released', 'zone-c', 0]);
});

it('a control plane that was down for an hour fails nothing over when it returns', async () => {
  const before = await idsThere();
  world.clock.turn(3_600_000);
  // The scan may well come before the first heartbeat.
  expect((await scanHealth(world.services)).failed_over).toBe(0);
  expect(await pass(300_000)).toBe(0);
  expect(await idsThere()).toEqual(before);
  expect(told()).toEqual([]);
});
