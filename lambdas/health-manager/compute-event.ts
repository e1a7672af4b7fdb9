// Health manager, news from the compute service: a machine that stopped is not waited for.
import { requestFailover } from '../controller/failover.ts';
import type { Services } from '../runtime/services.ts';

/** EventBridge's `EC2 Instance State-change Notification`, of which only this is read. */
export interface ComputeEvent {
  detail: { 'instance-id': string; state: string; amphora_id?: string };
}

const ended = new Set(['stopping', 'stopped', 'shutting-down', 'terminated']);

export const computeEventHandler =
  (services: Services) =>
  async ({ detail }: ComputeEvent): Promise<{ failed_over: boolean }> => {
    if (!ended.has(detail.state)) return { failed_over: false };
    const amphoraId = detail.amphora_id ?? (await services.compute.get(detail['instance-id'])).amphora_id;
    return { failed_over: await requestFailover(services, amphoraId) };
  };
