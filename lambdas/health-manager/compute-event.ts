// Health manager, news from the compute service: a machine that stopped is not waited for.
import { requestFailover } from '../controller/failover.ts';
import { readAmphora } from '../repositories/amphorae.ts';
import { noteEnded } from '../repositories/health.ts';
import type { Services } from '../runtime/services.ts';
import { scanHealth } from './scan.ts';

/** EventBridge's `EC2 Instance State-change Notification`, of which only this is read. */
export interface ComputeEvent {
  detail: { 'instance-id': string; state: string; amphora_id?: string };
}

const ended = new Set(['stopping', 'stopped', 'shutting-down', 'terminated']);

/**
 * A zone that goes out is hundreds of these: each is written down, and then all that is known is looked at as by any scan, with its storm guard
 * and its pace. What is held back the next scans find.
 */
export const computeEventHandler =
  (services: Services) =>
  async ({ detail }: ComputeEvent): Promise<{ failed_over: number }> => {
    if (!ended.has(detail.state)) return { failed_over: 0 };
    const amphoraId = detail.amphora_id ?? (await services.compute.get(detail['instance-id'])).amphora_id;
    // News are of all machines of the account, and this one is no amphora.
    if (amphoraId === '') return { failed_over: 0 };
    // We end it ourselves: nobody is to take its place.
    if ((await readAmphora(services.table, amphoraId))?.status === 'PENDING_DELETE') return { failed_over: 0 };
    if (await noteEnded(services, amphoraId)) return { failed_over: (await scanHealth(services)).failed_over };
    // Nobody expects to hear of it: a spare at most, which is ended.
    return { failed_over: (await requestFailover(services, amphoraId)) ? 1 : 0 };
  };
