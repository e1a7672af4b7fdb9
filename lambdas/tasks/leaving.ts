// Tasks of a planned move: an amphora that is well gives its VIP up by itself, and ends what it has begun before it is ended. Nobody waits
// for one that does not.
import type { VipLeft } from '../../amphora/agent-api.ts';
import { addressOf } from '../controller/addresses.ts';
import { DriverError, NotReady } from '../domain/errors.ts';
import { portClass } from '../domain/listener.ts';
import { readAmphora } from '../repositories/amphorae.ts';
import { readLoadBalancer, readTree } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import { type OfOperation, owned } from './held.ts';
import type { Task } from './task.ts';

interface Leaving {
  load_balancer_id: string;
  amphora_id: string;
  epoch: number;
}

/** Who is to leave by itself: the one with the VIP, when nothing says that it is lost. */
const FindLeaving: Task<OfOperation & { old_amphora_id: string; role: string }> = async (services, input) => {
  const { operation } = await owned(services, input);
  const amphora = await readAmphora(services.table, input.old_amphora_id);
  const isWell = operation?.is_planned === true && input.role !== 'BACKUP' && amphora?.status === 'ALLOCATED';
  if (!isWell || (await hasDatagrams(services, input.load_balancer_id))) return { amphora_id: null };
  return { amphora_id: amphora.id };
};

/** Of these the kernel keeps one table: on one machine, who leaves would take away what who comes has put there. */
async function hasDatagrams(services: Services, loadBalancerId: string): Promise<boolean> {
  const tree = await readTree(services.table, loadBalancerId);
  return tree?.listeners.some(({ protocol }) => portClass(protocol) !== 'TCP') ?? false;
}

async function leave(services: Services, { load_balancer_id, amphora_id, epoch }: Leaving): Promise<VipLeft> {
  const [loadBalancer, amphora] = await Promise.all([
    readLoadBalancer(services.table, load_balancer_id),
    readAmphora(services.table, amphora_id),
  ]);
  if (loadBalancer === undefined || amphora === undefined) return { processes: 0, since_ms: 0 };
  return services.amphora.leaveVip(addressOf(amphora), load_balancer_id, loadBalancer.vip_address, epoch);
}

/** @returns whether it takes no new connections any more */
const LeaveVip: Task<Leaving> = async (services, input) => {
  try {
    await leave(services, input);
    return true;
  } catch (error) {
    // Fenced instead, at once.
    if (error instanceof NotReady || error instanceof DriverError) return false;
    throw error;
  }
};

/** For connections that do not end by themselves. */
const leavingTimeoutMs = 10_000;

/** @throws NotReady `ConnectionsRemain` as long as there is time for them */
const AwaitLeaving: Task<Leaving> = async (services, input) => {
  const { processes, since_ms } = await leave(services, input);
  if (processes > 0 && since_ms < leavingTimeoutMs)
    throw new NotReady('ConnectionsRemain', `amphora ${input.amphora_id} has connections to end`);
};

export const leavingTasks = { LeaveVip, AwaitLeaving };
export const planningTasks = { FindLeaving };
