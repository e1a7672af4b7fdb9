import type { L7RuleRow } from '../domain/l7-rule.ts';
import { isAfterFailover, type LoadBalancerRow } from '../domain/load-balancer.ts';
import { isPending } from '../domain/statuses.ts';
import { timestamp } from '../domain/time.ts';
import { type Child, childrenOf, heldBack, type Tree, treeAsWanted } from '../domain/tree.ts';
import type { Operation } from '../drivers/table/table.ts';
import type { Transition } from './changes.ts';
import { eraseChildren, goneTransition, withDescendants } from './erasures.ts';
import { transactPassable } from './intents.ts';
import { childKey } from './keys.ts';
import { changeLoadBalancer, loadBalancerTransition, operationOf } from './load-balancers.ts';
import type { Store } from './store.ts';

export interface Outcome {
  /** Generation of the load balancer that was rendered. */
  generation: number;
  /** Children that were refused, with the reason. */
  refused: Map<string, string>;
}

/** Resources whose operating status says no more than whether they are enabled. */
const followsAdminState = new Set<Child['kind']>(['healthmonitor', 'l7policy', 'l7rule']);

/** Refused now or before, and with nothing to go back to. */
const isLeftOut = ({ id, last_good, provisioning_status }: L7RuleRow, { refused }: Outcome): boolean =>
  last_good === undefined && (refused.has(id) || provisioning_status === 'ERROR');

const reasonFor = ({ row }: Child, refused: Map<string, string>, held: Set<string>): string | undefined =>
  refused.get(row.id) ??
  (held.has(row.id) ? 'one of its rules is in ERROR: without it, it would match more' : undefined);

/** Octavia's rows are updated when their status is, creation included. @param updated_at Octavia's spelling */
function settled(child: Child, refused: Map<string, string>, held: Set<string>, updated_at: string): Operation {
  const reason = reasonFor(child, refused, held);
  const waits = held.has(child.row.id) ? { waits_for: child.row.provisioning_status } : {};
  const isFollowing = followsAdminState.has(child.kind);
  const monitor = isFollowing ? { operating_status: child.row.admin_state_up ? 'ONLINE' : 'OFFLINE' } : {};
  return {
    kind: 'update',
    key: childKey(child),
    set:
      reason === undefined
        ? { provisioning_status: 'ACTIVE', updated_at, ...monitor }
        : { provisioning_status: 'ERROR', updated_at, reason, ...waits },
    remove: [...('waits_for' in waits ? [] : ['waits_for']), ...(reason === undefined ? ['last_good', 'reason'] : [])],
    // Whoever wrote it since has made it PENDING for a newer generation.
    when: { exists: true, equals: { generation: child.row.generation } },
  };
}

const without = (ids: string[], gone: Set<string>) => ids.filter((id) => !gone.has(id));

/** An operation that was asked for and is not what was just done: it goes on waiting for its turn. */
const otherOperation = (row: LoadBalancerRow, rights: CommitRights): boolean =>
  row.operation !== null && row.operation.kind !== 'update' && row.operation.id !== rights.operation_id;

/** The load balancer's row after its amphorae have a generation. */
function caughtUp(
  store: Store,
  row: LoadBalancerRow,
  generation: number,
  gone: Set<string>,
  rights: CommitRights,
): Partial<LoadBalancerRow> {
  const now = store.clock.now();
  const achieved = {
    applied_generation: Math.max(row.applied_generation, generation),
    listener_ids: without(row.listener_ids, gone),
    pool_ids: without(row.pool_ids, gone),
  };
  if (otherOperation(row, rights)) return achieved;
  if (row.generation > generation) {
    // Something was achieved, so what is left gets its own time.
    const operation = operationOf('update', store.newId(), now, rights.operation_timeout_ms);
    return { ...achieved, provisioning_status: 'PENDING_UPDATE', operation };
  }
  return {
    ...achieved,
    provisioning_status: 'ACTIVE',
    operation: null,
    failover_pause: null,
    failed: null,
    reason: '',
    updated_at: timestamp(now),
  };
}

/** A flow that holds the load balancer commits at its own end; what became of children below it is so all the same. */
function besideFlow(row: LoadBalancerRow, generation: number, gone: Set<string>): Partial<LoadBalancerRow> | undefined {
  const { lease, listener_ids, pool_ids } = row;
  const isGone = [...listener_ids, ...pool_ids].some((id) => gone.has(id));
  if (lease?.serving === undefined && !isGone) return undefined;
  const lists = { listener_ids: without(listener_ids, gone), pool_ids: without(pool_ids, gone) };
  if (lease?.serving === undefined) return lists;
  const applied_generation = Math.max(lease.serving.applied_generation, generation);
  return { ...lists, lease: { ...lease, serving: { ...lease.serving, applied_generation } } };
}

export interface CommitRights {
  /** The execution whose lease this is; undefined for the worker, which has none. */
  execution?: string;
  operation_id?: string;
  operation_timeout_ms: number;
}

/**
 * Commits what the amphorae have.
 * @param tree as it was rendered
 * @returns transitions, and the load balancer as it was left: what is PENDING still has to be set going; undefined when untouched
 */
export async function commitApplied(
  store: Store,
  tree: Tree,
  outcome: Outcome,
  rights: CommitRights,
): Promise<{ transitions: Transition[]; after: LoadBalancerRow | undefined }> {
  // Whatever was written since is judged with its own generation.
  const isJudged = ({ row }: Child) => row.generation <= outcome.generation;
  const isWaiting = ({ row }: Child) => isPending(row.provisioning_status) || outcome.refused.has(row.id);
  const wanted = treeAsWanted(tree);
  const held = heldBack(wanted, (rule) => isLeftOut(rule, outcome));
  const waiting = childrenOf(wanted).filter((child) => isJudged(child) && isWaiting(child));
  const deleted = waiting.filter(({ row }) => row.provisioning_status === 'PENDING_DELETE');
  const kept = waiting.filter(({ row }) => row.provisioning_status !== 'PENDING_DELETE');
  await transactPassable(
    store,
    kept.map((child) => settled(child, outcome.refused, held, timestamp(store.clock.now()))),
  );
  const erased = await eraseChildren(store, tree.loadBalancer.project_id, withDescendants(wanted, deleted));
  const gone = new Set(erased.map(({ row }) => row.id));

  const change = await changeLoadBalancer(store, tree.loadBalancer.id, (row) => {
    if (row.provisioning_status === 'PENDING_DELETE') return undefined;
    // Half gone: what was pushed late brings nothing of it back.
    if (row.failed === 'delete') return undefined;
    if (rights.execution === undefined && isAfterFailover(row)) return undefined;
    const isOthers =
      row.lease !== null && row.lease.execution !== rights.execution && row.lease.until > store.clock.now();
    if (isOthers) return besideFlow(row, outcome.generation, gone);
    const isDone = row.applied_generation >= outcome.generation && row.provisioning_status === 'ACTIVE';
    if (isDone && row.lease === null) return undefined;
    return { ...caughtUp(store, row, outcome.generation, gone, rights), lease: null };
  });
  return {
    transitions: [
      ...transitionsOf(kept, outcome, held),
      ...erased.map(goneTransition),
      ...loadBalancerTransition(change),
    ],
    after: change?.after,
  };
}

const transitionsOf = (kept: Child[], { refused }: Outcome, held: Set<string>): Transition[] =>
  kept.map((child) => {
    const { kind, row } = child;
    const reason = reasonFor(child, refused, held);
    const from = row.provisioning_status;
    return reason === undefined
      ? { kind, id: row.id, from, to: 'ACTIVE' }
      : { kind, id: row.id, from, to: 'ERROR', reason };
  });
