// Where everything lies in the table. One load balancer with all below it is one partition.

import type { L7RuleRow } from '../domain/l7-rule.ts';
import type { MemberRow } from '../domain/member.ts';
import type { Child, ChildKind, ChildRow } from '../domain/tree.ts';
import type { Item, Key } from '../drivers/table/table.ts';

export type ResourceKind = ChildKind | 'loadbalancer';

export const partitionOf = (loadBalancerId: string): string => `LB#${loadBalancerId}`;
export const loadBalancerKey = (id: string): Key => ({ pk: partitionOf(id), sk: 'LB' });
export const pointerKey = (id: string): Key => ({ pk: `ID#${id}`, sk: 'ID' });
export const quotaKey = (projectId: string): Key => ({ pk: `PROJECT#${projectId}`, sk: 'QUOTA' });
export const amphoraKey = (id: string): Key => ({ pk: `AMPHORA#${id}`, sk: 'AMPHORA' });
export const intentPrefix = (id: string): string => `INTENT#${id}#`;
/** Statistics of amphorae that are gone. */
export const retiredStatisticsKey = (loadBalancerId: string): Key => ({ pk: partitionOf(loadBalancerId), sk: 'STATS' });
/** Beside the tree, with which it is never read: written with every heartbeat that counted something. */
export const statisticsPartition = (loadBalancerId: string): string => `STATISTICS#${loadBalancerId}`;
/** Says that the amphora counts, or has counted, for the load balancer. */
export const countingAmphoraKey = (loadBalancerId: string, amphoraId: string): Key => ({
  pk: statisticsPartition(loadBalancerId),
  sk: `AMPHORA#${amphoraId}`,
});
/** Raised whenever what was counted moves from one item to another. */
export const statisticsMovesKey = (loadBalancerId: string): Key => ({
  pk: statisticsPartition(loadBalancerId),
  sk: 'MOVES',
});
/** @param owner an amphora, or `retired` for those that are gone */
export const memberPageKey = (loadBalancerId: string, owner: string, page: number): Key => ({
  pk: statisticsPartition(loadBalancerId),
  sk: `MEMBERS#${owner}#${String(page).padStart(4, '0')}`,
});

/** Parts of a heartbeat that is not complete yet. */
export const heartbeatPartPrefix = (amphoraId: string): string => `HEARTBEAT#${amphoraId}#`;
export const heartbeatPartKey = (loadBalancerId: string, amphoraId: string, part: number): Key => ({
  pk: statisticsPartition(loadBalancerId),
  sk: `${heartbeatPartPrefix(amphoraId)}${String(part).padStart(4, '0')}`,
});

export const healthShards = '0123456789abcdef';
/** Heartbeats are spread so that no partition takes more than a sixteenth of them. */
export const healthKey = (amphoraId: string): Key => ({ pk: `HEALTH#${amphoraId[0]}`, sk: amphoraId });

export const portKey = (loadBalancerId: string, portClass: string, port: number): Key => ({
  pk: partitionOf(loadBalancerId),
  sk: `PORT#${portClass}#${port}`,
});
export const addressKey = (loadBalancerId: string, poolId: string, address: string, port: number): Key => ({
  pk: partitionOf(loadBalancerId),
  sk: `ADDR#${poolId}#${address}#${port}`,
});
export const memberPrefix = (poolId: string): string => `MEMBER#${poolId}#`;

/** What the sort keys of a kind begin with in the partition of their load balancer. */
export const kindPrefixes: Record<ChildKind, string> = {
  listener: 'LISTENER#',
  pool: 'POOL#',
  healthmonitor: 'HM#',
  l7policy: 'L7POLICY#',
  l7rule: 'L7RULE#',
  member: 'MEMBER#',
};

const sortKeys: { [K in ChildKind]: (row: ChildRow) => string } = {
  listener: (row) => `LISTENER#${row.id}`,
  pool: (row) => `POOL#${row.id}`,
  healthmonitor: (row) => `HM#${row.id}`,
  l7policy: (row) => `L7POLICY#${row.id}`,
  l7rule: (row) => `L7RULE#${(row as L7RuleRow).l7policy_id}#${row.id}`,
  member: (row) => `${memberPrefix((row as MemberRow).pool_id)}${row.id}`,
};
export const childKey = ({ kind, row }: Child): Key => ({
  pk: partitionOf(row.load_balancer_id),
  sk: sortKeys[kind](row),
});

/** Ids come from URLs and bodies: one that no row can have is not looked up, so that it meets no limit of the table's keys. */
export const isPossibleId = (id: string): boolean => /^[\w-]{1,64}$/.test(id);

interface Listed {
  id: string;
  project_id: string;
  created_at: string;
  name?: string;
}

/** Attributes of the index by name; what has no name is not in it. */
export const named = (kind: ResourceKind, { name, project_id, created_at, id }: Listed) =>
  name ? { name_pk: `${kind}#${name}`, name_sk: `${project_id}#${created_at}#${id}` } : {};
export const nameAttributes = ['name_pk', 'name_sk'];

/** Attributes of the list indexes. */
export const listed = (kind: ResourceKind, row: Listed) => ({
  ...named(kind, row),
  project_pk: `${row.project_id}#${kind}`,
  project_sk: `${row.created_at}#${row.id}`,
  type_pk: kind,
  type_sk: `${row.created_at}#${row.id}`,
});

/** Attributes of the index of everything PENDING. @param deadline milliseconds since the epoch */
export const pendingUntil = (deadline: number) => ({
  pending_pk: 'PENDING',
  pending_sk: new Date(deadline).toISOString(),
});

const keyAttributes = new Set([
  'pk',
  'sk',
  'project_pk',
  'project_sk',
  'type_pk',
  'type_sk',
  ...nameAttributes,
  'pending_pk',
  'pending_sk',
]);

/** The row without what only the table needs. */
export function rowOf<R>(item: Item): R {
  const row: Record<string, unknown> = {};
  for (const name in item) if (!keyAttributes.has(name)) row[name] = item[name];
  return row as R;
}
