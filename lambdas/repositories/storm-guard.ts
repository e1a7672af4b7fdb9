// Whether failovers are held back at the moment.
import { type Table, TransactionCancelled } from '../drivers/table/table.ts';
import type { Store } from './store.ts';

const key = { pk: 'HEALTH#guard', sk: 'GUARD' };

export const isStormGuarded = async (table: Table): Promise<boolean> => (await table.get(key))?.['is_engaged'] === true;

/** @returns true when that is news */
export async function setStormGuard(store: Store, isEngaged: boolean): Promise<boolean> {
  const before = await store.table.get(key);
  if ((before?.['is_engaged'] ?? false) === isEngaged) return false;
  const when = before === undefined ? { exists: false } : { equals: { is_engaged: !isEngaged } };
  try {
    await store.table.transact([
      { kind: 'update', key, set: { is_engaged: isEngaged, since: store.clock.now() }, when },
    ]);
    return true;
  } catch (error) {
    if (error instanceof TransactionCancelled) return false;
    throw error;
  }
}
