// Machines that AWS will take away: their amphorae are replaced while they serve, a few at a time.
import { readFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { computeEventHandler } from '../../lambdas/health-manager/compute-event.ts';
import { housekeepingHandler } from '../../lambdas/housekeeping/handler.ts';
import { readAmphora } from '../../lambdas/repositories/amphorae.ts';
import { setStormGuard } from '../../lambdas/repositories/storm-guard.ts';
import type { Config } from '../../lambdas/runtime/config.ts';
import { FlowWorld } from '../support/flow-world.ts';
import { over } from '../support/over.ts';

const sample = (file: string) => JSON.parse(readFileSync(`events/heard/${file}.json`, 'utf8'));
const health = (entities: string[]) => {
  const event = sample('health-event');
  return { ...event, detail: { ...event.detail, affectedEntities: entities.map((entityValue) => ({ entityValue })) } };
};

let world: FlowWorld;
const begin = (config: Partial<Config> = {}) => {
  world = new FlowWorld({ topology: 'ACTIVE_STANDBY', ...config });
};
afterEach(() => world.close());

/** EC2's names of machines: i-1, i-2 ... in the order given. */
const handle = (amphoraIds: string[], event: any) => {
  const { compute } = world.services;
  const get: typeof compute.get = async (id) => {
    const amphora_id = amphoraIds[Number(id.slice(2)) - 1];
    const found = await compute.get(amphora_id ?? id);
    return amphora_id === undefined ? { ...found, amphora_id: '', state: 'GONE' } : { ...found, compute_id: id };
  };
  return computeEventHandler({ ...world.services, compute: over(compute, { get }) })(event);
};
const operationOf = async (id: string) => (await world.loadBalancer(id)).operation;

it.each([
  ['AWS Health tells of its retirement', () => health(['i-1'])],
  ['AWS Health names it by its ARN', () => health(['arn:aws:ec2:eu-central-1:123456789012:instance/i-1'])],
  ['a spot machine is interrupted', () => ({ ...sample('spot-interruption'), detail: { 'instance-id': 'i-1' } })],
])('when %s, the amphora is replaced by a planned failover, and only it', async (_, event) => {
  begin();
  const id = await world.createActive();
  const [retired, other] = (await world.loadBalancer(id)).amphora_ids as [string, string];
  expect(await handle([retired], event())).toEqual({ failed_over: 1 });
  expect(await operationOf(id)).toMatchObject({ kind: 'failover', amphora_id: retired, is_planned: true });
  expect(await handle([retired], event())).toEqual({ failed_over: 0 });
  await world.settle();
  const { amphora_ids, provisioning_status } = await world.loadBalancer(id);
  expect([amphora_ids.includes(retired), amphora_ids.includes(other), amphora_ids.length]).toEqual([false, true, 2]);
  expect(provisioning_status).toBe('ACTIVE');
  expect(await handle([retired], event())).toEqual({ failed_over: 0 });
});

it('more retire at once than may fail over at once, and housekeeping replaces the others as it goes', async () => {
  begin({ topology: 'SINGLE', concurrent_failovers: 1 });
  const ids = [await world.createActive(), await world.createActive(), await world.createActive()];
  const before = await Promise.all(ids.map(async (id) => (await world.loadBalancer(id)).amphora_ids[0]!));
  expect(await handle(before, health(['i-1', 'i-2', 'i-3']))).toEqual({ failed_over: 1 });
  for (let round = 0; round < 2; round++) {
    await world.settle();
    await housekeepingHandler(world.services)();
  }
  await world.settle();
  for (const [index, id] of ids.entries()) {
    const { amphora_ids, provisioning_status } = await world.loadBalancer(id);
    expect([amphora_ids.includes(before[index]!), provisioning_status]).toEqual([false, 'ACTIVE']);
  }
});

it('nothing is moved where a storm is suspected, until it is over', async () => {
  begin();
  const id = await world.createActive();
  const [retired] = (await world.loadBalancer(id)).amphora_ids as [string];
  const zone = (await readAmphora(world.outside.table, retired))?.cached_zone ?? '';
  const guard = { zone, silent: 9, amphorae: 10 };
  await setStormGuard(world.outside, undefined, { ...guard, is_engaged: true });
  expect(await handle([retired], health(['i-1']))).toEqual({ failed_over: 0 });
  await setStormGuard(world.outside, { ...guard, is_engaged: true, since: 0 }, { ...guard, is_engaged: false });
  await housekeepingHandler(world.services)();
  expect(await operationOf(id)).toMatchObject({ kind: 'failover', amphora_id: retired });
});

it('a machine that is no amphora, and a change without machines, are left alone', async () => {
  begin();
  await world.createActive();
  expect(await handle([], health(['i-7']))).toEqual({ failed_over: 0 });
  expect(await handle([], health(['vol-0123', '']))).toEqual({ failed_over: 0 });
});
