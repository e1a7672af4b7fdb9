// Statistics as the API tells them: of load balancers and listeners, over the amphorae there are and those that are gone, and
// of one amphora.
import { type Item, queryAll, type Table } from '../drivers/table/table.ts';
import { healthKey, retiredStatisticsKey, statisticsMovesKey, statisticsPartition } from './keys.ts';

export interface ListenerStatistics {
  bytes_in: number;
  bytes_out: number;
  active_connections: number;
  total_connections: number;
  request_errors: number;
}

const counterNames = ['bytes_in', 'bytes_out', 'total_connections', 'request_errors'];
/** Attributes named `<counter>#<listener id>`. */
export const isCounter = (name: string): boolean => counterNames.some((counter) => name.startsWith(`${counter}#`));

export const zeros = (): ListenerStatistics => ({
  bytes_in: 0,
  bytes_out: 0,
  active_connections: 0,
  total_connections: 0,
  request_errors: 0,
});

/** What listeners have counted, over the amphorae there are and those that are gone; by listener id, of those that were deleted too. */
export function readStatistics(
  table: Table,
  loadBalancerId: string,
  amphoraIds: string[],
): Promise<Map<string, ListenerStatistics>> {
  return unmoved(table, loadBalancerId, async () => {
    const counting = await queryAll(table, { pk: statisticsPartition(loadBalancerId), prefix: 'AMPHORA#' });
    const ids = new Set([...amphoraIds, ...counting.map((item) => String(item['amphora_id']))]);
    const items = await table.batchGet([...[...ids].map(healthKey), retiredStatisticsKey(loadBalancerId)]);
    // Connections of one that was replaced, or is not in its place yet, are nobody's to look at.
    const isCurrent = (item: Item) => amphoraIds.includes(item.sk);
    return countedIn(items.map((item) => (isCurrent(item) ? item : { ...item, active: {} })));
  });
}

const triesToRead = 5;

/** Reads again when something moved meanwhile: it may have been seen in both places, or in none. */
export async function unmoved<R>(table: Table, loadBalancerId: string, read: () => Promise<R>): Promise<R> {
  const moves = async () => (await table.get(statisticsMovesKey(loadBalancerId)))?.['moves'];
  for (let tries = 1; ; tries++) {
    const before = await moves();
    const found = await read();
    if ((await moves()) === before || tries === triesToRead) return found;
  }
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
