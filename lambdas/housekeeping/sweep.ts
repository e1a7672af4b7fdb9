// Housekeeping, orphans: rows, machines and addresses that belong to nobody any more, and that no live operation owns.
import { announce } from '../controller/announce.ts';
import { endStray } from '../controller/hosts.ts';
import { removeAmphora } from '../controller/removal.ts';
import type { AmphoraRow } from '../domain/amphora.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import { readAllAmphorae, readAmphora } from '../repositories/amphorae.ts';
import { readAll, readLoadBalancer } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';

const nobody = { id: '', project_id: '', name: '' };

/**
 * What the lists say, which are behind the table by moments: whoever has an owner there is left alone until the next look, and only of
 * the others the rows themselves are read.
 */
interface Sight {
  amphorae: AmphoraRow[];
  /** Ids of load balancers, and of amphorae that one of them has or waits for. */
  owners: Set<string>;
  owned: Set<string>;
}

async function look({ table }: Services): Promise<Sight> {
  const [amphorae, owners] = await Promise.all([
    readAllAmphorae(table),
    readAll<LoadBalancerRow>(table, 'loadbalancer', null),
  ]);
  const owned = owners.flatMap((row) => [...row.amphora_ids, ...row.candidates.map((one) => one.amphora_id)]);
  return { amphorae, owners: new Set(owners.map(({ id }) => id)), owned: new Set(owned) };
}

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
export async function each<T>(all: T[], failures: unknown[], sweep: (one: T) => Promise<boolean>): Promise<number> {
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
async function sweepAmphorae(services: Services, { amphorae, owned }: Sight, failures: unknown[]): Promise<number> {
  const now = services.clock.now();
  return each(amphorae, failures, async (row) => {
    const isBeingBuilt = row.status === 'BOOTING' && row.busy_until > now;
    if (isBeingBuilt || owned.has(row.id) || (await isOwned(services, row))) return false;
    if (!(await removeAmphora(services, row))) return false;
    await announce(services, nobody, 'orphan_swept', 'amphora', row.id, { status: row.status }, 'swept');
    return true;
  });
}

/** Machines with no row. The row comes first and goes last, so these are leftovers of a row that was lost. */
async function sweepMachines(services: Services, { amphorae }: Sight, failures: unknown[]): Promise<number> {
  const known = new Set(amphorae.map(({ id }) => id));
  return each(await services.compute.list(), failures, async (machine) => {
    const { compute_id, amphora_id } = machine;
    if (known.has(amphora_id) || (await readAmphora(services.table, amphora_id))) return false;
    await endStray(services, machine);
    await announce(services, nobody, 'orphan_swept', 'compute', compute_id, { amphora_id }, 'swept');
    return true;
  });
}

/** Addresses of load balancers that were refused after the address was taken. */
async function sweepVips(services: Services, { owners }: Sight, failures: unknown[]): Promise<number> {
  const before = services.clock.now() - services.config.orphan_age_ms;
  return each(await services.network.listVips(), failures, async ({ load_balancer_id, vip, allocated_at }) => {
    if (allocated_at > before || owners.has(load_balancer_id)) return false;
    if (await readLoadBalancer(services.table, load_balancer_id)) return false;
    await services.network.releaseVip(load_balancer_id, vip);
    await announce(services, nobody, 'orphan_swept', 'vip', vip.vip_port_id, { vip_address: vip.vip_address }, 'swept');
    return true;
  });
}

/** What the network has with the tag of a load balancer that is no more: of a record that was lost, or made by a call that came too late. */
async function sweepTagged(services: Services, { owners }: Sight, failures: unknown[]): Promise<number> {
  // Those that are still written down are swept with their VIP.
  const held = new Set((await services.network.listVips()).map(({ load_balancer_id }) => load_balancer_id));
  return each(await services.network.listTagged(), failures, async (id) => {
    if (owners.has(id) || held.has(id) || (await readLoadBalancer(services.table, id))) return false;
    await services.network.removeTagged(id);
    await announce(services, nobody, 'orphan_swept', 'network', id, {}, 'swept');
    return true;
  });
}

/**
 * @returns how many of each were swept
 * @throws AggregateError after everything was tried, with why some could not be removed
 */
export async function sweepOrphans(services: Services) {
  const failures: unknown[] = [];
  const sight = await look(services);
  const swept = {
    amphorae: await sweepAmphorae(services, sight, failures),
    machines: await sweepMachines(services, sight, failures),
    vips: await sweepVips(services, sight, failures),
    tagged: await sweepTagged(services, sight, failures),
  };
  if (failures.length > 0)
    throw new AggregateError(failures, `${failures.length} of what belongs to nobody could not be removed`);
  return swept;
}
