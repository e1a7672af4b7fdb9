// A load balancer with everything below it, and the questions asked of that tree.
import type { HealthMonitorRow } from './health-monitor.ts';
import { type L7PolicyRow, takesEffect } from './l7-policy.ts';
import type { L7RuleRow } from './l7-rule.ts';
import type { ListenerRow } from './listener.ts';
import type { LoadBalancerRow } from './load-balancer.ts';
import type { MemberRow } from './member.ts';
import type { PoolRow } from './pool.ts';
import { asWanted } from './row.ts';

export interface ChildRows {
  listener: ListenerRow;
  pool: PoolRow;
  member: MemberRow;
  healthmonitor: HealthMonitorRow;
  l7policy: L7PolicyRow;
  l7rule: L7RuleRow;
}
export type ChildKind = keyof ChildRows;
export type ChildRow = ChildRows[ChildKind];

/** Everything but the members, of which there may be thousands. */
export interface Skeleton {
  loadBalancer: LoadBalancerRow;
  listeners: ListenerRow[];
  pools: PoolRow[];
  healthMonitors: HealthMonitorRow[];
  /** In the order they are asked: by position within a listener. */
  l7Policies: L7PolicyRow[];
  l7Rules: L7RuleRow[];
}

export interface Tree extends Skeleton {
  members: MemberRow[];
}

/** A child with its kind, as a tree is walked. */
export interface Child<K extends ChildKind = ChildKind> {
  kind: K;
  row: ChildRows[K];
}

export const childrenOf = (tree: Omit<Skeleton, 'loadBalancer'> & { members?: MemberRow[] }): Child[] => [
  ...tree.listeners.map((row): Child => ({ kind: 'listener', row })),
  ...tree.pools.map((row): Child => ({ kind: 'pool', row })),
  ...tree.healthMonitors.map((row): Child => ({ kind: 'healthmonitor', row })),
  ...tree.l7Policies.map((row): Child => ({ kind: 'l7policy', row })),
  ...tree.l7Rules.map((row): Child => ({ kind: 'l7rule', row })),
  ...(tree.members ?? []).map((row): Child => ({ kind: 'member', row })),
];

/** Pools that policies of the listener send to, as far as the policies take effect. */
const redirectPools = (tree: Pick<Skeleton, 'l7Policies'>, listenerId: string): string[] =>
  tree.l7Policies
    .filter((policy) => policy.listener_id === listenerId && takesEffect(policy))
    .flatMap((policy) => (policy.redirect_pool_id === null ? [] : [policy.redirect_pool_id]));

/** Listeners that send traffic to the pool: by default, or by a policy that takes effect. */
export const listenersUsing = (tree: Pick<Skeleton, 'listeners' | 'l7Policies'>, poolId: string): ListenerRow[] =>
  tree.listeners.filter(
    (listener) => listener.default_pool_id === poolId || redirectPools(tree, listener.id).includes(poolId),
  );

/** Pools a listener sends traffic to, its default pool first. */
export const poolsOf = (tree: Skeleton, listener: ListenerRow): PoolRow[] => {
  const ids = new Set([listener.default_pool_id, ...redirectPools(tree, listener.id)]);
  return [...ids].flatMap((id) => tree.pools.find((pool) => pool.id === id) ?? []);
};

const isGoing = (row: { provisioning_status: string }) => row.provisioning_status === 'PENDING_DELETE';

/** The row as the amphorae are to have it; undefined when they are not to have it at all. */
function effective<R extends ChildRow>(row: R): R | undefined {
  if (isGoing(row)) return undefined;
  if (row.provisioning_status !== 'ERROR') return row;
  // What the amphorae refused stays out; what they had before it stays in.
  return row.last_good === undefined ? undefined : ({ ...row, ...row.last_good } as R);
}

/** The rows as who works on them has to see them. @see asWanted */
export const treeAsWanted = <T extends Skeleton & { members?: MemberRow[] }>(tree: T): T => ({
  ...tree,
  listeners: tree.listeners.map(asWanted),
  pools: tree.pools.map(asWanted),
  healthMonitors: tree.healthMonitors.map(asWanted),
  l7Policies: tree.l7Policies.map(asWanted),
  l7Rules: tree.l7Rules.map(asWanted),
  ...(tree.members ? { members: tree.members.map(asWanted) } : {}),
});

/**
 * Policies that were never in force, with a rule that cannot be told: without it they would match more than was asked for. One
 * that is in force goes on as it was.
 * @param isOut of rules that are wanted
 */
export function heldBack(tree: Skeleton, isOut: (rule: L7RuleRow) => boolean): Set<string> {
  const rules = tree.l7Rules.filter((rule) => rule.admin_state_up !== false && !isGoing(rule) && isOut(rule));
  const policies = new Set(rules.map((rule) => rule.l7policy_id));
  const isHeld = ({ id, provisioning_status }: L7PolicyRow) =>
    policies.has(id) && provisioning_status === 'PENDING_CREATE';
  return new Set(tree.l7Policies.filter(isHeld).map(({ id }) => id));
}

/** The tree as it is to be rendered: deletions gone, refused changes as they were before. */
export function desiredTree(tree: Tree): Tree {
  const present = <R extends ChildRow>(rows: R[]) => rows.map(effective).filter((row): row is R => row !== undefined);
  const held = heldBack(tree, (rule) => effective(rule) === undefined);
  return {
    loadBalancer: tree.loadBalancer,
    listeners: present(tree.listeners),
    pools: present(tree.pools),
    healthMonitors: present(tree.healthMonitors),
    l7Policies: present(tree.l7Policies).filter((policy) => !held.has(policy.id)),
    l7Rules: present(tree.l7Rules),
    members: present(tree.members),
  };
}
