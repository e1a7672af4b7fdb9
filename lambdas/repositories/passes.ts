// A transaction whose conditions may fail, as an answer instead of an error.
import { type Operation, TransactionCancelled } from '../drivers/table/table.ts';
import type { Store } from './store.ts';

/** @returns false when a condition did not hold, and nothing was written */
export async function passes(store: Store, operations: Operation[]): Promise<boolean> {
  try {
    await store.table.transact(operations);
    return true;
  } catch (error) {
    if (error instanceof TransactionCancelled && error.hasFailedCondition) return false;
    throw error;
  }
}
