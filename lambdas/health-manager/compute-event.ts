// Health manager, news from the compute service: a machine that stopped is not waited for.
import { requestFailover } from '../controller/failover.ts';
import { amphoraeOn } from '../domain/host.ts';
import { readHost } from '../repositories/hosts.ts';
import type { Services } from '../runtime/services.ts';
import { failoversLeft } from './scan.ts';

/** EventBridge's `EC2 Instance State-change Notification`, of which only this is read. */
export interface ComputeEvent {
  /** A machine that amphorae share is told by the host's id. */
  detail: { 'instance-id': string; state: string; amphora_id?: string; host_id?: string };
}

const ended = new Set(['stopping', 'stopped', 'shutting-down', 'terminated']);

/** As many of its amphorae at once as there may be failovers; the others fall silent, and the scan asks for them. */
async function failOverHost(services: Services, hostId: string): Promise<boolean> {
  const host = await readHost(services.table, hostId);
  let left = await failoversLeft(services);
  const before = left;
  for (const id of host === undefined ? [] : amphoraeOn(host)) {
    if (left <= 0) break;
    if (await requestFailover(services, id)) left -= 1;
  }
  return left < before;
}

export const computeEventHandler =
  (services: Services) =>
  async ({ detail }: ComputeEvent): Promise<{ failed_over: boolean }> => {
    if (!ended.has(detail.state)) return { failed_over: false };
    if (detail.host_id !== undefined) return { failed_over: await failOverHost(services, detail.host_id) };
    const amphoraId = detail.amphora_id ?? (await services.compute.get(detail['instance-id'])).amphora_id;
    return { failed_over: await requestFailover(services, amphoraId) };
  };
