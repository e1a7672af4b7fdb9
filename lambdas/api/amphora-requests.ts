// The amphorae resource, for administrators: which machines there are, and what is to become of one.
import { requestFailoverOf } from '../controller/failover.ts';
import { requestApplyAgain } from '../controller/requests.ts';
import { type AmphoraRow, amphoraAttributes, amphoraResponse } from '../domain/amphora.ts';
import { conflict, notFound } from '../domain/errors.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import { readAllAmphorae, readAmphora, setAmphora } from '../repositories/amphorae.ts';
import { isPossibleId } from '../repositories/keys.ts';
import { giveUpAmphora } from '../repositories/load-balancers.ts';
import { readAmphoraStatistics } from '../repositories/statistics.ts';
import { readAll, readLoadBalancer } from '../repositories/trees.ts';
import { type ApiRequest, type ApiResponse, param } from '../runtime/http/request.ts';
import { listBody, withFields } from './http/lists.ts';
import { authorizeOwn, listedProject } from './http/policy.ts';

async function found(request: ApiRequest): Promise<AmphoraRow> {
  authorizeOwn(request);
  const id = param(request, 'amphora_id');
  const row = isPossibleId(id) ? await readAmphora(request.services.table, id) : undefined;
  if (row === undefined) throw notFound('Amphora', id);
  return row;
}

export async function show(request: ApiRequest): Promise<ApiResponse> {
  const row = await found(request);
  return { status: 200, body: { amphora: withFields(request, amphoraResponse(row)) } };
}

/** An amphora's project is its load balancer's. */
async function ofProject(request: ApiRequest, rows: AmphoraRow[]): Promise<AmphoraRow[]> {
  const project = listedProject(request);
  if (project === null) return rows;
  const owned = await readAll<LoadBalancerRow>(request.services.table, 'loadbalancer', project);
  const ids = new Set<string | null>(owned.map(({ id }) => id));
  return rows.filter((row) => ids.has(row.load_balancer_id));
}

export async function list(request: ApiRequest): Promise<ApiResponse> {
  authorizeOwn(request);
  const rows = await ofProject(request, await readAllAmphorae(request.services.table));
  const body = await listBody(request, { plural: 'amphorae', rows, show: amphoraResponse, known: amphoraAttributes });
  return { status: 200, body };
}

/** One row per listener that its load balancer still has. */
export async function statistics(request: ApiRequest): Promise<ApiResponse> {
  authorizeOwn(request);
  const id = param(request, 'amphora_id');
  const { table } = request.services;
  const row = isPossibleId(id) ? await readAmphora(table, id) : undefined;
  const owner = row?.load_balancer_id ? await readLoadBalancer(table, row.load_balancer_id) : undefined;
  const byListener = owner ? await readAmphoraStatistics(table, id) : new Map();
  const amphora_stats = (owner?.listener_ids ?? [])
    .filter((listenerId) => byListener.has(listenerId))
    .map((listener_id) => ({ id, listener_id, loadbalancer_id: owner?.id, ...byListener.get(listener_id) }));
  if (amphora_stats.length === 0) throw notFound('Amphora stats for', id);
  return { status: 200, body: { amphora_stats } };
}

/** Its load balancer's configuration is pushed once more, which changes nothing where it is in force. */
export async function configure(request: ApiRequest): Promise<ApiResponse> {
  const row = await found(request);
  const { services } = request;
  const owner =
    row.load_balancer_id === null ? undefined : await readLoadBalancer(services.table, row.load_balancer_id);
  if (owner !== undefined) await requestApplyAgain(services, owner, services.newId());
  return { status: 202 };
}

/** Beyond Octavia. Housekeeping renews what it was born with in its next round, whatever its age. */
export async function rotate(request: ApiRequest): Promise<ApiResponse> {
  const row = await found(request);
  const asked = { is_rotation_asked: true, rotation_pause: null };
  const isThere = { oneOf: { status: ['ALLOCATED', 'READY'] } };
  if (!(await setAmphora(request.services, row.id, asked, isThere))) throw immutable(row.id);
  return { status: 202 };
}

/** Octavia's text for amphorae has a small letter. */
const immutable = (id: string) => conflict(`amphora ${id} is immutable and cannot be updated.`);
const busy = (id: string) => conflict(`Load Balancer ${id} is immutable and cannot be updated.`);

export async function failover(request: ApiRequest): Promise<ApiResponse> {
  const amphora = await found(request);
  const isStrict = request.services.config.conflict_policy === 'strict';
  const takes = (row: LoadBalancerRow) => {
    if (!row.amphora_ids.includes(amphora.id)) throw immutable(amphora.id);
    // What is half gone is only to be deleted again.
    if (row.provisioning_status === 'ERROR' && row.failed === 'delete') throw busy(row.id);
    const isUpdating = row.provisioning_status === 'PENDING_UPDATE' && row.operation?.kind === 'update';
    const isSettled = row.provisioning_status === 'ACTIVE' || (row.provisioning_status === 'ERROR' && !isStrict);
    if (!isSettled && (isStrict || !isUpdating)) throw busy(row.id);
    return true;
  };
  // A spare is nobody's: housekeeping ends it in its next round, and another is built.
  if (amphora.status === 'READY' && amphora.load_balancer_id === null) {
    await setAmphora(request.services, amphora.id, { status: 'PENDING_DELETE' }, { equals: { status: 'READY' } });
    return { status: 202 };
  }
  const isAsked = await requestFailoverOf(request.services, amphora, takes, { is_planned: true });
  // One that nobody owns yet is on its way to somebody.
  if (!isAsked && amphora.status !== 'READY') throw immutable(amphora.id);
  return { status: 202 };
}

/** Housekeeping ends the machine: the row says that it is to go, and its load balancer does not count on it any more. */
export async function remove(request: ApiRequest): Promise<ApiResponse> {
  const row = await found(request);
  if (row.status !== 'ERROR' || !(await giveUpAmphora(request.services, row))) throw immutable(row.id);
  return { status: 204 };
}
