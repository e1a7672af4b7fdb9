// Who serves while one amphora of a pair is replaced, which takes minutes: the worker brings writes into force there meanwhile.
import { requestApply } from '../controller/requests.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import type { AmphoraRole } from '../domain/statuses.ts';
import { readLoadBalancer } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import type { OfOperation } from './held.ts';

interface Replacement {
  amphora_id: string;
  role: AmphoraRole;
}

/** Beside a standby that is replaced the other one has the VIP; whoever replaces the one with the VIP is told before it takes it. */
export function servingMeanwhile(
  { amphora_ids, applied_generation, lease }: LoadBalancerRow,
  { amphora_id, role }: Replacement,
): Partial<LoadBalancerRow> {
  if (role !== 'BACKUP' || lease === null) return {};
  const others = amphora_ids.filter((id) => id !== amphora_id);
  if (others.length === 0) return {};
  return { lease: { ...lease, serving: { amphora_ids: others, applied_generation } } };
}

/**
 * From here on both have to be told: the flow confirms the newest generation on all, and the worker waits, since each would find the
 * other's configuration the newer one.
 */
export function allServing({ lease }: LoadBalancerRow): Partial<LoadBalancerRow> {
  if (lease?.serving === undefined) return {};
  const { serving: _, ...rest } = lease;
  return { lease: rest };
}

/** What was written before anybody was marked as serving, its message found the flow at work. */
export async function requestForServing(
  services: Services,
  { load_balancer_id, execution }: OfOperation,
): Promise<void> {
  const row = await readLoadBalancer(services.table, load_balancer_id);
  if (row?.lease?.serving === undefined || row.lease.execution !== execution) return;
  if (row.generation === row.lease.serving.applied_generation) return;
  const candidate = row.candidates.find((one) => one.execution === execution);
  await requestApply(services, row, `-beside-${candidate?.amphora_id}`);
}
