// Tasks that talk to the agent in an amphora: Octavia's amphora driver tasks. These alone live in the VPC.
import { addressesOf, addressOf } from '../controller/addresses.ts';
import { applyConfiguration } from '../controller/apply-configuration.ts';
import { Superseded } from '../domain/errors.ts';
import type { Tree } from '../domain/tree.ts';
import type { AmphoraAddress } from '../drivers/amphora/amphora-driver.ts';
import { readAmphora } from '../repositories/amphorae.ts';
import { readLoadBalancer } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import { leavingTasks } from './leaving.ts';
import { rotationTasks } from './rotation.ts';
import { type Task, taskHandler } from './task.ts';

async function address(services: Services, amphoraId: string): Promise<AmphoraAddress> {
  const row = await readAmphora(services.table, amphoraId);
  if (row === undefined) throw new Superseded(`amphora ${amphoraId} is gone`);
  return addressOf(row);
}

const AmphoraWait: Task<{ amphora_id: string }> = async (services, { amphora_id }) => {
  await services.amphora.getInfo(await address(services, amphora_id));
};

/** Pushes the newest generation to the amphorae this operation is making, and not to those that may be dead. */
const PushConfiguration: Task<{ load_balancer_id: string; operation_id: string }> = (services, input) =>
  pushTo(services, input.load_balancer_id, ({ loadBalancer }) =>
    loadBalancer.candidates.filter((one) => one.operation_id === input.operation_id).map((one) => one.amphora_id),
  );

/** Pushes it to all the load balancer has: what was written while they were replaced is in force before it is ACTIVE. */
const ConfirmConfiguration: Task<{ load_balancer_id: string }> = (services, input) =>
  pushTo(services, input.load_balancer_id, (tree) => tree.loadBalancer.amphora_ids);

async function pushTo(services: Services, loadBalancerId: string, amphoraIds: (tree: Tree) => string[]) {
  const applied = await applyConfiguration(services, loadBalancerId, (tree) => addressesOf(services, amphoraIds(tree)));
  if (applied === undefined) throw new Superseded(`load balancer ${loadBalancerId} is gone`);
  return { generation: applied.generation, refused: Object.fromEntries(applied.refused) };
}

const PostVipPlug: Task<{ load_balancer_id: string; amphora_id: string; epoch: number }> = async (services, input) => {
  const loadBalancer = await readLoadBalancer(services.table, input.load_balancer_id);
  if (loadBalancer === undefined) throw new Superseded(`load balancer ${input.load_balancer_id} is gone`);
  const amphora = await address(services, input.amphora_id);
  await services.amphora.postVipPlug(amphora, loadBalancer.id, loadBalancer.vip_address, input.epoch);
};

export const amphoraTasks = {
  AmphoraWait,
  PushConfiguration,
  ConfirmConfiguration,
  PostVipPlug,
  ...leavingTasks,
  ...rotationTasks,
};
export const amphoraHandler = (services: Services) => taskHandler(services, amphoraTasks);
