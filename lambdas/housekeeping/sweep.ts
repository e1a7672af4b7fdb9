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

/** Rows of amphorae whose flow is over and that nobody owns. */
async function sweepAmphorae(services: Services): Promise<number> {
  const now = services.clock.now();
  let swept = 0;
  for (const row of await readAllAmphorae(services.table)) {
    const isBeingBuilt = row.status === 'BOOTING' && row.busy_until > now;
    if (isBeingBuilt || (await isOwned(services, row))) continue;
    if (!(await removeAmphora(services, row))) continue;
    swept += 1;
    await announce(services, nobody, 'orphan_swept', 'amphora', row.id, { status: row.status });
  }
  return swept;
}

/** Machines with no row. The row comes first and goes last, so these are leftovers of a row that was lost. */
async function sweepMachines(services: Services): Promise<number> {
  let swept = 0;
  for (const machine of await services.compute.list()) {
    if (await readAmphora(services.table, machine.amphora_id)) continue;
    await services.compute.delete(machine.compute_id);
    await announce(services, nobody, 'orphan_swept', 'compute', machine.compute_id, { amphora_id: machine.amphora_id });
    swept += 1;
  }
  return swept;
}

/** Addresses of load balancers that were refused after the address was taken. */
async function sweepVips(services: Services): Promise<number> {
  const before = services.clock.now() - services.config.orphan_age_ms;
  let swept = 0;
  for (const { load_balancer_id, vip, allocated_at } of await services.network.listVips()) {
    if (allocated_at > before || (await readLoadBalancer(services.table, load_balancer_id))) continue;
    await services.network.releaseVip(load_balancer_id, vip);
    await announce(services, nobody, 'orphan_swept', 'vip', vip.vip_port_id, { vip_address: vip.vip_address });
    swept += 1;
  }
  return swept;
}

/** @returns how many of each were swept */
export async function sweepOrphans(services: Services) {
  return {
    amphorae: await sweepAmphorae(services),
    machines: await sweepMachines(services),
    vips: await sweepVips(services),
  };
}
