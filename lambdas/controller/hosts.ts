// Machines that several amphorae share: who gets a place on which, and how an amphora leaves. Places are what is counted; the machine
// itself is made by the compute driver with its first amphora, and ended by housekeeping after its last.
import type { AmphoraRow, MachineWish } from '../domain/amphora.ts';
import { Superseded } from '../domain/errors.ts';
import { amphoraeOn, type HostRow, hostsFor, newHost } from '../domain/host.ts';
import { isOverdue } from '../domain/suspicion.ts';
import { timestamp } from '../domain/time.ts';
import type { Compute } from '../drivers/compute/compute-driver.ts';
import { readAmphora, readAmphorae } from '../repositories/amphorae.ts';
import { untilWon } from '../repositories/contention.ts';
import { readHealth, readWatch } from '../repositories/health.ts';
import { givePlaceBack, makeHost, readHost, readHosts, readHostsMade, takePlace } from '../repositories/hosts.ts';
import type { Services } from '../runtime/services.ts';

/** Or ended, as compute told. Nobody listens, nobody is silent: as where amphorae are noop ones. */
async function isSilent({ table, clock, config }: Services, amphoraIds: string[]): Promise<boolean> {
  const [watch, health] = await Promise.all([readWatch(table), readHealth(table, amphoraIds)]);
  const now = clock.now();
  if (watch === undefined || now - watch.scanned_at > config.heartbeat_timeout_ms) return false;
  const isLate = (last_seen: number) =>
    isOverdue(Math.max(last_seen, watch.watching_since), now, config.heartbeat_interval_ms);
  return [...health.values()].some(({ last_seen, ended_at }) => ended_at != null || isLate(last_seen));
}

/** Compute says so of each that it has made there. */
async function isGone({ table, compute }: Services, amphoraIds: string[]): Promise<boolean> {
  const made = (await readAmphorae(table, amphoraIds)).flatMap(({ compute_id }) => compute_id ?? []);
  for (const id of made) if ((await compute.get(id)).state !== 'GONE') return false;
  return made.length > 0;
}

/** A host with somebody silent on it, or that has ended, is given no more to carry. */
async function isSound(services: Services, host: HostRow): Promise<boolean> {
  const ids = amphoraeOn(host);
  return !(await isSilent(services, ids)) && !(await isGone(services, ids));
}

/**
 * Writes down which host an amphora goes on, before its machine is made; again: the same one.
 * @returns null for a machine of its own
 * @throws Superseded when the amphora is given up by now
 */
export async function placeOnHost(
  services: Services,
  { id: amphora_id }: Pick<AmphoraRow, 'id'>,
  { colocation = 1, ...wish }: MachineWish,
  load_balancer_id: string | null,
): Promise<string | null> {
  const { table, clock, compute, newId } = services;
  if (colocation === 1 || !(await compute.hasHosts())) return null;
  const wanted = { ...wish, colocation, image_id: await compute.currentImage(wish) };
  const guest = { amphora_id, load_balancer_id };
  return untilWon(services, 'hosts', async () => {
    const row = await readAmphora(table, amphora_id);
    // First: the place of one that is given up may be somebody else's by now.
    if (row?.status !== 'BOOTING') throw new Superseded(`amphora ${amphora_id} is given up by now`);
    if (row.host_id !== undefined) return row.host_id;
    const madeBefore = await readHostsMade(table);
    for (const host of hostsFor(await readHosts(table), wanted, load_balancer_id)) {
      if ((await isSound(services, host)) && (await takePlace(services, host, guest))) return host.id;
    }
    const host = newHost(newId(), wanted, timestamp(clock.now()));
    await makeHost(services, host, guest, madeBefore);
    return host.id;
  });
}

/**
 * Ends the machine of an amphora that is given up, or its part of one. One that never noted its machine may have it all the same: it is
 * left to the sweep, and so is its place, as there would be one too many on the host otherwise.
 * @returns the amphora as it was
 */
export async function endMachine(services: Services, amphoraId: string): Promise<AmphoraRow | undefined> {
  const row = await readAmphora(services.table, amphoraId);
  if (row === undefined || row.compute_id === null) return row;
  await services.compute.delete(row.compute_id);
  if (row.host_id !== undefined) await givePlaceBack(services, row.host_id, row.id);
  return row;
}

/** A machine without a row. A host that is not known either was ended before a late build made it anew, with nobody else on it. */
export async function endStray(services: Services, { compute_id, host_id }: Compute): Promise<void> {
  const isStrayHost = typeof host_id === 'string' && (await readHost(services.table, host_id)) === undefined;
  if (isStrayHost) await services.compute.deleteHost(host_id);
  else await services.compute.delete(compute_id);
}
