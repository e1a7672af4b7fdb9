// Where the amphora that is made for a load balancer is to be, seeing where the other one is.
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import { type Placement, placementOf } from '../domain/placement.ts';
import type { AmphoraRole } from '../domain/statuses.ts';
import { readAmphorae } from '../repositories/amphorae.ts';
import type { Services } from '../runtime/services.ts';

/** Zones of the amphorae beside which one of that role is made. */
export async function zonesBeside(
  { table }: Pick<Services, 'table'>,
  { topology, amphora_ids }: LoadBalancerRow,
  role: AmphoraRole | null,
): Promise<Set<string>> {
  if (topology !== 'ACTIVE_STANDBY') return new Set();
  const others = (await readAmphorae(table, amphora_ids)).filter((one) => one.role !== role);
  return new Set(others.flatMap(({ cached_zone }) => cached_zone ?? []));
}

export async function placed(services: Services, row: LoadBalancerRow, role: AmphoraRole | null): Promise<Placement> {
  const zones = services.config.compute_zones.split(',').flatMap((zone) => zone.trim() || []);
  return placementOf(row, role, zones, await zonesBeside(services, row, role));
}
