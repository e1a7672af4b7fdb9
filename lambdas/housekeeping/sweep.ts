// Housekeeping, orphans: rows, machines and addresses that belong to nobody any more, and that no live operation owns.
import { announce } from '../controller/announce.ts';
import { removeAmphora } from '../controller/removal.ts';
import type { AmphoraRow } from '../domain/amphora.ts';
import { readAllAmphorae, readAmphora } from '../repositories/amphorae.ts';
import { readLoadBalancer } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';

const nobody = { id: '', project_id: '', name: '' };

/** A load balancer owns what it lists and what is on its way to it. */
async function isOwned(services: Services, row: AmphoraRow): Promise<boolean> {
  if (row.load_balancer_id === null) return row.status === 'READY';
  const owner = await readLoadBalancer(services.table, row.load_balancer_id);
  if (owner === undefined) return false;
  return owner.amphora_ids.includes(row.id) || owner.candidates.some((one) => one.amphora_id === row.id);
}

/**
 * Each on its own: what cannot be removed now does not keep the others, and is tried again next time.
 * @param sweep answers whether it was an orphan and is gone
 * @returns how many were swept
 */
async function each<T>(all: T[], failures: unknown[], sweep: (one: T) => Promise<boolean>): Promise<number> {
  let swept = 0;
  for (const one of all) {
    try {
      if (await sweep(one)) swept += 1;
    } catch (error) {
      failures.push(error);
    }
  }
  return swept;
}

/** Rows of amphorae whose flow is over and that nobody owns. */
async function sweepAmphorae(services: Services, failures: unknown[]): Promise<number> {
  const now = services.clock.now();
  return each(await readAllAmphorae(services.table), failures, async (row) => {
    const isBeingBuilt = row.status === 'BOOTING' && row.busy_until > now;
    if (isBeingBuilt || (await isOwned(services, row))) return false;
    if (!(await removeAmphora(services, row))) return false;
    await announce(services, nobody, 'orphan_swept', 'amphora', row.id, { status: row.status }, 'swept');
    return true;
  });
}

/** Machines with no row. The row comes first and goes last, so these are leftovers of a row that was lost. */
async function sweepMachines(services: Services, failures: unknown[]): Promise<number> {
  return each(await services.compute.list(), failures, async ({ compute_id, amphora_id }) => {
    if (await readAmphora(services.table, amphora_id)) return false;
    await services.compute.delete(compute_id);
    await announce(services, nobody, 'orphan_swept', 'compute', compute_id, { amphora_id }, 'swept');
    return true;
  });
}

/** Addresses of load balancers that were refused after the address was taken. */
async function sweepVips(services: Services, failures: unknown[]): Promise<number> {
  const before = services.clock.now() - services.config.orphan_age_ms;
  return each(await services.network.listVips(), failures, async ({ load_balancer_id, vip, allocated_at }) => {
    if (allocated_at > before || (await readLoadBalancer(services.table, load_balancer_id))) return false;
    await services.network.releaseVip(load_balancer_id, vip);
    await announce(services, nobody, 'orphan_swept', 'vip', vip.vip_port_id, { vip_address: vip.vip_address }, 'swept');
    return true;
  });
}

/**
 * @returns how many of each were swept
 * @throws AggregateError after everything was tried, with why some could not be removed
 */
export async function sweepOrphans(services: Services) {
  const failures: unknown[] = [];
  const swept = {
    amphorae: await sweepAmphorae(services, failures),
    machines: await sweepMachines(services, failures),
    vips: await sweepVips(services, failures),
  };
  if (failures.length > 0)
    throw new AggregateError(failures, `${failures.length} of what belongs to nobody could not be removed`);
  return swept;
}
