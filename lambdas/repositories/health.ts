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
}

export interface Sign {
  row: Omit<HealthRow, 'rolled_up'> & { rolled_up?: string };
  /** What listeners have counted since the amphora began: `<name>#<listener id>`. */
  counted: Record<string, number>;
  /** What members have counted since then, as far as there is news. */
  pages?: MemberPage[];
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
 * Takes in a heartbeat once.
 * @returns false when it is older than one taken in before, or the same, or the amphora is not expected (any more)
 */
export async function recordSign(store: Store, { row, counted, pages = [] }: Sign): Promise<boolean> {
  const { amphora_id, load_balancer_id } = row;
  const set = { ...row, ...counted };
  // Heartbeats that waited have more pages together than a transaction; cut off after it, they come again as late ones.
  const [together, later] = [pages.slice(-pagesPerSign), pages.slice(0, -pagesPerSign)];
  const ofMembers =
    load_balancer_id === null ? [] : together.map((page) => pageOperation(load_balancer_id, amphora_id, page));
  const sign = (when: Condition): Operation[] => [
    { kind: 'update', key: healthKey(amphora_id), set, when: { exists: true, ...when } },
    ...ofMembers,
  ];
  const isTaken =
    (await passes(store, sign({ below: { sequence: row.sequence } }))) ||
    (await passes(store, sign({ missing: ['sequence'] })));
  if (isTaken && load_balancer_id !== null) await recordLatePages(store, load_balancer_id, amphora_id, later);
  return isTaken;
}

/** Notes that an amphora spoke, and nothing of what it said. */
export async function noteAlive(store: Store, amphoraId: string): Promise<void> {
  await updateExpected(store, amphoraId, { last_seen: store.clock.now() });
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

/** When the health of amphorae was looked at last, and since when without a gap. */
export interface Watch {
  scanned_at: number;
  watching_since: number;
}

export async function readWatch(table: Table): Promise<Watch | undefined> {
  const item = await table.get(watchKey);
  return item && rowOf<Watch>(item);
}

export const readScannedAt = async (table: Table): Promise<number> => (await readWatch(table))?.scanned_at ?? 0;

/**
 * Notes a scan. After a gap the watch begins anew: whoever was silent while nobody watched gets the full time to be heard.
 * @param gapMs a longer pause between scans counts as not watching
 */
export async function noteScan(store: Store, gapMs: number): Promise<Watch> {
  const now = store.clock.now();
  const before = await store.table.get(watchKey);
  const isNew = before === undefined || now - Number(before['scanned_at']) > gapMs;
  const watch = { scanned_at: now, watching_since: isNew ? now : Number(before['watching_since']) };
  await store.table.transact([{ kind: 'update', key: watchKey, set: watch }]);
  return watch;
}
