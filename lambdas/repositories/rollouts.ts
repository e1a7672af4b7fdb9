// Roll-outs of images: one at a time is under way, which a row of its own names, and those that are over are kept for a while.
import { isOver, type RolloutRow } from '../domain/rollout.ts';
import { timestamp } from '../domain/time.ts';
import { type Key, type Operation, queryAll, type Table, TransactionCancelled } from '../drivers/table/table.ts';
import { isPossibleId, rowOf } from './keys.ts';
import type { Store } from './store.ts';

const partition = 'ROLLOUTS';
const prefix = 'ROLLOUT#';
const keyOf = (id: string): Key => ({ pk: partition, sk: prefix + id });
const currentKey: Key = { pk: partition, sk: 'CURRENT' };

export async function readRollout(table: Table, id: string): Promise<RolloutRow | undefined> {
  const item = isPossibleId(id) ? await table.get(keyOf(id)) : undefined;
  return item && rowOf<RolloutRow>(item);
}

/** The one that is not over. */
export async function readCurrentRollout(table: Table): Promise<RolloutRow | undefined> {
  const current = await table.get(currentKey);
  return current && readRollout(table, String(current['rollout_id']));
}

/** Oldest first. */
export async function readRollouts(table: Table): Promise<RolloutRow[]> {
  const rows = (await queryAll(table, { pk: partition, prefix })).map((item) => rowOf<RolloutRow>(item));
  return rows.sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
}

async function isWritten(table: Table, operations: Operation[]): Promise<boolean> {
  try {
    await table.transact(operations);
    return true;
  } catch (error) {
    if (error instanceof TransactionCancelled) return false;
    throw error;
  }
}

/** @returns false when another one is under way */
export const startRollout = ({ table }: Store, row: RolloutRow): Promise<boolean> =>
  isWritten(table, [
    { kind: 'put', item: { ...keyOf(row.id), ...row }, when: { exists: false } },
    { kind: 'put', item: { ...currentKey, rollout_id: row.id }, when: { exists: false } },
  ]);

/** @returns the row as it is then; undefined when somebody else changed it since it was read */
export async function changeRollout(
  { table, clock }: Store,
  row: RolloutRow,
  set: Partial<RolloutRow>,
): Promise<RolloutRow | undefined> {
  const after = { ...row, ...set, updated_at: timestamp(clock.now()), revision: row.revision + 1 };
  const put: Operation = {
    kind: 'put',
    item: { ...keyOf(row.id), ...after },
    when: { equals: { revision: row.revision } },
  };
  const isEnd = isOver(after.status) && !isOver(row.status);
  const release: Operation = { kind: 'delete', key: currentKey, when: { equals: { rollout_id: row.id } } };
  return (await isWritten(table, isEnd ? [put, release] : [put])) ? after : undefined;
}

/** Forgets those that ended before that time, so many at most. @returns how many */
export async function purgeRollouts(table: Table, before: string, limit: number): Promise<number> {
  const ended = (await readRollouts(table)).filter(
    ({ status, updated_at, created_at }) => isOver(status) && (updated_at ?? created_at) < before,
  );
  const purged = ended.slice(0, limit);
  for (const { id } of purged) await table.transact([{ kind: 'delete', key: keyOf(id) }]);
  return purged.length;
}
