// What is remembered of each pool of spares: which are being built, and how builds went lately. A build is written down together with
// the row of its amphora, before it is started, so that two who look at once do not build twice.
import type { AmphoraRow, MachineWish } from '../domain/amphora.ts';
import { poolName } from '../domain/spare-pools.ts';
import { type Operation, queryAll, type Table, TransactionCancelled } from '../drivers/table/table.ts';
import { newAmphoraItem } from './amphorae.ts';
import { rowOf } from './keys.ts';
import type { Store } from './store.ts';

export interface PoolRow {
  wish: MachineWish;
  /** Ids of amphorae on their way. */
  building: string[];
  /** Builds that failed since the last one that did not. */
  failures: number;
  /** Milliseconds since the epoch; nothing is built before. */
  paused_until: number;
  revision: number;
}

const partition = 'SPAREPOOLS';

export async function readPools(table: Table): Promise<Map<string, PoolRow>> {
  const items = await queryAll(table, { pk: partition });
  return new Map(items.map((item) => [item.sk, rowOf<PoolRow>(item)]));
}

export const emptyPool = (wish: MachineWish): PoolRow => ({
  wish,
  building: [],
  failures: 0,
  paused_until: 0,
  revision: 0,
});

const keyOf = (wish: MachineWish) => ({ pk: partition, sk: poolName(wish) });
const unchanged = (revision: number) => (revision === 0 ? { exists: false } : { equals: { revision } });

async function isWritten(table: Table, operations: Operation[]): Promise<boolean> {
  try {
    await table.transact(operations);
    return true;
  } catch (error) {
    if (error instanceof TransactionCancelled) return false;
    throw error;
  }
}

/**
 * Writes what has become of a pool, with the rows of amphorae that are to be built for it.
 * @returns the row as it is then; undefined when somebody else looked after the pool in the meantime
 */
export async function changePool(
  store: Store,
  row: PoolRow,
  set: Partial<PoolRow>,
  born: AmphoraRow[] = [],
): Promise<PoolRow | undefined> {
  const after = { ...row, ...set, revision: row.revision + 1 };
  const put: Operation = { kind: 'put', item: { ...keyOf(row.wish), ...after }, when: unchanged(row.revision) };
  const amphorae = born.map((one): Operation => ({ kind: 'put', item: newAmphoraItem(one), when: { exists: false } }));
  return (await isWritten(store.table, [put, ...amphorae])) ? after : undefined;
}

/** A pool that nobody wants any more and that has nothing on its way. */
export async function forgetPool(store: Store, { wish, revision }: PoolRow): Promise<void> {
  await isWritten(store.table, [{ kind: 'delete', key: keyOf(wish), when: unchanged(revision) }]);
}
