// Signs of life: one row per amphora with when it was last heard, what it runs and what it has counted. One write per heartbeat.
import { type Item, queryAll, type Table, TransactionCancelled } from '../drivers/table/table.ts';
import { healthKey, healthShards, retiredStatisticsKey, rowOf } from './keys.ts';
import type { Store } from './store.ts';

/** Beside these, counters named `<name>#<listener id>`. */
export interface HealthRow {
  amphora_id: string;
  load_balancer_id: string | null;
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
}

export interface Sign {
  row: Omit<HealthRow, 'rolled_up'> & { rolled_up?: string };
  /** What was counted since the last heartbeat. */
  counted: Record<string, number>;
}

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
export async function recordSign(store: Store, { row, counted }: Sign): Promise<boolean> {
  const key = healthKey(row.amphora_id);
  const add = Object.keys(counted).length > 0 ? { add: counted } : {};
  const set = { ...row };
  const update = { kind: 'update' as const, key, set, ...add };
  try {
    await store.table.transact([{ ...update, when: { exists: true, below: { sequence: row.sequence } } }]);
    return true;
  } catch (error) {
    if (!isConditionFailed(error)) throw error;
  }
  try {
    await store.table.transact([{ ...update, when: { exists: true, missing: ['sequence'] } }]);
    return true;
  } catch (error) {
    if (isConditionFailed(error)) return false;
    throw error;
  }
}

const isConditionFailed = (error: unknown): boolean =>
  error instanceof TransactionCancelled && error.reasons.some(({ code }) => code === 'ConditionalCheckFailed');

/** Notes which statuses were rolled up, so that the same ones cost nothing next time. */
export async function noteRollUp(store: Store, amphoraId: string, rolledUp: string): Promise<void> {
  try {
    await store.table.transact([
      { kind: 'update', key: healthKey(amphoraId), set: { rolled_up: rolledUp }, when: { exists: true } },
    ]);
  } catch (error) {
    // The amphora was removed in between.
    if (!isConditionFailed(error)) throw error;
  }
}

/** A new amphora counts as heard of when it is handed over, so that one that never speaks is noticed too. */
export async function expectSigns(store: Store, amphoraId: string, loadBalancerId: string | null): Promise<void> {
  await store.table.transact([
    {
      kind: 'update',
      key: healthKey(amphoraId),
      set: { amphora_id: amphoraId, load_balancer_id: loadBalancerId, last_seen: store.clock.now(), rolled_up: '' },
    },
  ]);
}

export interface ListenerStatistics {
  bytes_in: number;
  bytes_out: number;
  active_connections: number;
  total_connections: number;
  request_errors: number;
}

const zeros = (): ListenerStatistics => ({
  bytes_in: 0,
  bytes_out: 0,
  active_connections: 0,
  total_connections: 0,
  request_errors: 0,
});

/** What listeners have counted, over the amphorae there are and those that are gone; by listener id. */
export async function readStatistics(
  table: Table,
  loadBalancerId: string,
  amphoraIds: string[],
): Promise<Map<string, ListenerStatistics>> {
  return countedIn(await table.batchGet([...amphoraIds.map(healthKey), retiredStatisticsKey(loadBalancerId)]));
}

/** What listeners have counted on one amphora, by listener id. */
export async function readAmphoraStatistics(table: Table, amphoraId: string): Promise<Map<string, ListenerStatistics>> {
  const item = await table.get(healthKey(amphoraId));
  return countedIn(item === undefined ? [] : [item]);
}

function countedIn(items: Item[]): Map<string, ListenerStatistics> {
  const byListener = new Map<string, ListenerStatistics>();
  const of = (listenerId: string): ListenerStatistics => {
    const found = byListener.get(listenerId) ?? zeros();
    byListener.set(listenerId, found);
    return found;
  };
  for (const item of items) {
    for (const [listenerId, open] of Object.entries((item['active'] ?? {}) as Record<string, number>)) {
      of(listenerId).active_connections += open;
    }
    for (const [name, value] of Object.entries(item)) {
      const [counter, listenerId] = name.split('#') as [keyof ListenerStatistics, string | undefined];
      if (listenerId !== undefined && typeof value === 'number') of(listenerId)[counter] += value;
    }
  }
  return byListener;
}

export const sumOf = (statistics: Iterable<ListenerStatistics>): ListenerStatistics => {
  const sum = zeros();
  for (const one of statistics)
    for (const name of Object.keys(sum) as (keyof ListenerStatistics)[]) sum[name] += one[name];
  return sum;
};

const watchKey = { pk: 'HEALTH#watch', sk: 'WATCH' };

/** When the health of amphorae was looked at last, and since when without a gap. */
export interface Watch {
  scanned_at: number;
  watching_since: number;
}

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
