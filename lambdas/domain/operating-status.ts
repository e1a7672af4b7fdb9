// From what an amphora reports to Octavia's operating statuses: the roll-up of the health manager.
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
  const { loadBalancer } = tree;
  const isUnheardOf = (row: { generation: number; provisioning_status: string }) =>
    row.provisioning_status !== 'ACTIVE' || row.generation > (report.generation ?? 0);
  let ofLoadBalancer: OperatingStatus = loadBalancer.admin_state_up ? 'ONLINE' : 'OFFLINE';

  for (const listener of tree.listeners) {
    const reported = report.listeners[listener.id];
    if (reported?.status === 'OPEN') note('listener', listener, 'ONLINE');
    else if (reported?.status === 'FULL') {
      note('listener', listener, 'DEGRADED');
      ofLoadBalancer = worst(ofLoadBalancer, 'DEGRADED');
    } else {
      const isMissed =
        listener.admin_state_up && loadBalancer.provisioning_status === 'ACTIVE' && loadBalancer.admin_state_up;
      // A listener that is still on its way to the amphora is not an error.
      if (!isUnheardOf(listener) || !isMissed) note('listener', listener, isMissed ? 'ERROR' : 'OFFLINE');
    }
  }

  const reports = byPool(report.pools);
  for (const pool of tree.pools) {
    const reported = reports.get(pool.id);
    let ofPool: OperatingStatus = 'OFFLINE';
    if (reported?.status.startsWith('UP')) ofPool = 'ONLINE';
    else if (reported?.status.startsWith('DOWN')) {
      ofPool = 'ERROR';
      ofLoadBalancer = 'ERROR';
    }
    for (const member of tree.members.filter((one) => one.pool_id === pool.id)) {
      // Rows the amphora has not heard of yet keep what they have.
      const isOnItsWay = reported?.members[member.id] === undefined && isUnheardOf(member);
      const to = isOnItsWay ? undefined : memberStatus(reported?.members[member.id], member.operating_status);
      if (to !== undefined) note('member', member, to);
      if ((to ?? member.operating_status) === 'ERROR') {
        if (ofPool === 'ONLINE') ofPool = 'DEGRADED';
        ofLoadBalancer = worst(ofLoadBalancer, 'DEGRADED');
      }
    }
    note('pool', pool, ofPool);
  }
  note('loadbalancer', loadBalancer, ofLoadBalancer);
  return changes;
}
