// Pools as they are rendered: enabled ones, with what hangs on them, in an order that is always the same.
import type { HealthMonitorRow } from './health-monitor.ts';
import type { MemberRow } from './member.ts';
import type { PoolRow } from './pool.ts';
import type { Tree } from './tree.ts';

/** A pool with what hangs on it, members in the order they are rendered. */
export interface PoolParts {
  pool: PoolRow;
  /** None when disabled. */
  healthMonitor: HealthMonitorRow | undefined;
  members: MemberRow[];
}

/** Enabled pools with what hangs on them, by id. */
export function partsById({
  pools,
  healthMonitors,
  members,
}: Pick<Tree, 'pools' | 'healthMonitors' | 'members'>): Map<string, PoolParts> {
  const membersOf = Map.groupBy([...members].sort(byAge), (member) => member.pool_id);
  const monitors = healthMonitors.filter((monitor) => monitor.admin_state_up !== false);
  const monitorOf = new Map(monitors.map((monitor) => [monitor.pool_id, monitor]));
  const partsOf = (pool: PoolRow): PoolParts => ({
    pool,
    healthMonitor: monitorOf.get(pool.id),
    members: membersOf.get(pool.id) ?? [],
  });
  return new Map(pools.filter((pool) => pool.admin_state_up !== false).map((pool) => [pool.id, partsOf(pool)]));
}

interface Aged {
  created_at: string;
  id: string;
}
/** Oldest first; not by locale, which may differ between machines. */
export const byAge = (a: Aged, b: Aged): number => compared(a.created_at, b.created_at) || compared(a.id, b.id);
const compared = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
