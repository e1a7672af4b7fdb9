// The rows of amphorae: which there are, whose they are, and what a flow has made for them so far.
import type { AmphoraRow } from '../domain/amphora.ts';
import { timestamp } from '../domain/time.ts';
import {
  type Condition,
  type Item,
  type Operation,
  queryAll,
  type Table,
  TransactionCancelled,
} from '../drivers/table/table.ts';
import { RowChanged, untilWon } from './contention.ts';
import { dropParts } from './heartbeat-parts.ts';
import { amphoraKey, countingAmphoraKey, healthKey, retiredStatisticsKey, rowOf } from './keys.ts';
import { moved, retireMemberStatistics } from './member-statistics.ts';
import { passes } from './passes.ts';
import { isCounter } from './statistics.ts';
import type { Store } from './store.ts';

/** Spares are listed by the project index under a name no project has; all amphorae by the type index. */
const spares = 'spares';
const listedAs = (row: AmphoraRow) => ({ type_pk: 'amphora', type_sk: `${row.created_at}#${row.id}` });

export async function readAmphora(table: Table, id: string): Promise<AmphoraRow | undefined> {
  const item = await table.get(amphoraKey(id));
  return item && rowOf<AmphoraRow>(item);
}

export async function readAmphorae(table: Table, ids: string[]): Promise<AmphoraRow[]> {
  if (ids.length === 0) return [];
  const items = await table.batchGet(ids.map(amphoraKey));
  const rows = new Map(items.map((item) => [item['id'] as string, rowOf<AmphoraRow>(item)]));
  return ids.map((id) => rows.get(id)).filter((row): row is AmphoraRow => row !== undefined);
}

export async function readAllAmphorae(table: Table): Promise<AmphoraRow[]> {
  const items = await queryAll(table, { index: 'by_type', pk: 'amphora' });
  return items.map((item) => rowOf<AmphoraRow>(item));
}

export async function readSpares(table: Table): Promise<AmphoraRow[]> {
  const items = await queryAll(table, { index: 'by_project', pk: spares });
  return items
    .map((item) => rowOf<AmphoraRow>(item))
    .filter((row) => row.status === 'READY' && row.load_balancer_id === null);
}

export const newAmphoraItem = (row: AmphoraRow): Item => ({ ...amphoraKey(row.id), ...listedAs(row), ...row });

/** Puts the row of a new amphora; one that is there already stays as it is. */
export async function putAmphora(store: Store, row: AmphoraRow): Promise<void> {
  try {
    await store.table.transact([{ kind: 'put', item: newAmphoraItem(row), when: { exists: false } }]);
  } catch (error) {
    if (!(error instanceof TransactionCancelled && error.hasFailedCondition)) throw error;
  }
}

/**
 * Sets attributes of an amphora.
 * @returns false when there is no such row or the condition does not hold
 */
export async function setAmphora(
  store: Store,
  id: string,
  set: Partial<AmphoraRow>,
  when: Condition = {},
): Promise<boolean> {
  // A spare is in the index of spares exactly while it is READY.
  const isSpare = set.status === 'READY';
  const leavesSpares = set.status !== undefined && !isSpare;
  const updated_at = timestamp(store.clock.now());
  try {
    await store.table.transact([
      {
        kind: 'update',
        key: amphoraKey(id),
        set: { ...set, updated_at, ...(isSpare ? { project_pk: spares, project_sk: `${updated_at}#${id}` } : {}) },
        remove: leavesSpares ? ['project_pk', 'project_sk'] : [],
        when: { exists: true, ...when },
      },
    ]);
    return true;
  } catch (error) {
    if (error instanceof TransactionCancelled && error.hasFailedCondition) return false;
    throw error;
  }
}

/** The operation that makes a spare a load balancer's, on condition that it still is a spare. */
export const claimOperation = (
  store: Store,
  id: string,
  loadBalancerId: string,
  role: AmphoraRow['role'],
): Operation => ({
  kind: 'update',
  key: amphoraKey(id),
  set: { status: 'ALLOCATED', load_balancer_id: loadBalancerId, role, updated_at: timestamp(store.clock.now()) },
  remove: ['project_pk', 'project_sk'],
  when: { exists: true, equals: { status: 'READY', load_balancer_id: null } },
});

/** The operation that marks an amphora as one that is to go, on condition that it is in ERROR. */
export const condemnOperation = (store: Store, id: string): Operation => ({
  kind: 'update',
  key: amphoraKey(id),
  set: { status: 'PENDING_DELETE', updated_at: timestamp(store.clock.now()) },
  when: { exists: true, equals: { status: 'ERROR' } },
});

/**
 * The standby becomes the one with the VIP and the other the standby, at once: a pair never has two of a kind.
 * @param demotedId may be of an amphora that is gone
 */
export async function swapRoles(store: Store, promotedId: string, demotedId: string): Promise<void> {
  const updated_at = timestamp(store.clock.now());
  const become = (id: string, role: AmphoraRow['role']): Operation => ({
    kind: 'update',
    key: amphoraKey(id),
    set: { role, updated_at },
    when: { exists: true },
  });
  const isThere = (await readAmphora(store.table, demotedId)) !== undefined;
  await store.table.transact([become(promotedId, 'MASTER'), ...(isThere ? [become(demotedId, 'BACKUP')] : [])]);
}

/** As it was read: a heartbeat that is taken in meanwhile counts more, and an amphora that is expected meanwhile would be so for ever. */
function healthGone(id: string, health: Item | undefined): Operation {
  const key = healthKey(id);
  if (health === undefined) return { kind: 'check', key, when: { exists: false } };
  const sequence = health['sequence'] as string | undefined;
  const isAsRead: Condition = sequence === undefined ? { missing: ['sequence'] } : { equals: { sequence } };
  return { kind: 'delete', key, when: { exists: true, ...isAsRead } };
}

/**
 * Removes the row of an amphora that is gone, and its health row; what it counted stays with its load balancer.
 * @param loadBalancerId whose statistics it counted, null for a spare
 */
export async function eraseAmphora(store: Store, id: string, loadBalancerId: string | null): Promise<void> {
  await untilWon(store, `erase ${id}`, async () => {
    const health = await store.table.get(healthKey(id));
    const counted = Object.entries(health ?? {}).filter(([name]) => isCounter(name)) as [string, number][];
    const isErased = await passes(store, [
      { kind: 'delete', key: amphoraKey(id) },
      healthGone(id, health),
      ...(loadBalancerId === null ? [] : statisticsMoved(loadBalancerId, id, Object.fromEntries(counted))),
    ]);
    if (!isErased) throw new RowChanged(`amphora ${id} was heard or expected meanwhile`);
  });
  if (loadBalancerId === null) return;
  await dropParts(store, { id, load_balancer_id: loadBalancerId });
  await retireMemberStatistics(store, loadBalancerId);
}

function statisticsMoved(loadBalancerId: string, id: string, counted: Record<string, number>): Operation[] {
  const retired: Operation = { kind: 'update', key: retiredStatisticsKey(loadBalancerId), add: counted };
  return [
    ...(Object.keys(counted).length > 0 ? [retired] : []),
    { kind: 'delete', key: countingAmphoraKey(loadBalancerId, id) },
    moved(loadBalancerId),
  ];
}
