// Keys of heartbeats are replaced while heartbeats are on their way: none is dropped, and none is taken that nobody has the key of.
import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { SignedHeartbeat } from '../../amphora/agent-api.ts';
import type { AmphoraRow } from '../../lambdas/domain/amphora.ts';
import { heartbeatPurpose } from '../../lambdas/domain/heartbeat.ts';
import { readAmphora, setAmphora } from '../../lambdas/repositories/amphorae.ts';
import { readHealth } from '../../lambdas/repositories/health.ts';
import { claimRotation, putNextHeartbeatKey } from '../../lambdas/repositories/rotations.ts';
import { amphoraOf, BeatingAmphora } from '../support/heartbeats.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

const given = usePlane(tables[0]!.make);
const oldKey = randomBytes(32).toString('hex');
const newKey = randomBytes(32).toString('hex');
let id: string;
let beating: BeatingAmphora;

const services = () => given.plane.services;
const row = async () => (await readAmphora(services().table, id)) as AmphoraRow;
const sealed = (key: string) => services().sealer.seal(key, heartbeatPurpose(id));
const sequence = async () => (await readHealth(services().table, [id])).get(id)?.sequence;
const beat = (key: string): SignedHeartbeat => {
  services().clock.turn(1);
  return beating.signed(beating.beat(), key);
};
const rotations = () => given.plane.services.events.published.filter(({ type }) => type === 'heartbeat_key_rotated');

/** The next key is on record, as before the amphora gets it. */
async function isToChange(): Promise<void> {
  await claimRotation(services(), await row(), 'rotate-1', services().clock.now() + 60_000);
  expect(await putNextHeartbeatKey(services(), await row(), 'rotate-1', sealed(newKey))).toBe(true);
}

beforeEach(async () => {
  const loadBalancer = await given.api.createLoadBalancer();
  await given.plane.settle();
  ({ id } = await amphoraOf(given.plane, loadBalancer.id));
  await setAmphora(services(), id, { heartbeat_key: sealed(oldKey) });
  beating = new BeatingAmphora(given.plane, await row());
});

describe('a heartbeat', () => {
  it('with the key in use is taken in while the next one is on record, as often as it takes', async () => {
    await isToChange();
    for (let count = 0; count < 3; count++) {
      const before = await sequence();
      await beating.deliver(beat(oldKey));
      expect(await sequence()).not.toBe(before);
    }
    expect((await row()).next_heartbeat_key).toBeTruthy();
    expect(rotations()).toEqual([]);
  });

  it('with the next key makes that the key, once, and those before it in the queue are taken in afterwards', async () => {
    await isToChange();
    const late = beat(oldKey);
    await Promise.all([beating.deliver(beat(newKey)), beating.deliver(beat(newKey))]);
    const now = await row();
    expect(now).toMatchObject({ heartbeat_key_version: 1, next_heartbeat_key: null });
    expect(services().sealer.open(now.heartbeat_key, heartbeatPurpose(id))).toBe(newKey);
    expect(rotations()).toHaveLength(1);
    const warned = await warnings(() => beating.deliver(late));
    expect(warned).toBe(0);
  });

  it('with the key before counts for nothing once nothing can be on its way any more', async () => {
    await isToChange();
    await beating.deliver(beat(newKey));
    services().clock.turn(services().config.heartbeat_key_overlap_ms);
    expect(await warnings(() => beating.deliver(beat(oldKey)))).toBe(1);
  });

  it('with a key nobody gave it counts for nothing', async () => {
    await isToChange();
    expect(await warnings(() => beating.deliver(beat(randomBytes(32).toString('hex'))))).toBe(1);
  });

  it('is never dropped when hundreds are on their way in any order while the key changes', async () => {
    await isToChange();
    await beating.deliver(beat(oldKey));
    const old = Array.from({ length: 150 }, () => beat(oldKey));
    const all = [...old, ...Array.from({ length: 150 }, () => beat(newKey))];
    const last = all.at(-1)!;
    const shuffled = all.map((one, index) => ({ one, at: (index * 7_919) % 300 })).toSorted((a, b) => a.at - b.at);
    const batches = Array.from({ length: 30 }, (_, batch) => shuffled.slice(batch * 10, batch * 10 + 10));
    const warned = await warnings(() =>
      Promise.all(batches.map((batch) => beating.deliver(...batch.map(({ one }) => one)))),
    );
    expect(warned).toBe(0);
    const { seq } = JSON.parse(last.payload);
    expect(await sequence()).toContain(String(seq));
    expect((await row()).heartbeat_key_version).toBe(1);
    expect(rotations()).toHaveLength(1);
  });
});

/** How many heartbeats were dropped for their signature meanwhile. */
async function warnings(work: () => Promise<unknown>): Promise<number> {
  const { logger } = services();
  let dropped = 0;
  const warn = logger.warn;
  logger.warn = (message) => {
    if (message.includes('wrong signature')) dropped += 1;
  };
  await work().finally(() => {
    logger.warn = warn;
  });
  return dropped;
}
