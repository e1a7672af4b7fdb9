// The listeners resource.
import { ApiError, conflict, invalid, notFound } from '../domain/errors.ts';
import {
  type ListenerAttributes,
  type ListenerRow,
  type ListenerUpdate,
  listener,
  listenerResponse,
  mayUsePool,
  portClass,
} from '../domain/listener.ts';
import {
  checkAllowedCidrs,
  checkFamilies,
  refuseChildren,
  settledListener,
  settledListenerUpdate,
} from '../domain/listener-rules.ts';
import { parseCreate, parseUpdate, rootOf } from '../domain/resource.ts';
import { newRow } from '../domain/row.ts';
import type { Child, Skeleton } from '../domain/tree.ts';
import type { Claim } from '../repositories/changes.ts';
import { portKey } from '../repositories/keys.ts';
import { readStatistics, sumOf } from '../repositories/statistics.ts';
import { readChild, readLoadBalancer } from '../repositories/trees.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import type { Services } from '../runtime/services.ts';
import { checkAuthority, checkServed } from './certificates.ts';
import { listed, withFields } from './http/lists.ts';
import { loadBalancerOf, refuseWhileDeleting, rowWritten, submit } from './http/submit.ts';

/** What a listener's row is made of, wherever it was described. */
export function newListener(
  attributes: ListenerAttributes,
  owner: { id: string; project_id: string },
  id: string,
  now: number,
): ListenerRow {
  const { loadbalancer_id: _lb, project_id: _project, default_pool: _pool, l7policies: _policies, ...own } = attributes;
  return {
    ...own,
    ...newRow(id, owner.id, owner.project_id, now),
    l7policy_ids: [],
  };
}

/** A port belongs to one listener per load balancer and transport protocol. */
export const portClaim = (row: ListenerRow): Claim => ({
  key: portKey(row.load_balancer_id, portClass(row.protocol), row.protocol_port),
  refusal: portTaken(row),
});

/** @param holder who has the port */
export const portTaken = (holder: Pick<ListenerRow, 'protocol' | 'protocol_port'>) =>
  conflict(
    `Another Listener on this Load Balancer is already using protocol ${holder.protocol} and protocol_port ${holder.protocol_port}`,
  );

export const samePort = (a: ListenerRow, b: ListenerRow): boolean =>
  a.protocol_port === b.protocol_port && portClass(a.protocol) === portClass(b.protocol);

/** The claim refuses as well, but does not know the protocol of who has the port. @throws ApiError 409 */
function refusePortOfOther(skeleton: Skeleton, row: ListenerRow): void {
  const holder = skeleton.listeners.find((one) => samePort(one, row) && one.provisioning_status !== 'PENDING_DELETE');
  if (holder !== undefined) throw portTaken(holder);
}

/** @throws ApiError 400 for references that cannot be read or used */
export async function checkCertificates(
  services: Services,
  projectId: string,
  one: Pick<ListenerRow, keyof ListenerUpdate & keyof ListenerRow>,
): Promise<void> {
  await checkServed(services, projectId, [...one.sni_container_refs, one.default_tls_container_ref]);
  await checkAuthority(services, projectId, one.client_ca_tls_container_ref, one.client_crl_container_ref);
}

const authorityNames = ['client_ca_tls_container_ref', 'client_crl_container_ref'] as const;

/** Reads only what the change brings: what is in force may be out of reach for the moment. */
async function checkChangedCertificates(services: Services, row: ListenerRow, given: ListenerUpdate): Promise<void> {
  const will = { ...row, ...given };
  await checkServed(services, row.project_id, [...(given.sni_container_refs ?? []), given.default_tls_container_ref]);
  if (!authorityNames.some((name) => name in given)) return;
  const [authority, revocation] = [will.client_ca_tls_container_ref, will.client_crl_container_ref];
  await checkAuthority(services, row.project_id, authority, revocation);
}

/** The pool that is to be the listener's default. @throws ApiError 404, 400 */
function defaultPool(
  skeleton: Skeleton,
  protocol: ListenerRow['protocol'],
  poolId: string | null | undefined,
): Child[] {
  if (poolId === null || poolId === undefined) return [];
  refuseChildren(protocol);
  const pool = skeleton.pools.find((one) => one.id === poolId && one.provisioning_status !== 'PENDING_DELETE');
  if (pool === undefined) throw notFound('Pool', poolId);
  refuseMismatch(protocol, pool.protocol);
  return [{ kind: 'pool', row: pool }];
}

export function refuseMismatch(listenerProtocol: ListenerRow['protocol'], poolProtocol: string): void {
  refuseChildren(listenerProtocol);
  if (mayUsePool(listenerProtocol, poolProtocol)) return;
  throw invalid(`The pool protocol '${poolProtocol}' is invalid while the listener protocol is '${listenerProtocol}'.`);
}

async function create(request: ApiRequest): Promise<ApiResponse> {
  const { services } = request;
  const attributes = parseCreate(listener, rootOf(listener, request.body));
  if (attributes.default_pool !== null || attributes.l7policies.length > 0) {
    throw invalid('default_pool and l7policies are taken only within a load balancer that is created with them');
  }
  const id = services.newId();
  const accepted = await submit(request, attributes.loadbalancer_id, async (skeleton) => {
    defaultPool(skeleton, attributes.protocol, attributes.default_pool_id);
    const settled = settledListener(attributes, services.config);
    const row = newListener(settled, skeleton.loadBalancer, id, services.clock.now());
    refusePortOfOther(skeleton, row);
    await checkCertificates(services, row.project_id, row);
    checkAllowedCidrs(row.allowed_cidrs, skeleton.loadBalancer);
    checkFamilies(row.denied_cidrs ?? [], skeleton.loadBalancer);
    return {
      create: [{ kind: 'listener', row }],
      claims: [portClaim(row)],
      quota: { made: { listener: 1 } },
      loadBalancer: { listener_ids: [...skeleton.loadBalancer.listener_ids, id] },
    };
  });
  return { status: 201, body: { listener: listenerResponse(rowWritten(accepted, 'listener', id)) } };
}

async function found(request: ApiRequest): Promise<ListenerRow> {
  const id = param(request, 'listener_id');
  const row = await readChild(request.services.table, 'listener', id);
  if (row === undefined) throw notFound('Listener', id);
  request.authorize(row.project_id);
  return row;
}

const show = async (request: ApiRequest): Promise<ApiResponse> => ({
  status: 200,
  body: { listener: withFields(request, listenerResponse(await found(request))) },
});

/** Of a skeleton: the listener a write is about. */
function listenerIn(skeleton: Skeleton, id: string): Child<'listener'> {
  const row = skeleton.listeners.find((one) => one.id === id);
  if (row === undefined) throw notFound('Listener', id);
  return { kind: 'listener', row };
}

async function update(request: ApiRequest): Promise<ApiResponse> {
  const id = param(request, 'listener_id');
  const loadBalancerId = await loadBalancerOf(request, 'listener', 'Listener', id);
  const given = parseUpdate(listener, rootOf(listener, request.body));
  const accepted = await submit(request, loadBalancerId, async (skeleton) => {
    const child = listenerIn(skeleton, id);
    refuseWhileDeleting('Listener', child.row);
    const set = settledListenerUpdate(child.row, given, request.services.config);
    defaultPool(skeleton, child.row.protocol, set.default_pool_id);
    await checkChangedCertificates(request.services, child.row, set);
    checkAllowedCidrs(set.allowed_cidrs ?? [], skeleton.loadBalancer);
    checkFamilies(set.denied_cidrs ?? [], skeleton.loadBalancer);
    return { update: [{ child, set }] };
  });
  return { status: 200, body: { listener: listenerResponse(rowWritten(accepted, 'listener', id)) } };
}

async function remove(request: ApiRequest): Promise<ApiResponse> {
  const id = param(request, 'listener_id');
  const loadBalancerId = await loadBalancerOf(request, 'listener', 'Listener', id);
  await submit(request, loadBalancerId, (skeleton) => {
    const child = listenerIn(skeleton, id);
    refuseWhileDeleting('Listener', child.row);
    // The port is free from now on: a listener that takes it is applied after this one is gone.
    // So is the way for a deletion of the load balancer, which must have no children.
    const listener_ids = skeleton.loadBalancer.listener_ids.filter((one) => one !== id);
    return { remove: [child], releases: [portClaim(child.row).key], loadBalancer: { listener_ids } };
  });
  return { status: 204 };
}

const list = (request: ApiRequest): Promise<ApiResponse> =>
  listed<ListenerRow>(request, { resource: listener, kind: 'listener', show: (rows) => rows.map(listenerResponse) });

async function statistics(request: ApiRequest): Promise<ApiResponse> {
  const row = await found(request);
  const loadBalancer = await readLoadBalancer(request.services.table, row.load_balancer_id);
  if (loadBalancer === undefined) throw new ApiError(404, `Listener ${row.id} not found.`);
  const all = await readStatistics(request.services.table, loadBalancer.id, loadBalancer.amphora_ids);
  const own = all.get(row.id);
  return { status: 200, body: { stats: sumOf(own ? [own] : []) } };
}

export const routes = {
  'GET /v2.0/lbaas/listeners': list,
  'POST /v2.0/lbaas/listeners': create,
  'GET /v2.0/lbaas/listeners/{listener_id}': show,
  'PUT /v2.0/lbaas/listeners/{listener_id}': update,
  'DELETE /v2.0/lbaas/listeners/{listener_id}': remove,
  'GET /v2.0/lbaas/listeners/{listener_id}/stats': statistics,
} satisfies Routes;
