// How far usage was told this time: one item, so that a round of housekeeping that has nothing to tell costs one read.
import type { Table } from '../drivers/table/table.ts';
import { passes } from './passes.ts';
import type { Store } from './store.ts';

export interface UsageRound {
  /** Number of the interval since the epoch; each is told once. */
  round: number;
  /** Where in the list of load balancers it goes on; null: all were told. */
  after: string | null;
  revision: number;
}

const key = { pk: 'USAGE#rounds', sk: 'ROUND' };
const none: UsageRound = { round: -1, after: null, revision: 0 };

export async function readUsageRound(table: Table): Promise<UsageRound> {
  const item = await table.get(key);
  return item === undefined ? none : (item as unknown as UsageRound);
}

/** After it was told. @returns false when somebody else was at it: what both told has the same ids */
export function moveUsageRound(store: Store, before: UsageRound, now: Omit<UsageRound, 'revision'>): Promise<boolean> {
  const when = before.revision === 0 ? { exists: false } : { equals: { revision: before.revision } };
  return passes(store, [{ kind: 'update', key, set: { ...now, revision: before.revision + 1 }, when }]);
}
