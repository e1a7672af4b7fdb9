// Where failovers are held back at the moment: one item for each zone in which that ever was so.
import { queryAll, type Table, TransactionCancelled } from '../drivers/table/table.ts';
import { rowOf } from './keys.ts';
import type { Store } from './store.ts';

export interface StormGuard {
  /** '' for amphorae that compute has put nowhere in particular. */
  zone: string;
  is_engaged: boolean;
  /** Milliseconds since the epoch. */
  since: number;
  /** As it was then. */
  silent: number;
  amphorae: number;
}

const pk = 'HEALTH#guard';

export async function readStormGuards(table: Table): Promise<Map<string, StormGuard>> {
  const items = await queryAll(table, { pk });
  return new Map(items.map((item) => [String(item['zone']), rowOf<StormGuard>(item)]));
}

/** In some zone. */
export const isStormGuarded = async (table: Table): Promise<boolean> =>
  [...(await readStormGuards(table)).values()].some(({ is_engaged }) => is_engaged);

/** @param before as it was read. @returns true when that is news, and nobody else has told it */
export async function setStormGuard(
  store: Store,
  before: StormGuard | undefined,
  now: Omit<StormGuard, 'since'>,
): Promise<boolean> {
  const { zone, is_engaged } = now;
  if ((before?.is_engaged ?? false) === is_engaged) return false;
  const when = before === undefined ? { exists: false } : { equals: { is_engaged: !is_engaged } };
  const set = { ...now, since: store.clock.now() };
  try {
    await store.table.transact([{ kind: 'update', key: { pk, sk: `ZONE#${zone}` }, set, when }]);
    return true;
  } catch (error) {
    if (error instanceof TransactionCancelled) return false;
    throw error;
  }
}
