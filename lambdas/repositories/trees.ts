// Reads load balancers and what is below them.
import type { HealthMonitorRow } from '../domain/health-monitor.ts';
import type { L7PolicyRow } from '../domain/l7-policy.ts';
import type { L7RuleRow } from '../domain/l7-rule.ts';
import type { ListenerRow } from '../domain/listener.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import type { MemberRow } from '../domain/member.ts';
import type { PoolRow } from '../domain/pool.ts';
import type { ChildKind, ChildRows, Skeleton, Tree } from '../domain/tree.ts';
import { type Item, queryAll, type Table } from '../drivers/table/table.ts';
import {
  isPossibleId,
  loadBalancerKey,
  memberPrefix,
  partitionOf,
  pointerKey,
  type ResourceKind,
  rowOf,
} from './keys.ts';

/** undefined also for a load balancer that was deleted. */
export async function readLoadBalancer(table: Table, id: string): Promise<LoadBalancerRow | undefined> {
  const item = await table.get(loadBalancerKey(id));
  return item === undefined || item['provisioning_status'] === 'DELETED' ? undefined : rowOf<LoadBalancerRow>(item);
}

export interface Pointer {
  kind: ChildKind;
  load_balancer_id: string;
  /** Sort key of the row in the load balancer's partition. */
  row_sk: string;
}

/** Which load balancer a child belongs to. */
export async function readPointer(table: Table, id: string): Promise<Pointer | undefined> {
  const item = await table.get(pointerKey(id));
  return item && rowOf<Pointer>(item);
}

/** A child by its id alone, strongly consistent. */
export async function readChild<K extends ChildKind>(
  table: Table,
  kind: K,
  id: string,
): Promise<ChildRows[K] | undefined> {
  const pointer = await readPointer(table, id);
  if (pointer?.kind !== kind) return undefined;
  const item = await table.get({ pk: partitionOf(pointer.load_balancer_id), sk: pointer.row_sk });
  return item && rowOf<ChildRows[K]>(item);
}

const rows = <R>(items: Item[], prefix: string): R[] =>
  items.filter((item) => item.sk.startsWith(prefix)).map((item) => rowOf<R>(item));

const byAge = (a: L7RuleRow, b: L7RuleRow): number =>
  a.created_at === b.created_at ? (a.id < b.id ? -1 : 1) : a.created_at < b.created_at ? -1 : 1;

function belowOf(items: Item[]): Omit<Tree, 'loadBalancer'> {
  return {
    listeners: rows<ListenerRow>(items, 'LISTENER#'),
    pools: rows<PoolRow>(items, 'POOL#'),
    healthMonitors: rows<HealthMonitorRow>(items, 'HM#'),
    l7Policies: rows<L7PolicyRow>(items, 'L7POLICY#').sort((a, b) => a.position - b.position),
    l7Rules: rows<L7RuleRow>(items, 'L7RULE#').sort(byAge),
    members: rows<MemberRow>(items, 'MEMBER#'),
  };
}

/**
 * Everything but members. The load balancer is read first: whoever writes below it raises its revision, so a write conditional on
 * the revision read here cannot have missed a change of the rows read after it.
 */
export async function readSkeleton(table: Table, id: string): Promise<Skeleton | undefined> {
  const loadBalancer = await readLoadBalancer(table, id);
  if (loadBalancer === undefined) return undefined;
  const pk = partitionOf(id);
  // Sort keys from HM# to LISTENER# hold all but members and pools.
  const found = await Promise.all([
    queryAll(table, { pk, between: ['HM#', 'LISTENER#~'] }),
    queryAll(table, { pk, prefix: 'POOL#' }),
  ]);
  const { members: _members, ...below } = belowOf(found.flat());
  return { loadBalancer, ...below };
}

export async function readTree(table: Table, id: string): Promise<Tree | undefined> {
  const loadBalancer = await readLoadBalancer(table, id);
  if (loadBalancer === undefined) return undefined;
  return { loadBalancer, ...(await readBelow(table, id)) };
}

/** What is below a load balancer, without its own row. */
export async function readBelow(table: Table, id: string): Promise<Omit<Tree, 'loadBalancer'>> {
  const items = await queryAll(table, { pk: partitionOf(id), between: ['HM#', 'POOL#~'] });
  return belowOf(items);
}

export async function readMembers(table: Table, loadBalancerId: string, poolId: string): Promise<MemberRow[]> {
  const items = await queryAll(table, { pk: partitionOf(loadBalancerId), prefix: memberPrefix(poolId) });
  return items.map((item) => rowOf<MemberRow>(item));
}

/** Load balancers whose operation is past its deadline, oldest first. @param now milliseconds since the epoch */
export async function readExpired(table: Table, now: number): Promise<LoadBalancerRow[]> {
  const items = await queryAll(table, { index: 'pending', pk: 'PENDING', between: ['0', new Date(now).toISOString()] });
  return items.map((item) => rowOf<LoadBalancerRow>(item));
}

/** Load balancers that wait for something, as the index has them: that is behind by moments. */
export async function readPending(table: Table): Promise<LoadBalancerRow[]> {
  const items = await queryAll(table, { index: 'pending', pk: 'PENDING' });
  return items.map((item) => rowOf<LoadBalancerRow>(item));
}

/** The row of any kind of resource by its id alone, strongly consistent. */
export async function readRow(table: Table, kind: ResourceKind, id: string): Promise<object | undefined> {
  if (!isPossibleId(id)) return undefined;
  return kind === 'loadbalancer' ? readLoadBalancer(table, id) : readChild(table, kind, id);
}

/** All rows of a kind of one project, or of all, oldest first. */
export async function readAll<R>(table: Table, kind: string, projectId: string | null): Promise<R[]> {
  const items =
    projectId === null
      ? await queryAll(table, { index: 'by_type', pk: kind })
      : await queryAll(table, { index: 'by_project', pk: `${projectId}#${kind}` });
  return items.map((item) => rowOf<R>(item));
}
