// Members as they are made, by the API and for machines of Auto Scaling groups.
import { type MemberRow, type member, memberAddressTaken } from '../domain/member.ts';
import type { Created } from '../domain/resource.ts';
import { newRow } from '../domain/row.ts';
import type { Child } from '../domain/tree.ts';
import type { Claim } from '../repositories/changes.ts';
import { addressKey } from '../repositories/keys.ts';

export type MemberAttributes = Created<typeof member.attributes>;

export interface PoolRef {
  id: string;
  load_balancer_id: string;
  project_id: string;
  hasMonitor: boolean;
}

export const poolRef = ({ row }: Child<'pool'>): PoolRef => ({
  id: row.id,
  load_balancer_id: row.load_balancer_id,
  project_id: row.project_id,
  hasMonitor: row.healthmonitor_id !== null,
});

export function newMember(attributes: MemberAttributes, pool: PoolRef, id: string, now: number): MemberRow {
  const { project_id: _project, ...own } = attributes;
  return {
    ...own,
    ...newRow(id, pool.load_balancer_id, pool.project_id, now),
    pool_id: pool.id,
    operating_status: pool.hasMonitor ? 'OFFLINE' : 'NO_MONITOR',
  };
}

export const addressClaim = (row: MemberRow): Claim => ({
  key: addressKey(row.load_balancer_id, row.pool_id, row.address, row.protocol_port),
  refusal: memberAddressTaken(row.address, row.protocol_port),
});
