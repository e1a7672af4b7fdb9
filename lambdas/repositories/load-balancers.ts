// The row of a load balancer: every writer goes through `changeLoadBalancer`, which raises its revision, so no writer overwrites
// what another wrote since it read.
import type { AmphoraRow } from '../domain/amphora.ts';
import type { LoadBalancerRow, PendingOperation } from '../domain/load-balancer.ts';
import { isPending } from '../domain/statuses.ts';
import { type Item, type Operation, TransactionCancelled } from '../drivers/table/table.ts';
import { condemnOperation } from './amphorae.ts';
import type { Transition } from './changes.ts';
import { RowChanged, untilWon } from './contention.ts';
import { listed, loadBalancerKey, nameAttributes, named, pendingUntil } from './keys.ts';
import type { Store } from './store.ts';
import { readLoadBalancer } from './trees.ts';

/** A row as stored: with the counter that every write raises. */
type Revised = LoadBalancerRow & { revision?: number };

/** An operation of a PENDING load balancer: what it waits for and until when. */
export const operationOf = (
  kind: PendingOperation['kind'],
  id: string,
  now: number,
  timeoutMs: number,
  amphoraId?: string,
): PendingOperation => ({
  kind,
  id,
  requested_at: now,
  deadline: now + timeoutMs,
  attempts: 0,
  ...(amphoraId === undefined ? {} : { amphora_id: amphoraId }),
});

/** The item of a new load balancer. */
export function newLoadBalancerItem(row: LoadBalancerRow): Item {
  const pending = row.operation ? pendingUntil(row.operation.deadline) : {};
  return { ...loadBalancerKey(row.id), ...listed('loadbalancer', row), ...pending, ...row, revision: 1 };
}

/**
 * The write of a change to a load balancer's row, on condition that nobody wrote it since `row` was read. Whatever has a deadline
 * while PENDING is in the index of everything PENDING, and nothing else is.
 */
export function loadBalancerUpdate(row: LoadBalancerRow, set: Partial<LoadBalancerRow>): Operation {
  const next = { ...row, ...set };
  const revision = (row as Revised).revision ?? 0;
  const deadline = isPending(next.provisioning_status) ? next.operation?.deadline : undefined;
  const isDeleted = next.provisioning_status === 'DELETED';
  const gone = ['project_pk', 'project_sk'];
  const name = set.name === undefined || isDeleted ? {} : named('loadbalancer', next);
  const isNameless = isDeleted || (set.name !== undefined && !('name_pk' in name));
  return {
    kind: 'update',
    key: loadBalancerKey(row.id),
    set: {
      ...set,
      revision: revision + 1,
      ...name,
      ...(deadline === undefined ? {} : pendingUntil(deadline)),
      // Deleted load balancers leave the lists and wait for the purge, oldest first.
      ...(isDeleted ? { type_pk: 'deleted', type_sk: `${next.updated_at}#${row.id}` } : {}),
    },
    remove: [
      ...(deadline === undefined ? ['pending_pk', 'pending_sk'] : []),
      ...(isDeleted ? gone : []),
      ...(isNameless ? nameAttributes : []),
    ],
    when: { exists: true, equals: { revision } },
  };
}

/** Writes it, with what else belongs to it; `RowChanged` when the first condition failed. */
export async function transactWithLoadBalancer(
  store: Store,
  update: Operation,
  others: Operation[] = [],
): Promise<void> {
  try {
    await store.table.transact([update, ...others]);
  } catch (error) {
    const isStale = error instanceof TransactionCancelled && error.reasons[0]?.code === 'ConditionalCheckFailed';
    throw isStale ? new RowChanged('load balancer changed since it was read', { cause: error }) : error;
  }
}

export interface LoadBalancerChange {
  before: LoadBalancerRow;
  after: LoadBalancerRow;
}

/**
 * Reads the row, asks for the change, writes it; again when somebody else was faster.
 * @param decide answers what to set, or undefined to leave the row alone; may throw
 * @returns undefined when there is no such load balancer or nothing was to be changed
 */
export function changeLoadBalancer(
  store: Store,
  id: string,
  decide: (row: LoadBalancerRow) => Partial<LoadBalancerRow> | undefined,
  others: (row: LoadBalancerRow) => Operation[] = () => [],
): Promise<LoadBalancerChange | undefined> {
  return untilWon(store, id, async () => {
    const before = await readLoadBalancer(store.table, id);
    const set = before && decide(before);
    if (before === undefined || set === undefined) return undefined;
    await transactWithLoadBalancer(store, loadBalancerUpdate(before, set), others(before));
    return { before, after: { ...before, ...set } };
  });
}

/**
 * Marks an amphora in ERROR as one that is to go, and takes it off its load balancer in the same transaction: housekeeping ends what
 * is nobody's.
 * @returns false when it is not in ERROR any more
 */
export async function giveUpAmphora(store: Store, { id, load_balancer_id }: AmphoraRow): Promise<boolean> {
  const condemn = condemnOperation(store, id);
  try {
    const change =
      load_balancer_id === null
        ? undefined
        : await changeLoadBalancer(
            store,
            load_balancer_id,
            ({ amphora_ids }) =>
              amphora_ids.includes(id) ? { amphora_ids: amphora_ids.filter((one) => one !== id) } : undefined,
            () => [condemn],
          );
    if (change === undefined) await store.table.transact([condemn]);
    return true;
  } catch (error) {
    if (error instanceof TransactionCancelled && !error.isConflict) return false;
    throw error;
  }
}

export const loadBalancerTransition = (
  change: { before: LoadBalancerRow; after: LoadBalancerRow } | undefined,
): Transition[] =>
  change === undefined || change.before.provisioning_status === change.after.provisioning_status
    ? []
    : [
        {
          kind: 'loadbalancer',
          id: change.after.id,
          from: change.before.provisioning_status,
          to: change.after.provisioning_status,
        },
      ];
