// The flow that renews what an amphora was born with: wherever it is cut short it comes to its end, and the amphora stays.
import { afterEach, describe, expect, it } from 'vitest';
import { DriverError, NotReady } from '../../lambdas/domain/errors.ts';
import { timestamp } from '../../lambdas/domain/time.ts';
import { readAllAmphorae, readAmphora, setAmphora } from '../../lambdas/repositories/amphorae.ts';
import { unsoundness } from '../support/flow-soundness.ts';
import { taskStates } from '../support/flow-states.ts';
import { FlowWorld } from '../support/flow-world.ts';

let world: FlowWorld;
afterEach(() => world.close());

const dayMs = 86_400_000;
const states = taskStates.filter(({ flow, isRevert }) => flow === 'rotate-amphora-certificate' && !isRevert);
const announced = (type: string) => world.outside.events.published.filter((one) => one.type === type);
const calls = (name: string) => world.journal.filter((one) => one === `amphora.${name}`).length;

async function begin(): Promise<{ id: string; amphora: string }> {
  world = new FlowWorld();
  const id = await world.createActive();
  const amphora = (await world.loadBalancer(id)).amphora_ids[0]!;
  const set = { cert_expiration: timestamp(world.clock.now() + 10 * dayMs), heartbeat_key_at: 0 };
  await setAmphora(world.outside, amphora, set);
  return { id, amphora };
}
const rowOf = (amphora: string) => readAmphora(world.outside.table, amphora);

async function isRenewed(id: string, amphora: string): Promise<void> {
  const row = await rowOf(amphora);
  expect(row).toMatchObject({ rotation: null, rotation_pause: null, cert_authority: 'paper' });
  expect(row!.cert_expiration).toBe('2035-01-01T00:00:00.000000');
  expect(row!.next_heartbeat_key).toBeTruthy();
  expect((await world.loadBalancer(id)).amphora_ids).toEqual([amphora]);
  expect(await unsoundness(world)).toEqual([]);
}

it('renews a certificate that is about to end and a key that is old, and replaces nobody', async () => {
  const { id, amphora } = await begin();
  await world.housekeeping();
  expect((await rowOf(amphora))!.rotation).toMatch(/^rotate-/);
  await world.settle();
  await isRenewed(id, amphora);
  expect({ certificates: calls('putCertificate'), keys: calls('putHeartbeatKey') }).toEqual({
    certificates: 1,
    keys: 1,
  });
  expect(announced('certificate_rotated')).toHaveLength(1);
  await world.housekeeping();
  await world.settle();
  expect(calls('putCertificate')).toBe(1);
});

describe.each(states)('at $name', ({ at, name: state }) => {
  const ends: Record<string, () => unknown> = {
    'the process is killed before it': () => world.on(at, 'before', world.die),
    'the process is killed after it': () => world.on(at, 'after', world.die),
    'the flow is stopped': () => world.on(at, 'after', world.abortFlows),
    'it fails until it is given up': () =>
      world.on(at, 'before', () => Promise.reject(new DriverError('as tested')), 6),
    'the agent is away': () => world.on(at, 'before', () => Promise.reject(new NotReady('AmphoraNotReady', 'away')), 7),
  };
  // The last one talks to no agent.
  const possible = Object.keys(ends).filter((name) => state !== 'EndRotation' || name !== 'the agent is away');
  it.each(possible)('comes to its end when %s', async (name) => {
    const { id, amphora } = await begin();
    ends[name]!();
    await world.housekeeping();
    await world.settle();
    await world.age();
    await isRenewed(id, amphora);
  });
});

it('waits longer after each failure, says so, and replaces the amphora when its certificate is about to end', async () => {
  const { id, amphora } = await begin();
  const refuses = () => Promise.reject(new DriverError('the agent refuses'));
  world.on('amphora.putCertificate', 'before', refuses, Number.POSITIVE_INFINITY);
  await world.housekeeping();
  await world.settle();
  const first = (await rowOf(amphora))!.rotation_pause!;
  await world.housekeeping();
  await world.settle();
  expect(announced('certificate_rotation_failed')).toHaveLength(1);
  world.clock.turn(first.length_ms + 1);
  await world.housekeeping();
  await world.settle();
  expect((await rowOf(amphora))!.rotation_pause!.length_ms).toBe(2 * first.length_ms);
  expect(announced('certificate_rotation_failed')[0]!.detail['reason']).toContain('the agent refuses');
  world.clock.turn(8 * dayMs);
  await world.age();
  expect(await rowOf(amphora)).toBeUndefined();
  expect((await world.loadBalancer(id)).amphora_ids).toHaveLength(1);
  expect(await unsoundness(world)).toEqual([]);
});

it('renews spares too, and no more at once than it is told', async () => {
  world = new FlowWorld({ spare_amphorae: 5, concurrent_rotations: 2 });
  await world.housekeeping();
  await world.settle();
  const spares = await readAllAmphorae(world.outside.table);
  const soon = timestamp(world.clock.now() + 10 * dayMs);
  for (const { id } of spares) await setAmphora(world.outside, id, { cert_expiration: soon });
  for (const left of [3, 1, 0]) {
    await world.housekeeping();
    await world.housekeeping();
    await world.settle();
    const rows = await readAllAmphorae(world.outside.table);
    expect(rows.filter(({ cert_expiration }) => cert_expiration === soon)).toHaveLength(left);
  }
  expect((await readAllAmphorae(world.outside.table)).map(({ id }) => id).toSorted()).toEqual(
    spares.map(({ id }) => id).toSorted(),
  );
});

it('keeps certificates and keys out of the flow’s own state', async () => {
  const { amphora } = await begin();
  await world.housekeeping();
  const { rotation } = (await rowOf(amphora))!;
  await world.settle();
  const execution = await world.flows.describe('rotate-amphora-certificate', rotation!);
  expect(execution).toMatchObject({ state: 'SUCCEEDED', input: { amphora_id: amphora, execution: rotation } });
  const renewed = { is_renewed: true };
  expect(execution!.output).toEqual({
    ...{ amphora_id: amphora, execution: rotation },
    ...{ authorities: { is_renewed: false }, certificate: renewed, heartbeat_key: renewed },
  });
});
