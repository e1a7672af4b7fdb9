// Signs of life: one row per amphora with when it was last heard, what it runs and what it has counted. One write per heartbeat.

import type { Suspicion } from '../domain/suspicion.ts';
import {
  type Condition,
  type Item,
  limits,
  type Operation,
  queryAll,
  type Table,
  TransactionCancelled,
} from '../drivers/table/table.ts';
import { readAmphora } from './amphorae.ts';
import { amphoraKey, countingAmphoraKey, healthKey, healthShards, rowOf } from './keys.ts';
import { type MemberPage, pageOperation, recordLatePages } from './member-statistics.ts';
import { passes } from './passes.ts';
import type { Store } from './store.ts';

/** Beside these, counters named `<name>#<listener id>`. */
export interface HealthRow {
  amphora_id: string;
  load_balancer_id: string | null;
  /** Where its machine is, when compute has put it somewhere in particular. */
  zone?: string | null;
  /** The host it shares with others; null: its machine is its own. */
  host_id?: string | null;
  /** Milliseconds since the epoch, our clock. */
  last_seen: number;
  /** Orders the heartbeats of one agent process, and its processes. */
  boot: string;
  sequence: string;
  generation: number | null;
  digest: string | null;
  /** Of the statuses that were rolled up last; '' when they have to be looked at again. */
  rolled_up: string;
  /** Open connections by listener, as last reported. */
  active: Record<string, number>;
  /** The other one of its pair, which does not answer it. */
  suspect?: Suspicion | null;
  /** When compute told that its machine ended; no news of an agent started since. */
  ended_at?: number | null;
  /** From that generation on, what listeners that are not among its counters have counted is news. */
  counted_from?: number;
}

export interface Sign {
  row: Omit<HealthRow, 'rolled_up'> & { rolled_up?: string };
  /** What listeners have counted since the amphora began: `<name>#<listener id>`. */
  counted: Record<string, number>;
  /** What members have counted since then, as far as there is news. */
  pages?: MemberPage[];
  /** Of the heartbeat that was the newest when this one was judged; undefined: there was none. */
  after?: string | undefined;
}

/** Beside the sign itself. */
const pagesPerSign = limits.operationsPerTransaction - 1;

export async function readHealth(table: Table, amphoraIds: string[]): Promise<Map<string, HealthRow>> {
  if (amphoraIds.length === 0) return new Map();
  const items = await table.batchGet(amphoraIds.map(healthKey));
  return new Map(items.map((item) => [item.sk, rowOf<HealthRow>(item)]));
}

/** Every amphora's: always the same sixteen queries, whatever happens. */
export async function readAllHealth(table: Table): Promise<HealthRow[]> {
  const shards = await Promise.all([...healthShards].map((shard) => queryAll(table, { pk: `HEALTH#${shard}` })));
  return shards.flat().map((item: Item) => rowOf<HealthRow>(item));
}

/**
 * Takes in a heartbeat that is newer than the one before.
 * @returns false when another one was taken in meanwhile, by which it has to be judged again, or the amphora is not expected (any more)
 */
export async function recordSign(store: Store, { row, counted, pages = [], after }: Sign): Promise<boolean> {
  const { amphora_id, load_balancer_id } = row;
  const set = { ...row, ...counted };
  // Heartbeats that waited have more pages together than a transaction; cut off after it, they come again as late ones.
  const [together, later] = [pages.slice(-pagesPerSign), pages.slice(0, -pagesPerSign)];
  const ofMembers =
    load_balancer_id === null ? [] : together.map((page) => pageOperation(load_balancer_id, amphora_id, page));
  // Two that arrive at once were both judged by what was known before: the second to be written is judged again, newer or not.
  const isNext: Condition = after === undefined ? { missing: ['sequence'] } : { equals: { sequence: after } };
  const isTaken = await passes(store, [
    { kind: 'update', key: healthKey(amphora_id), set, when: { exists: true, ...isNext } },
    ...ofMembers,
  ]);
  if (isTaken && load_balancer_id !== null) await recordLatePages(store, load_balancer_id, amphora_id, later);
  return isTaken;
}

/** Notes that an amphora spoke, and nothing of what it said. */
export async function noteAlive(store: Store, amphoraId: string): Promise<void> {
  await updateExpected(store, amphoraId, { last_seen: store.clock.now() });
}

/** Notes that its machine ended, the first time it is told. @returns false when nobody expects signs of it */
export async function noteEnded(store: Store, amphoraId: string): Promise<boolean> {
  const row = (await readHealth(store.table, [amphoraId])).get(amphoraId);
  if (row === undefined) return false;
  if (row.ended_at == null) await updateExpected(store, amphoraId, { ended_at: store.clock.now() });
  return true;
}

/** Notes which statuses were rolled up, so that the same ones cost nothing next time. */
export async function noteRollUp(store: Store, amphoraId: string, rolledUp: string): Promise<void> {
  await updateExpected(store, amphoraId, { rolled_up: rolledUp });
}

/** Writes to the row of an amphora that is expected to speak; one that was removed in between stays removed. */
async function updateExpected(store: Store, amphoraId: string, set: Partial<HealthRow>): Promise<void> {
  try {
    await store.table.transact([{ kind: 'update', key: healthKey(amphoraId), set, when: { exists: true } }]);
  } catch (error) {
    if (!(error instanceof TransactionCancelled && error.hasFailedCondition)) throw error;
  }
}

/** A new amphora counts as heard of when it is handed over, so that one that never speaks is noticed too. */
export async function expectSigns(store: Store, amphoraId: string, loadBalancerId: string | null): Promise<void> {
  const { cached_zone: zone = null, host_id = null } = (await readAmphora(store.table, amphoraId)) ?? {};
  const last_seen = store.clock.now();
  const set = { amphora_id: amphoraId, load_balancer_id: loadBalancerId, zone, host_id, last_seen, rolled_up: '' };
  // Of one that was given up meanwhile a row would be left that is silent for ever.
  await passes(store, [
    { kind: 'update', key: healthKey(amphoraId), set },
    { kind: 'check', key: amphoraKey(amphoraId), when: { exists: true } },
    ...(loadBalancerId === null ? [] : [countsFor(loadBalancerId, amphoraId)]),
  ]);
}

/** From here on what it counts is its load balancer's, whether it is one of its amphorae yet, still, or not any more. */
const countsFor = (loadBalancerId: string, amphoraId: string): Operation => ({
  kind: 'update',
  key: countingAmphoraKey(loadBalancerId, amphoraId),
  set: { amphora_id: amphoraId },
});

const watchKey = { pk: 'HEALTH#watch', sk: 'WATCH' };

const lookKey = { pk: 'HEALTH#watch', sk: 'LOOK' };

/** The right to look at once. @returns false when somebody else got it less than the pause ago */
export async function claimLook({ table, clock }: Store, pauseMs: number): Promise<boolean> {
  const now = clock.now();
  for (const when of [{ below: { looked_at: now - pauseMs } }, { exists: false }]) {
    try {
      await table.transact([{ kind: 'update', key: lookKey, set: { looked_at: now }, when }]);
      return true;
    } catch (error) {
      if (!(error instanceof TransactionCancelled)) throw error;
    }
  }
  return false;
}

/** When the health of amphorae was looked at last, and since when without a gap. */
export interface Watch {
  scanned_at: number;
  watching_since: number;
  /** The first scan after the last long pause, and the last one before it. */
  steady_since: number;
  paused_at: number;
}

export interface Pauses {
  /** After one that is longer the watch begins anew: whoever was silent while nobody watched gets the full time to be heard. */
  gapMs: number;
  /** After one that is longer heartbeats may have been missed, too: for as long again they may still be on their way. */
  steadyMs: number;
}

export async function readWatch(table: Table): Promise<Watch | undefined> {
  const item = await table.get(watchKey);
  return item && rowOf<Watch>(item);
}

export const readScannedAt = async (table: Table): Promise<number> => (await readWatch(table))?.scanned_at ?? 0;

/**
 * Notes a scan.
 * @returns with `judged_at`, the time by which silence is to be judged: now, or that of the last scan before heartbeats may have been missed
 */
export async function noteScan(store: Store, { gapMs, steadyMs }: Pauses): Promise<Watch & { judged_at: number }> {
  const now = store.clock.now();
  const before = (await store.table.get(watchKey)) as unknown as Watch | undefined;
  const watch = nextWatch(before, now, { gapMs, steadyMs });
  await store.table.transact([{ kind: 'update', key: watchKey, set: { ...watch } }]);
  const isSteady = now - watch.steady_since >= steadyMs;
  return { ...watch, judged_at: isSteady ? now : watch.paused_at };
}

function nextWatch(before: Watch | undefined, now: number, { gapMs, steadyMs }: Pauses): Watch {
  // Silence counts from now on then, so there is nothing else to wait for.
  const anew = { scanned_at: now, watching_since: now, steady_since: now - steadyMs, paused_at: now };
  if (before === undefined || now - before.scanned_at > gapMs) return anew;
  // Rows from before pauses were noted have none.
  const { scanned_at, watching_since, steady_since = watching_since, paused_at = watching_since } = before;
  const wasLong = now - scanned_at > steadyMs;
  const pause = wasLong ? { steady_since: now, paused_at: scanned_at } : { steady_since, paused_at };
  return { scanned_at: now, watching_since, ...pause };
}
