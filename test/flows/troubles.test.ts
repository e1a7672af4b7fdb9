// Whoever looks after many meets some that cannot be helped now, round after round: the others get their turn all the same.
import { afterEach, expect, it } from 'vitest';
import { scanHealth } from '../../lambdas/health-manager/scan.ts';
import { replaceExpiring } from '../../lambdas/housekeeping/certificates.ts';
import { reconcile } from '../../lambdas/housekeeping/reconcile.ts';
import { rotateCertificates } from '../../lambdas/housekeeping/rotation.ts';
import { keepSpares } from '../../lambdas/housekeeping/spares.ts';
import { readAllAmphorae, readSpares, setAmphora } from '../../lambdas/repositories/amphorae.ts';
import { readAllHealth } from '../../lambdas/repositories/health.ts';
import { FlowAmphorae } from '../support/flow-amphorae.ts';
import { unsoundness } from '../support/flow-soundness.ts';
import { FlowWorld } from '../support/flow-world.ts';

let world: FlowWorld;
afterEach(() => world.close());

const broken = () => {
  throw new Error('as tested');
};
const always = Number.POSITIVE_INFINITY;

/** Amphorae that fall silent at the same time, and are scanned for once that is known. @returns what the scan threw */
async function fallSilent(ids: string[]): Promise<unknown> {
  const amphorae = new FlowAmphorae(world);
  for (const id of ids) amphorae.silent.add(id);
  for (let passed = 0; passed < 60_000; passed += 10_000) {
    await scanHealth(world.services);
    world.clock.turn(10_000);
    await amphorae.speak();
  }
  world.clock.turn(1);
  return scanHealth(world.services).then(
    () => undefined,
    (error) => error,
  );
}

it('fails an amphora over although a spare that is silent for longer cannot be ended', async () => {
  world = new FlowWorld({ spare_amphorae: 1 });
  await world.housekeeping();
  await world.settle();
  const [spare] = await readSpares(world.outside.table);
  world.services.config.spare_amphorae = 0;
  await world.outside.table.transact([
    { kind: 'update', key: { pk: `AMPHORA#${spare!.id}`, sk: 'AMPHORA' }, set: { compute_flavor: 'other' } },
  ]);
  const id = await world.createActive();
  const [lost] = (await world.loadBalancer(id)).amphora_ids;
  world.on('compute.delete', 'before', broken, always);
  expect(await fallSilent([spare!.id, lost!])).toBeInstanceOf(AggregateError);
  expect((await world.loadBalancer(id)).operation).toMatchObject({ kind: 'failover', amphora_id: lost });
});

it('does not count for silent what it has replaced and cannot end', async () => {
  world = new FlowWorld({ failover_share_floor: 1, failover_share_limit: 0.3 });
  const ids: string[] = [];
  for (let count = 0; count < 6; count++) ids.push(await world.createActive());
  // The old machines cannot be ended: EC2 refuses, or an administrator has protected them.
  world.on('compute.delete', 'before', broken, always);
  for (const id of ids.slice(0, 4)) await world.failover(id);
  await world.runOut();
  const rows = await readAllAmphorae(world.outside.table);
  const replaced = rows.filter(({ status }) => status === 'PENDING_DELETE').map(({ id }) => id);
  expect(replaced).toHaveLength(4);
  expect(await readAllHealth(world.outside.table)).toHaveLength(10);
  const [lost] = (await world.loadBalancer(ids[5]!)).amphora_ids;
  await fallSilent([...replaced, lost!]);
  expect((await world.loadBalancer(ids[5]!)).operation).toMatchObject({ kind: 'failover', amphora_id: lost });
});

it('sets an operation going again although another cannot be looked at', async () => {
  world = new FlowWorld();
  for (const id of [await world.createActive(), await world.createActive()]) await world.rename(id);
  expect(world.queue.lose()).toBe(2);
  world.clock.turn(world.services.config.operation_timeout_ms);
  world.on('table.transact', 'before', broken);
  await expect(reconcile(world.services)).rejects.toThrow(AggregateError);
  const attempts = (await world.loadBalancers()).map(({ operation }) => operation!.attempts);
  expect(attempts.toSorted()).toEqual([0, 1]);
  await world.settle();
  expect(await unsoundness(world)).toEqual([]);
});

it('fills a pool of spares although there is no image for another', async () => {
  const pools = [
    { compute_flavor: null, image_tag: 'gone', spare_amphorae: 1 },
    { compute_flavor: 'large', image_tag: null, spare_amphorae: 1 },
  ];
  world = new FlowWorld({ spare_amphorae: 1, spare_pools: JSON.stringify(pools) });
  const { compute } = world.outside;
  const currentImage = compute.currentImage.bind(compute);
  compute.currentImage = async (wish) => (wish.image_tag === 'gone' ? broken() : currentImage(wish));
  await expect(keepSpares(world.services)).rejects.toThrow(AggregateError);
  await world.settle();
  const flavors = (await readSpares(world.outside.table)).map(({ compute_flavor }) => compute_flavor ?? null);
  expect(flavors.toSorted()).toEqual(['large', null]);
});

it.each([
  ['renews the certificate', (services: FlowWorld['services']) => rotateCertificates(services), 'flows.start'],
  ['replaces the amphora', (services: FlowWorld['services']) => replaceExpiring(services), 'table.transact'],
])('%s that ends soon although that of another cannot be', async (_, part, at) => {
  world = new FlowWorld();
  for (const _each of [1, 2]) await world.createActive();
  for (const { id } of await readAllAmphorae(world.outside.table))
    await setAmphora(world.outside, id, { cert_expiration: '2025-06-02T00:00:00' });
  const fault = world.on(at, 'before', broken, 1);
  await expect(part(world.services)).rejects.toThrow(AggregateError);
  expect(fault.times).toBe(0);
  const [rows, loadBalancers] = [await readAllAmphorae(world.outside.table), await world.loadBalancers()];
  const begun = [...rows.filter(({ rotation }) => rotation), ...loadBalancers.filter(({ operation }) => operation)];
  expect(begun.length).toBeGreaterThan(0);
  await world.settle();
  expect(await unsoundness(world)).toEqual([]);
});
