// From what an amphora reports to Octavia's operating statuses: the roll-up of the health manager.
import type { ListenerRow } from './listener.ts';
import type { MemberRow } from './member.ts';
import type { OperatingStatus } from './statuses.ts';
import type { Tree } from './tree.ts';

/** What one amphora says of the load balancer: `status` words of HAProxy. */
export interface Report {
  /** Of the configuration it runs; rows that were written later are not known to it. */
  generation: number | null;
  listeners: Record<string, { status: string }>;
  /** Keys are `<pool id>:<listener id>`, or a pool id. */
  pools: Record<string, { status: string; members: Record<string, string> }>;
}

export interface OperatingStatusChange {
  kind: 'loadbalancer' | 'listener' | 'pool' | 'member' | 'healthmonitor';
  id: string;
  from: OperatingStatus;
  to: OperatingStatus;
}

const worst = (current: OperatingStatus, next: OperatingStatus): OperatingStatus =>
  current === 'ERROR' ? current : next;

/** A member's status from HAProxy's word for it; undefined leaves it as it is. */
export function memberStatus(word: string | undefined, current: OperatingStatus): OperatingStatus | undefined {
  if (word === undefined) return current === 'NO_MONITOR' ? 'NO_MONITOR' : 'OFFLINE';
  if (word.startsWith('UP')) return 'ONLINE';
  if (word.startsWith('DOWN')) return 'ERROR';
  if (word.startsWith('DRAIN')) return 'DRAINING';
  if (word.startsWith('MAINT')) return 'OFFLINE';
  if (word === 'no check') return 'NO_MONITOR';
  return undefined;
}

interface PoolReport {
  status: string;
  members: Record<string, string>;
}

/** Several listeners may use one pool; the first report of it wins. */
function byPool(pools: Report['pools']): Map<string, PoolReport> {
  const found = new Map<string, PoolReport>();
  for (const [name, report] of Object.entries(pools)) {
    const id = name.split(':')[0]!;
    if (!found.has(id)) found.set(id, report);
  }
  return found;
}

interface Rowed {
  generation: number;
  provisioning_status: string;
}

/** Written after the configuration the amphora runs: it cannot have heard of it. */
const isUnheardOf = (row: Rowed, { generation }: Report): boolean =>
  row.provisioning_status !== 'ACTIVE' || row.generation > (generation ?? 0);

/** undefined: it stays as it is. */
function listenerStatus(listener: ListenerRow, { loadBalancer }: Tree, report: Report): OperatingStatus | undefined {
  const reported = report.listeners[listener.id]?.status;
  if (reported === 'OPEN') return 'ONLINE';
  if (reported === 'FULL') return 'DEGRADED';
  const isToServe = loadBalancer.admin_state_up && loadBalancer.provisioning_status === 'ACTIVE';
  if (!listener.admin_state_up || !isToServe) return 'OFFLINE';
  // A listener that is still on its way to the amphora is not an error.
  return isUnheardOf(listener, report) ? undefined : 'ERROR';
}

/** What becomes of a member; the same as it is when the amphora has not heard of it yet. */
function statusOfMember(member: MemberRow, word: string | undefined, report: Report): OperatingStatus {
  const isOnItsWay = word === undefined && isUnheardOf(member, report);
  const to = isOnItsWay ? undefined : memberStatus(word, member.operating_status);
  return to ?? member.operating_status;
}

function poolStatus(reported: PoolReport | undefined, hasFailedMember: boolean): OperatingStatus {
  if (reported?.status.startsWith('DOWN')) return 'ERROR';
  if (!reported?.status.startsWith('UP')) return 'OFFLINE';
  return hasFailedMember ? 'DEGRADED' : 'ONLINE';
}

/** The changes of operating status that a report brings about; rows that stay as they are do not appear. */
export function operatingStatusChanges(tree: Tree, report: Report): OperatingStatusChange[] {
  const changes: OperatingStatusChange[] = [];
  const note = (
    kind: OperatingStatusChange['kind'],
    row: { id: string; operating_status: OperatingStatus },
    to: OperatingStatus,
  ) => {
    if (row.operating_status !== to) changes.push({ kind, id: row.id, from: row.operating_status, to });
  };
  let ofLoadBalancer: OperatingStatus = tree.loadBalancer.admin_state_up ? 'ONLINE' : 'OFFLINE';
  for (const listener of tree.listeners) {
    const to = listenerStatus(listener, tree, report);
    if (to !== undefined) note('listener', listener, to);
    if (to === 'DEGRADED') ofLoadBalancer = worst(ofLoadBalancer, 'DEGRADED');
  }
  const reports = byPool(report.pools);
  const members = Map.groupBy(tree.members, (member) => member.pool_id);
  for (const pool of tree.pools) {
    const reported = reports.get(pool.id);
    let hasFailedMember = false;
    for (const member of members.get(pool.id) ?? []) {
      const to = statusOfMember(member, reported?.members[member.id], report);
      note('member', member, to);
      hasFailedMember ||= to === 'ERROR';
    }
    const to = poolStatus(reported, hasFailedMember);
    if (to === 'ERROR') ofLoadBalancer = 'ERROR';
    if (hasFailedMember) ofLoadBalancer = worst(ofLoadBalancer, 'DEGRADED');
    note('pool', pool, to);
  }
  note('loadbalancer', tree.loadBalancer, ofLoadBalancer);
  return changes;
}
