// Rows that go for good: children that were deleted, with all that hangs on them, and at last a load balancer itself. What only they
// had is free again, and their quota is given back in the same transaction.
import type { HealthMonitorRow } from '../domain/health-monitor.ts';
import type { L7PolicyRow } from '../domain/l7-policy.ts';
import type { L7RuleRow } from '../domain/l7-rule.ts';
import { type ListenerRow, portClass } from '../domain/listener.ts';
import type { MemberRow } from '../domain/member.ts';
import type { QuotaDelta } from '../domain/quota.ts';
import { timestamp } from '../domain/time.ts';
import { type Child, childrenOf, type Tree, treeAsWanted } from '../domain/tree.ts';
import { limits, type Operation } from '../drivers/table/table.ts';
import type { Transition } from './changes.ts';
import { choicesGivenBack } from './choices.ts';
import { transactPassable } from './intents.ts';
import { addressKey, childKey, pointerKey, portKey } from './keys.ts';
import { changeLoadBalancer, loadBalancerTransition } from './load-balancers.ts';
import { quotaGivenBack } from './quotas.ts';
import type { Store } from './store.ts';

/** Names only this child had. A member's or listener's were released when its deletion was accepted, unless its parent went. */
function claimsOf(child: Child): Operation[] {
  if (child.kind !== 'member' || child.row.provisioning_status === 'PENDING_DELETE') return [];
  const row = child.row as MemberRow;
  return [{ kind: 'delete', key: addressKey(row.load_balancer_id, row.pool_id, row.address, row.protocol_port) }];
}

/** Removes children for good, each group in one transaction with what it gives back to the quota. */
export async function eraseChildren(store: Store, projectId: string, children: Child[]): Promise<Child[]> {
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
export function withDescendants(tree: Tree, deleted: Child[]): Child[] {
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

export const goneTransition = ({ kind, row }: Child): Transition => ({
  kind,
  id: row.id,
  from: 'PENDING_DELETE',
  to: 'DELETED',
});

/** Everything below a load balancer that is being deleted, and at last its own row: DELETED, hidden, purged later. */
export async function commitDeleted(store: Store, tree: Tree): Promise<Transition[]> {
  const { loadBalancer } = tree;
  const wanted = treeAsWanted(tree);
  const erased = await eraseChildren(store, loadBalancer.project_id, withDescendants(wanted, childrenOf(wanted)));
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
