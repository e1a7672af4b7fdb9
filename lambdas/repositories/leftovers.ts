// The end of an operation that could not be done. PENDING always ends, for what waited below the load balancer too: nobody refused it,
// so it stays wanted, and goes into force with the next write or failover that heals the load balancer.
import { type LoadBalancerRow, longerPause } from '../domain/load-balancer.ts';
import { isPending } from '../domain/statuses.ts';
import { timestamp } from '../domain/time.ts';
import { type Child, childrenOf } from '../domain/tree.ts';
import type { Operation } from '../drivers/table/table.ts';
import type { Transition } from './changes.ts';
import { transactPassable, writeOutIntents } from './intents.ts';
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

function inError(
  { operation, failover_pause }: LoadBalancerRow,
  reason: string,
  now: number,
): Partial<LoadBalancerRow> {
  return {
    provisioning_status: 'ERROR',
    operation: null,
    lease: null,
    // What a revert could not undo belongs to nobody from here on, and is swept.
    candidates: [],
    failed: operation?.kind ?? null,
    reason,
    updated_at: timestamp(now),
    // An amphora that is silent is asked about twice a second; what just failed is not tried twice a second.
    ...(operation?.kind === 'failover' ? { failover_pause: longerPause(failover_pause, now) } : {}),
  };
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
  // A batch whose process died is accepted all the same, and waits as the others do.
  if (seen.intents.length > 0) await writeOutIntents(store, loadBalancerId);
  const left = isPending(seen.provisioning_status) ? await leaveBehind(store, loadBalancerId, reason) : [];
  let isOvertaken = false;
  const change = await changeLoadBalancer(store, loadBalancerId, (row) => {
    isOvertaken = false;
    if (!isOver(row, failed)) return undefined;
    if (!isPending(row.provisioning_status)) return row.lease === null ? undefined : { lease: null };
    // What was accepted since waits below it, and nobody would come for it any more.
    isOvertaken = row.generation !== seen.generation || row.intents.length > 0;
    if (isOvertaken) return undefined;
    return inError(row, reason, store.clock.now());
  });
  if (isOvertaken) return [...left, ...(await commitFailed(store, loadBalancerId, reason, failed))];
  return [...left, ...loadBalancerTransition(change).map((transition) => ({ ...transition, reason }))];
}
