// What the amphorae have taken becomes the truth: children up to that generation are ACTIVE or gone, refused ones ERROR, and the
// load balancer is ACTIVE when nothing newer waits. Every step may run twice or be overtaken; the load balancer's row comes last.
import type { HealthMonitorRow } from '../domain/health-monitor.ts';
import type { L7PolicyRow } from '../domain/l7-policy.ts';
import type { L7RuleRow } from '../domain/l7-rule.ts';
import { type ListenerRow, portClass } from '../domain/listener.ts';
import { type LoadBalancerRow, longerPause } from '../domain/load-balancer.ts';
import type { MemberRow } from '../domain/member.ts';
import type { QuotaDelta } from '../domain/quota.ts';
import { isPending } from '../domain/statuses.ts';
import { timestamp } from '../domain/time.ts';
import { type Child, childrenOf, type Tree } from '../domain/tree.ts';
import { limits, type Operation } from '../drivers/table/table.ts';
import { useGone } from './certificate-references.ts';
import type { Transition } from './changes.ts';
import { choicesGivenBack } from './choices.ts';
import { transactPassable } from './intents.ts';
import { addressKey, childKey, pointerKey, portKey } from './keys.ts';
import { changeLoadBalancer, operationOf } from './load-balancers.ts';
import { quotaGivenBack } from './quotas.ts';
import type { Store } from './store.ts';

export interface Outcome {
  /** Generation of the load balancer that was rendered. */
  generation: number;
  /** Children that were refused, with the reason. */
  refused: Map<string, string>;
}

/** Names only this child had. A member's or listener's were released when its deletion was accepted, unless its parent went. */
function claimsOf(child: Child): Operation[] {
  if (child.kind !== 'member' || child.row.provisioning_status === 'PENDING_DELETE') return [];
  const row = child.row as MemberRow;
  return [{ kind: 'delete', key: addressKey(row.load_balancer_id, row.pool_id, row.address, row.protocol_port) }];
}

/** Removes children for good, each group in one transaction with what it gives back to the quota. */
async function eraseChildren(store: Store, projectId: string, children: Child[]): Promise<Child[]> {
  const erased: Child[] = [];
  const perTransaction = Math.floor((limits.operationsPerTransaction - 1) / 3);
  for (let start = 0; start < children.length; start += perTransaction) {
    erased.push(...(await eraseGroup(store, projectId, children.slice(start, start + perTransaction))));
  }
  return erased;
}

/** A row that is gone already was counted when it went: only what this transaction removes is given back. */
async function eraseGroup(store: Store, projectId: string, group: Child[]): Promise<Child[]> {
  const present = await store.table.batchGet(group.map(childKey));
  const sortKeys = new Set(present.map((item) => item.sk));
  const going = group.filter((child) => sortKeys.has(childKey(child).sk));
  if (going.length === 0) return [];
  const removed: QuotaDelta = {};
  for (const { kind } of going) removed[kind] = (removed[kind] ?? 0) + 1;
  const quota = quotaGivenBack(projectId, removed);
  await store.table.transact([
    ...going.map((child): Operation => ({ kind: 'delete', key: childKey(child), when: { exists: true } })),
    ...going.map(({ row }): Operation => ({ kind: 'delete', key: pointerKey(row.id) })),
    ...going.flatMap(claimsOf),
    ...going.flatMap(useGone),
    ...(quota ? [quota] : []),
  ]);
  return going;
}

/** What a child hangs on, and goes with. */
const parentOf = ({ kind, row }: Child): string | null => {
  if (kind === 'member') return (row as MemberRow).pool_id;
  if (kind === 'healthmonitor') return (row as HealthMonitorRow).pool_id;
  if (kind === 'l7policy') return (row as L7PolicyRow).listener_id;
  if (kind === 'l7rule') return (row as L7RuleRow).l7policy_id;
  return null;
};

/** Children that go with what is deleted: members and monitors of a pool, policies of a listener, rules of a policy. */
function withDescendants(tree: Tree, deleted: Child[]): Child[] {
  const byParent = Map.groupBy(childrenOf(tree), parentOf);
  const ordered: Child[] = [];
  const seen = new Set<string>();
  const visit = (child: Child): void => {
    if (seen.has(child.row.id)) return;
    seen.add(child.row.id);
    for (const below of byParent.get(child.row.id) ?? []) visit(below);
    // Descendants first: whatever is cut off in between still has its parent to be found by.
    ordered.push(child);
  };
  for (const child of deleted) visit(child);
  return ordered;
}

/** Resources whose operating status says no more than whether they are enabled. */
const followsAdminState = new Set<Child['kind']>(['healthmonitor', 'l7policy', 'l7rule']);

/** Octavia's rows are updated when their status is, creation included. @param updated_at Octavia's spelling */
function settled(child: Child, refused: Map<string, string>, updated_at: string): Operation {
  const reason = refused.get(child.row.id);
  const isFollowing = followsAdminState.has(child.kind);
  const monitor = isFollowing ? { operating_status: child.row.admin_state_up ? 'ONLINE' : 'OFFLINE' } : {};
  return {
    kind: 'update',
    key: childKey(child),
    set:
      reason === undefined
        ? { provisioning_status: 'ACTIVE', updated_at, ...monitor }
        : { provisioning_status: 'ERROR', updated_at, reason },
    remove: reason === undefined ? ['last_good', 'reason'] : [],
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
  const waiting = childrenOf(tree).filter((child) => isJudged(child) && isWaiting(child));
  const deleted = waiting.filter(({ row }) => row.provisioning_status === 'PENDING_DELETE');
  const kept = waiting.filter(({ row }) => row.provisioning_status !== 'PENDING_DELETE');
  await transactPassable(
    store,
    kept.map((child) => settled(child, outcome.refused, timestamp(store.clock.now()))),
  );
  const erased = await eraseChildren(store, tree.loadBalancer.project_id, withDescendants(tree, deleted));
  const gone = new Set(erased.map(({ row }) => row.id));

  const change = await changeLoadBalancer(store, tree.loadBalancer.id, (row) => {
    if (row.provisioning_status === 'PENDING_DELETE') return undefined;
    // A flow that holds the load balancer commits at its own end.
    const isOthers =
      row.lease !== null && row.lease.execution !== rights.execution && row.lease.until > store.clock.now();
    if (isOthers) return undefined;
    const isDone = row.applied_generation >= outcome.generation && row.provisioning_status === 'ACTIVE';
    if (isDone && row.lease === null) return undefined;
    return { ...caughtUp(store, row, outcome.generation, gone, rights), lease: null };
  });
  return {
    transitions: [...transitionsOf(kept, outcome), ...erased.map(goneTransition), ...loadBalancerTransition(change)],
    after: change?.after,
  };
}

const transitionsOf = (kept: Child[], { refused }: Outcome): Transition[] =>
  kept.map(({ kind, row }) => {
    const reason = refused.get(row.id);
    const from = row.provisioning_status;
    return reason === undefined
      ? { kind, id: row.id, from, to: 'ACTIVE' }
      : { kind, id: row.id, from, to: 'ERROR', reason };
  });
const goneTransition = ({ kind, row }: Child): Transition => ({
  kind,
  id: row.id,
  from: 'PENDING_DELETE',
  to: 'DELETED',
});
const loadBalancerTransition = (
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

/** Everything below a load balancer that is being deleted, and at last its own row: DELETED, hidden, purged later. */
export async function commitDeleted(store: Store, tree: Tree): Promise<Transition[]> {
  const { loadBalancer } = tree;
  const erased = await eraseChildren(store, loadBalancer.project_id, withDescendants(tree, childrenOf(tree)));
  const quota = quotaGivenBack(loadBalancer.project_id, { loadbalancer: 1 });
  const ports = (tree.listeners as ListenerRow[]).map(
    (row): Operation => ({ kind: 'delete', key: portKey(loadBalancer.id, portClass(row.protocol), row.protocol_port) }),
  );
  await transactPassable(store, ports);
  const change = await changeLoadBalancer(
    store,
    loadBalancer.id,
    (row) =>
      row.provisioning_status === 'PENDING_DELETE'
        ? {
            provisioning_status: 'DELETED',
            operating_status: 'OFFLINE',
            updated_at: timestamp(store.clock.now()),
            operation: null,
            lease: null,
            listener_ids: [],
            pool_ids: [],
            amphora_ids: [],
          }
        : undefined,
    (row) => [...(quota ? [quota] : []), ...choicesGivenBack(row)],
  );
  return [...erased.map(goneTransition), ...loadBalancerTransition(change)];
}

/** The operation is over and could not be done: the load balancer is in ERROR and says why. Nothing below it is touched. */
export async function commitFailed(
  store: Store,
  loadBalancerId: string,
  reason: string,
  failed: { operation_id: string; attempts?: number; execution?: string },
): Promise<Transition[]> {
  const change = await changeLoadBalancer(store, loadBalancerId, (row) => {
    if (row.lease !== null && row.lease.execution !== failed.execution) return undefined;
    // What was accepted since, a delete for one, is not what failed.
    if (row.operation !== null && row.operation.id !== failed.operation_id) return undefined;
    if (failed.attempts !== undefined && row.operation?.attempts !== failed.attempts) return undefined;
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
  return loadBalancerTransition(change).map((transition) => ({ ...transition, reason }));
}
