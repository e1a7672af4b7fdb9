// The end of an operation that could not be done. PENDING always ends, for what waited below the load balancer too: nobody refused it,
// so it stays wanted, and goes into force with the next write or failover that heals the load balancer.
import { type LoadBalancerRow, longerPause } from '../domain/load-balancer.ts';
import { isPending } from '../domain/statuses.ts';
import { timestamp } from '../domain/time.ts';
import { type Child, childrenOf } from '../domain/tree.ts';
import type { Operation } from '../drivers/table/table.ts';
import type { Transition } from './changes.ts';
import { transactPassable } from './intents.ts';
import { childKey } from './keys.ts';
import { changeLoadBalancer, loadBalancerTransition } from './load-balancers.ts';
import type { Store } from './store.ts';
import { readBelow, readLoadBalancer } from './trees.ts';

/** A row that was written in between waits for somebody else. */
function leftBehind({ kind, row }: Child, reason: string, updated_at: string): Operation {
  const { provisioning_status, generation } = row;
  return {
    kind: 'update',
    key: childKey({ kind, row } as Child),
    set: { provisioning_status: 'ERROR', waits_for: provisioning_status, reason, updated_at },
    when: { exists: true, equals: { provisioning_status, generation } },
  };
}

/** Before the load balancer's own row says ERROR: whoever is cut off in between comes by again. */
async function leaveBehind(store: Store, loadBalancerId: string, reason: string): Promise<Transition[]> {
  const below = await readBelow(store.table, loadBalancerId);
  const waiting = childrenOf(below).filter(({ row }) => isPending(row.provisioning_status));
  const updated_at = timestamp(store.clock.now());
  await transactPassable(
    store,
    waiting.map((child) => leftBehind(child, reason, updated_at)),
  );
  return waiting.map(({ kind, row }) => ({ kind, id: row.id, from: row.provisioning_status, to: 'ERROR', reason }));
}

interface FailedOperation {
  operation_id: string;
  attempts?: number;
  execution?: string;
}

/** Whether it is this operation, at this attempt, that the load balancer waits for. */
function isOver({ lease, operation }: LoadBalancerRow, failed: FailedOperation): boolean {
  if (lease !== null && lease.execution !== failed.execution) return false;
  // What was accepted since, a delete for one, is not what failed.
  if (operation !== null && operation.id !== failed.operation_id) return false;
  return failed.attempts === undefined || operation?.attempts === failed.attempts;
}

/** The operation is over and could not be done: the load balancer is in ERROR and says why, and so is what waited below it. */
export async function commitFailed(
  store: Store,
  loadBalancerId: string,
  reason: string,
  failed: FailedOperation,
): Promise<Transition[]> {
  const seen = await readLoadBalancer(store.table, loadBalancerId);
  if (seen === undefined || !isOver(seen, failed)) return [];
  const left = isPending(seen.provisioning_status) ? await leaveBehind(store, loadBalancerId, reason) : [];
  const change = await changeLoadBalancer(store, loadBalancerId, (row) => {
    if (!isOver(row, failed)) return undefined;
    if (!isPending(row.provisioning_status)) return row.lease === null ? undefined : { lease: null };
    const now = store.clock.now();
    // An amphora that is silent is asked about twice a second; what just failed is not tried twice a second.
    const isFailover = row.operation?.kind === 'failover';
    return {
      provisioning_status: 'ERROR',
      operation: null,
      lease: null,
      // What a revert could not undo belongs to nobody from here on, and is swept.
      candidates: [],
      failed: row.operation?.kind ?? null,
      reason,
      updated_at: timestamp(now),
      ...(isFailover ? { failover_pause: longerPause(row.failover_pause, now) } : {}),
    };
  });
  return [...left, ...loadBalancerTransition(change).map((transition) => ({ ...transition, reason }))];
}
