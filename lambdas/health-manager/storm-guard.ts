// Health manager, the storm guard: in a zone where many amphorae are silent at once nothing is failed over, until most are heard again.
import { announce } from '../controller/announce.ts';
import { goneForGood, isStorm } from '../domain/storm-guard.ts';
import type { HealthRow } from '../repositories/health.ts';
import { readStormGuards, type StormGuard, setStormGuard } from '../repositories/storm-guard.ts';
import type { Services } from '../runtime/services.ts';

const zoneOf = ({ zone }: HealthRow): string => zone ?? '';

/** A host that is gone is one machine, however many amphorae it carried; one of four that is silent is a quarter of it. */
function machinesOf(all: HealthRow[], silent: HealthRow[]): { all: number; silent: number } {
  const machineOf = ({ host_id, amphora_id }: HealthRow) => host_id ?? amphora_id;
  const [allByMachine, silentByMachine] = [Map.groupBy(all, machineOf), Map.groupBy(silent, machineOf)];
  const shares = [...silentByMachine].map(([machine, rows]) => rows.length / (allByMachine.get(machine)?.length ?? 1));
  return { all: allByMachine.size, silent: shares.reduce((sum, share) => sum + share, 0) };
}

const nobody = { id: '', project_id: '', name: '' };

export interface Judgement {
  /** Silent, and nothing keeps them from being failed over. */
  due: HealthRow[];
  /** Where failovers are held back. */
  stormy: string[];
}

type Guard = Omit<StormGuard, 'since'>;

/** Tells when it is news. */
async function keepGuard(services: Services, before: StormGuard | undefined, guard: Guard): Promise<void> {
  if (!(await setStormGuard(services, before, guard))) return;
  const { zone, is_engaged, silent, amphorae } = guard;
  const type = is_engaged ? 'storm_guard_engaged' : 'storm_guard_released';
  await announce(services, nobody, type, 'amphora', zone || 'all', { zone: zone || null, silent, amphorae });
}

/** Judges each zone, and those that have lost their last amphora. */
export async function judgeZones(services: Services, all: HealthRow[], silent: HealthRow[]): Promise<Judgement> {
  const { failover_share_limit: share, failover_share_floor: floor, heartbeat_timeout_ms } = services.config;
  const guards = await readStormGuards(services.table);
  const [allByZone, silentByZone] = [Map.groupBy(all, zoneOf), Map.groupBy(silent, zoneOf)];
  const judgement: Judgement = { due: [], stormy: [] };
  for (const zone of [...new Set([...allByZone.keys(), ...guards.keys()])].sort()) {
    const [ofZone, silentOfZone] = [allByZone.get(zone) ?? [], silentByZone.get(zone) ?? []];
    const gone = new Set(goneForGood(ofZone, services.clock.now(), heartbeat_timeout_ms));
    const doubtful = silentOfZone.filter((row) => !gone.has(row));
    const counts = { silent: doubtful.length, amphorae: ofZone.length - gone.size };
    const machines = machinesOf(
      ofZone.filter((row) => !gone.has(row)),
      doubtful,
    );
    const is_engaged = isStorm(machines.silent, machines.all, { share, floor });
    judgement.due.push(...gone, ...(is_engaged ? [] : doubtful));
    if (is_engaged) judgement.stormy.push(zone);
    await keepGuard(services, guards.get(zone), { zone, is_engaged, ...counts });
  }
  return judgement;
}
