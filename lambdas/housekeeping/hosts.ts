// Housekeeping, hosts: a machine that amphorae shared is ended when the last of them is gone.
import { amphoraeOn, type HostRow } from '../domain/host.ts';
import { readAmphora } from '../repositories/amphorae.ts';
import { closeEmptyHost, forgetHost, givePlaceBack, readHost, readHosts } from '../repositories/hosts.ts';
import type { Services } from '../runtime/services.ts';
import { each } from './sweep.ts';

/** Places of amphorae that have neither a row nor a machine here: whoever ended them was cut off, or never saw a machine. */
async function freePlaces(services: Services, host: HostRow): Promise<void> {
  const ids = amphoraeOn(host);
  const rows = await Promise.all(ids.map((id) => readAmphora(services.table, id)));
  // One that was swept and came again by a late build has a place elsewhere.
  const suspects = ids.filter((_, index) => rows[index]?.host_id !== host.id);
  if (suspects.length === 0) return;
  // After the rows: a build that was under way then has its machine by now, or finds that its row is gone.
  const machines = (await services.compute.list()).filter(({ host_id }) => (host_id ?? host.id) === host.id);
  const there = new Set(machines.map(({ amphora_id }) => amphora_id));
  for (const id of suspects) if (!there.has(id)) await givePlaceBack(services, host.id, id);
}

async function endIfEmpty(services: Services, host: HostRow): Promise<boolean> {
  await freePlaces(services, host);
  const now = await readHost(services.table, host.id);
  if (now === undefined || !(await closeEmptyHost(services, now))) return false;
  await services.compute.deleteHost(host.id);
  await forgetHost(services, host.id);
  return true;
}

/** @returns how many were ended @throws AggregateError after all were tried */
export async function endEmptyHosts(services: Services): Promise<number> {
  // Nothing to look at where machines are never shared.
  if (!(await services.compute.hasHosts())) return 0;
  const failures: unknown[] = [];
  const ended = await each(await readHosts(services.table), failures, (host) => endIfEmpty(services, host));
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} hosts could not be looked after`);
  return ended;
}
