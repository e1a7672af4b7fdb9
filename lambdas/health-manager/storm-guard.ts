// Health manager, the storm guard: in a zone where many amphorae are silent at once nothing is failed over, until most are heard again.
import { announce } from '../controller/announce.ts';
import { isStorm } from '../domain/storm-guard.ts';
import type { HealthRow } from '../repositories/health.ts';
import { readStormGuards, setStormGuard } from '../repositories/storm-guard.ts';
import type { Services } from '../runtime/services.ts';

export const zoneOf = ({ zone }: HealthRow): string => zone ?? '';

/** A host that is gone is one machine, however many amphorae it carried; one of four that is silent is a quarter of it. */
function machinesOf(all: HealthRow[], silent: HealthRow[]): { all: number; silent: number } {
  const machineOf = ({ host_id, amphora_id }: HealthRow) => host_id ?? amphora_id;
  const [allByMachine, silentByMachine] = [Map.groupBy(all, machineOf), Map.groupBy(silent, machineOf)];
  const shares = [...silentByMachine].map(([machine, rows]) => rows.length / (allByMachine.get(machine)?.length ?? 1));
  return { all: allByMachine.size, silent: shares.reduce((sum, share) => sum + share, 0) };
}

const nobody = { id: '', project_id: '', name: '' };

/** Judges each zone, and those that have lost their last amphora. @returns where failovers are held back */
export async function stormyZones(services: Services, all: HealthRow[], silent: HealthRow[]): Promise<Set<string>> {
  const { failover_share_limit: share, failover_share_floor: floor } = services.config;
  const guards = await readStormGuards(services.table);
  const [allByZone, silentByZone] = [Map.groupBy(all, zoneOf), Map.groupBy(silent, zoneOf)];
  const stormy = new Set<string>();
  for (const zone of new Set([...allByZone.keys(), ...guards.keys()])) {
    const counts = { silent: silentByZone.get(zone)?.length ?? 0, amphorae: allByZone.get(zone)?.length ?? 0 };
    const machines = machinesOf(allByZone.get(zone) ?? [], silentByZone.get(zone) ?? []);
    const is_engaged = isStorm(machines.silent, machines.all, { share, floor });
    if (is_engaged) stormy.add(zone);
    if (!(await setStormGuard(services, guards.get(zone), { zone, is_engaged, ...counts }))) continue;
    const type = is_engaged ? 'storm_guard_engaged' : 'storm_guard_released';
    await announce(services, nobody, type, 'amphora', zone || 'all', { zone: zone || null, ...counts });
  }
  return stormy;
}
