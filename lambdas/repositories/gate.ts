// The gate in front of every write to a load balancer's tree: which states of it, and of the parent written below, let one in.
import { conflict } from '../domain/errors.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import type { ChangePolicy, TreeChange } from './changes.ts';

const acceptsWrites = (row: LoadBalancerRow, policy: ChangePolicy): boolean => {
  if (row.provisioning_status === 'PENDING_DELETE' || row.provisioning_status === 'DELETED') return false;
  // What is half gone is only to be deleted again.
  if (row.provisioning_status === 'ERROR' && row.failed === 'delete') return false;
  return policy.conflict_policy === 'queue' || row.provisioning_status === 'ACTIVE';
};

/**
 * Octavia's gate on parents, asked before that of the load balancer: members and monitors need their pool ACTIVE, rules their policy.
 * @throws ApiError 409
 */
function refuseLockedParent({ create = [], update = [], remove = [], touch = [] }: TreeChange): void {
  const kinds = new Set([...create, ...remove, ...update.map(({ child }) => child)].map(({ kind }) => kind));
  const parent =
    kinds.has('member') || kinds.has('healthmonitor') ? 'pool' : kinds.has('l7rule') ? 'l7policy' : undefined;
  const row = touch.find(({ child }) => child.kind === parent)?.child.row;
  if (row === undefined || row.provisioning_status === 'ACTIVE') return;
  throw conflict(`${parent === 'pool' ? 'Pool' : 'L7Policy'} ${row.id} is immutable and cannot be updated.`);
}

/** @throws ApiError 409 */
export function refuseWhileBusy(row: LoadBalancerRow, change: TreeChange, policy: ChangePolicy): void {
  if (policy.conflict_policy === 'strict') refuseLockedParent(change);
  if (!acceptsWrites(row, policy)) throw conflict(`Load Balancer ${row.id} is immutable and cannot be updated.`);
}
