// Machines that end by the dozen are told of by as many messages, which functions take side by side.
import { afterEach, expect, it } from 'vitest';
import { computeEventHandler } from '../../lambdas/health-manager/compute-event.ts';
import { scanHealth } from '../../lambdas/health-manager/scan.ts';
import { FlowAmphorae } from '../support/flow-amphorae.ts';
import { FlowWorld } from '../support/flow-world.ts';

let world: FlowWorld;
afterEach(() => world.close());

const atOnce = 3;
const underWay = async () => (await world.loadBalancers()).filter(({ operation }) => operation?.kind === 'failover');

it('begins no more failovers than are set when many machines end in the same moment', async () => {
  world = new FlowWorld({ concurrent_failovers: atOnce, failover_share_limit: 0.9, failover_share_floor: 100 });
  for (let count = 0; count < 16; count++) await world.createActive();
  const amphorae = new FlowAmphorae(world, { isCounting: false });
  await amphorae.speak();
  await scanHealth(world.services);
  const lost = (await amphorae.all()).slice(0, 12);
  for (const { id } of lost) amphorae.silent.add(id);
  world.clock.turn(5_000);
  let scans = 0;
  world.on('table.query', 'before', () => void scans++, Number.POSITIVE_INFINITY);
  const news = computeEventHandler(world.services);
  const tell = ({ id, compute_id }: (typeof lost)[number]) =>
    news({ detail: { 'instance-id': compute_id!, state: 'terminated', amphora_id: id } });
  await Promise.all(lost.map(tell));
  expect((await underWay()).length).toBe(atOnce);
  // Of sixteen shards and what else a scan asks for.
  expect(scans).toBeLessThan(2 * 20);
  // The others have their turn without being told of again.
  for (let rounds = 0; rounds < 20; rounds++) {
    await world.runOut();
    world.clock.turn(5_000);
    await amphorae.speak();
    await scanHealth(world.services);
    expect((await underWay()).length).toBeLessThanOrEqual(atOnce);
  }
  const left = new Set((await amphorae.all()).map(({ id }) => id));
  expect(lost.filter(({ id }) => left.has(id))).toEqual([]);
});
