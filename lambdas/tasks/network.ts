// Tasks that plug interfaces and move VIPs: Octavia's network tasks.

import { filterVip } from '../controller/vip-filter.ts';
import type { AmphoraRow } from '../domain/amphora.ts';
import { Superseded } from '../domain/errors.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import type { AmphoraRole } from '../domain/statuses.ts';
import { readAmphora, setAmphora } from '../repositories/amphorae.ts';
import { changeLoadBalancer } from '../repositories/load-balancers.ts';
import { readLoadBalancer } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import { type Task, taskHandler } from './task.ts';

interface OfAmphora {
  load_balancer_id: string;
  amphora_id: string;
}

async function both(services: Services, { load_balancer_id, amphora_id }: OfAmphora) {
  const [loadBalancer, amphora] = await Promise.all([
    readLoadBalancer(services.table, load_balancer_id),
    readAmphora(services.table, amphora_id),
  ]);
  if (loadBalancer === undefined) throw new Superseded(`load balancer ${load_balancer_id} is gone`);
  if (amphora === undefined) throw new Superseded(`amphora ${amphora_id} is gone`);
  return { loadBalancer, amphora };
}

const PlugVip: Task<OfAmphora> = async (services, input) => {
  const { loadBalancer, amphora } = await both(services, input);
  const machine = { id: amphora.id, compute_id: amphora.compute_id ?? '', lb_network_ip: amphora.lb_network_ip ?? '' };
  const plugged = await services.network.plugVip(loadBalancer.id, loadBalancer, machine);
  const ports = { ...plugged, ha_ip: loadBalancer.vip_address, ha_port_id: loadBalancer.vip_port_id };
  if (await setAmphora(services, amphora.id, ports, { differs: { status: 'PENDING_DELETE' } }))
    return filterVip(services, loadBalancer.id);
  // It was given up meanwhile, and whoever did so saw no interface yet.
  await services.network.unplugVip(loadBalancer.id, loadBalancer, amphora.id);
  throw new Superseded(`amphora ${amphora.id} is gone`);
};

/**
 * The fence: the epoch is raised first, by a conditional write of whoever holds the load balancer; a late call with an older
 * epoch has no effect from then on.
 */
const TakeVip: Task<OfAmphora & { execution: string; leaving_amphora_id?: string | null }> = async (
  services,
  input,
) => {
  const { loadBalancer, amphora } = await both(services, input);
  const epoch = await raisedEpoch(services, loadBalancer, input.execution);
  await services.network.takeVip(loadBalancer.id, loadBalancer, machineOf(amphora), epoch, input.leaving_amphora_id);
  return { epoch };
};

/** Ends the take of a VIP whose amphora before was to leave by itself: unless it has, it is fenced. */
const FenceVip: Task<OfAmphora & { epoch: number; has_left: unknown }> = async (services, input) => {
  if (input.has_left === true) return;
  const { loadBalancer, amphora } = await both(services, input);
  await services.network.takeVip(loadBalancer.id, loadBalancer, machineOf(amphora), input.epoch);
};

const machineOf = ({ id, compute_id, vrrp_port_id }: AmphoraRow) => ({
  id,
  compute_id: compute_id ?? '',
  vrrp_port_id: vrrp_port_id ?? '',
});

/** Whether the VIP is with the other of a pair, which serves: the roles may not say so yet. */
const LocateVip: Task<{ load_balancer_id: string; old_amphora_id: string; role: AmphoraRole }> = async (
  services,
  { load_balancer_id, old_amphora_id, role },
) => {
  if (role !== 'BACKUP') return false;
  const loadBalancer = await readLoadBalancer(services.table, load_balancer_id);
  if (loadBalancer === undefined) throw new Superseded(`load balancer ${load_balancer_id} is gone`);
  const owner = await services.network.vipOwner(load_balancer_id, loadBalancer);
  return owner !== null && owner !== old_amphora_id;
};

async function raisedEpoch(services: Services, { id }: LoadBalancerRow, execution: string): Promise<number> {
  const change = await changeLoadBalancer(services, id, (row) => {
    if (row.lease?.execution !== execution) throw new Superseded(`${execution} does not hold load balancer ${id}`);
    return { vip_epoch: row.vip_epoch + 1 };
  });
  if (change === undefined) throw new Superseded(`load balancer ${id} is gone`);
  return change.after.vip_epoch;
}

const UnplugVip: Task<OfAmphora> = async (services, { load_balancer_id, amphora_id }) => {
  const loadBalancer = await readLoadBalancer(services.table, load_balancer_id);
  // Marked first: a flow that gives up has a branch that still plugs, which takes its interface away itself from here on.
  await setAmphora(services, amphora_id, { status: 'PENDING_DELETE' });
  if (loadBalancer) await services.network.unplugVip(load_balancer_id, loadBalancer, amphora_id);
};

const ReleaseVip: Task<{ load_balancer_id: string }> = async (services, { load_balancer_id }) => {
  const loadBalancer = await readLoadBalancer(services.table, load_balancer_id);
  if (loadBalancer) await services.network.releaseVip(load_balancer_id, loadBalancer);
};

export const networkTasks = { PlugVip, LocateVip, TakeVip, FenceVip, UnplugVip, ReleaseVip };
export const networkHandler = (services: Services) => taskHandler(services, networkTasks);
