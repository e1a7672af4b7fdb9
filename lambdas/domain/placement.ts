// Where the amphorae of a pair are to be: apart, so that what ends one does not end the other. Octavia's anti-affinity by server groups.
import { rolesOf } from './amphora.ts';
import type { LoadBalancerRow } from './load-balancer.ts';
import type { AmphoraRole } from './statuses.ts';

export interface Placement {
  /** Machines of one group are wished on different hosts; null: anywhere. */
  server_group: string | null;
  /** null: the compute driver chooses. */
  availability_zone: string | null;
}

const numberOf = (id: string): number => Number.parseInt(id.replaceAll('-', '').slice(-8), 16) || 0;

/**
 * @param zones all there are, in order; empty where machines have none to choose from
 * @param taken those of the amphorae that stay
 */
export function placementOf(
  row: LoadBalancerRow,
  role: AmphoraRole | null,
  zones: readonly string[],
  taken: ReadonlySet<string>,
): Placement {
  const wished = row.availability_zone_data?.compute_zone ?? row.vip_zone ?? null;
  if (row.topology !== 'ACTIVE_STANDBY') return { server_group: null, availability_zone: wished };
  const server_group = row.id;
  if (wished !== null || zones.length === 0) return { server_group, availability_zone: wished };
  // Load balancers begin at different zones, and each of a pair at the next one: both are made at the same time.
  const begin = numberOf(row.id) + Math.max(0, rolesOf(row.topology).indexOf(role ?? 'MASTER'));
  const inTurn = zones.map((_, index) => zones[(begin + index) % zones.length]!);
  return { server_group, availability_zone: inTurn.find((zone) => !taken.has(zone)) ?? inTurn[0]! };
}
