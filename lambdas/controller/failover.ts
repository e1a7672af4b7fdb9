// Asks for an amphora to be replaced: by the health manager, news of its machine, or an administrator.
import type { AmphoraRow } from '../domain/amphora.ts';
import type { LoadBalancerRow, PendingOperation } from '../domain/load-balancer.ts';
import { readAmphora, readAmphorae, setAmphora } from '../repositories/amphorae.ts';
import { changeLoadBalancer, operationOf } from '../repositories/load-balancers.ts';
import { readPending } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import { removeAmphora } from './removal.ts';
import { requestOperation } from './requests.ts';

/** Whoever works on the load balancer now is let finish; whoever asked asks again. */
export function takesFailover(row: LoadBalancerRow, amphoraId: string, now: number): boolean {
  if (!row.amphora_ids.includes(amphoraId)) return false;
  if (row.lease !== null && row.lease.until > now) return false;
  if (row.provisioning_status === 'PENDING_DELETE' || row.failed === 'delete') return false;
  if ((row.failover_pause?.until ?? 0) > now) return false;
  return row.operation === null || row.operation.kind === 'update';
}

/** How many more may begin beside those under way, whoever asked for them. */
export async function failoversLeft({ table, config }: Pick<Services, 'table' | 'config'>): Promise<number> {
  const pending = await readPending(table);
  return config.concurrent_failovers - pending.filter(({ operation }) => operation?.kind === 'failover').length;
}

/** How long it took from when it was asked for. */
export async function measureFailover(services: Services, asked: PendingOperation): Promise<void> {
  await services.metrics.put({ FailoverSeconds: (services.clock.now() - asked.requested_at) / 1_000 });
}

/** An amphora nobody owns is not replaced but ended; the pool of spares is filled up by housekeeping. */
async function isOwned(services: Services, row: AmphoraRow): Promise<boolean> {
  if (row.load_balancer_id !== null) return true;
  if (row.status === 'READY') await removeAmphora(services, row);
  return false;
}

/** Noted before an amphora is replaced: should the failover fail, it shows on that amphora. */
export function beginning(
  { operation }: LoadBalancerRow,
  { operation_id, amphora_id }: { operation_id: string; amphora_id: string },
): Partial<LoadBalancerRow> {
  if (operation?.id !== operation_id) return {};
  return { operation: { ...operation, begun_ids: [...(operation.begun_ids ?? []), amphora_id] } };
}

/**
 * A failover that could not be done shows on the amphorae it had begun to replace, and has not: they are in ERROR, as in Octavia, until they
 * are replaced, given up by an administrator, or heard again. Those it had not come to stay as they are.
 */
export async function markLost(services: Services, { operation, amphora_ids }: LoadBalancerRow): Promise<void> {
  if (operation?.kind !== 'failover') return;
  const begun = operation.amphora_id === undefined ? (operation.begun_ids ?? []) : [operation.amphora_id];
  for (const id of begun.filter((one) => amphora_ids.includes(one)))
    await setAmphora(services, id, { status: 'ERROR' }, { equals: { status: 'ALLOCATED' } });
}

/** It speaks: whatever could not be done, it is there. */
export async function markFound(services: Services, { id, status, load_balancer_id }: AmphoraRow): Promise<void> {
  if (status !== 'ERROR' || load_balancer_id === null) return;
  await setAmphora(services, id, { status: 'ALLOCATED' }, { equals: { status: 'ERROR' } });
}

/** After a failover that failed: all that a load balancer has took its configuration. Before it is committed, which forgets the failure. */
export async function markAllFound(services: Services, { failed, amphora_ids }: LoadBalancerRow): Promise<void> {
  if (failed !== 'failover') return;
  for (const amphora of await readAmphorae(services.table, amphora_ids)) await markFound(services, amphora);
}

/**
 * Asks for one amphora to be replaced.
 * @returns whether a failover was asked for now
 */
export async function requestFailover(services: Services, amphoraId: string): Promise<boolean> {
  const amphora = await readAmphora(services.table, amphoraId);
  if (amphora === undefined) return false;
  return requestFailoverOf(services, amphora, (row) => takesFailover(row, amphoraId, services.clock.now()));
}

/**
 * Asks for an amphora to be replaced if its load balancer takes it.
 * @param takes judges the load balancer; may throw
 * @param besides what else the operation says
 * @returns whether a failover was asked for now
 */
export async function requestFailoverOf(
  services: Services,
  amphora: AmphoraRow,
  takes: (row: LoadBalancerRow) => boolean,
  besides: Pick<PendingOperation, 'image_id' | 'is_planned'> = {},
): Promise<boolean> {
  if (!(await isOwned(services, amphora))) return false;
  const { clock, config, newId } = services;
  const asked = operationOf('failover', newId(), clock.now(), config.operation_timeout_ms, amphora.id);
  const operation = { ...asked, ...besides };
  const change = await changeLoadBalancer(services, amphora.load_balancer_id!, (row) =>
    takes(row) ? { provisioning_status: 'PENDING_UPDATE', operation } : undefined,
  );
  if (change === undefined) return false;
  await requestOperation(services, change.after);
  return true;
}
