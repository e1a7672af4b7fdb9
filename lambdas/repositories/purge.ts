// The last of a load balancer: its partition, long after it was deleted.
import { limits, queryAll, type Table } from '../drivers/table/table.ts';
import { partitionOf, statisticsPartition } from './keys.ts';

/** Ids of load balancers that were deleted before that time, oldest first, so many at most. */
export async function readDeletedBefore(table: Table, time: string, limit: number): Promise<string[]> {
  const { items } = await table.queryIndex({ index: 'by_type', pk: 'deleted', between: ['0', time], limit });
  return items.map((item) => item['id'] as string);
}

/** Removes everything there is of a load balancer, its own row last: until then the purge finds it again. */
export async function purgePartition(table: Table, id: string): Promise<void> {
  const items = [
    ...(await queryAll(table, { pk: statisticsPartition(id) })),
    ...(await queryAll(table, { pk: partitionOf(id) })),
  ];
  const own = items.filter(({ sk }) => sk === 'LB');
  const others = items.filter(({ sk }) => sk !== 'LB');
  for (let start = 0; start < others.length; start += limits.operationsPerTransaction) {
    const group = others.slice(start, start + limits.operationsPerTransaction);
    await table.transact(group.map(({ pk, sk }) => ({ kind: 'delete', key: { pk, sk } })));
  }
  for (const { pk, sk } of own) await table.transact([{ kind: 'delete', key: { pk, sk } }]);
}
