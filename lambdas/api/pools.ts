// The pools resource.
import { conflict, invalid, notFound } from '../domain/errors.ts';
import type { MemberRow } from '../domain/member.ts';
import {
  type PoolAttributes,
  type PoolRow,
  pool,
  poolResponse,
  settledPool,
  settledPoolUpdate,
} from '../domain/pool.ts';
import { parseCreate, parseUpdate, rootOf } from '../domain/resource.ts';
import { newRow } from '../domain/row.ts';
import { type Child, listenersUsing, type Skeleton } from '../domain/tree.ts';
import { readBelow, readMembers, readSkeleton } from '../repositories/trees.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import type { Services } from '../runtime/services.ts';
import { checkAuthority, checkServed } from './certificates.ts';
import { isAskedFor, listed, withFields } from './http/lists.ts';
import { loadBalancerOf, refuseWhileDeleting, rowWritten, submit } from './http/submit.ts';
import { refusePoolInUse } from './l7-policies.ts';
import { refuseMismatch } from './listeners.ts';

export function newPool(
  attributes: PoolAttributes,
  owner: { id: string; project_id: string },
  id: string,
  now: number,
): PoolRow {
  const { loadbalancer_id: _lb, listener_id: _l, project_id: _p, healthmonitor: _h, members: _m, ...own } = attributes;
  return {
    ...own,
    ...newRow(id, owner.id, owner.project_id, now),
    healthmonitor_id: null,
  };
}

/** The pool as a skeleton knows it. @param memberIds empty right after it was created */
export const shownPool = (skeleton: Skeleton, row: PoolRow, memberIds: string[]) =>
  poolResponse(
    row,
    listenersUsing(skeleton, row.id).map(({ id }) => id),
    memberIds,
  );

/** Listeners that send to the pool change with it. */
export const touchedListeners = (skeleton: Skeleton, poolId: string): { child: Child }[] =>
  listenersUsing(skeleton, poolId).map((row) => ({ child: { kind: 'listener', row } }));

/** The pool of a skeleton that a write is about. @throws ApiError 404 */
export function poolIn(skeleton: Skeleton, id: string): Child<'pool'> {
  const row = skeleton.pools.find((one) => one.id === id);
  if (row === undefined) throw notFound('Pool', id);
  return { kind: 'pool', row };
}

type References = Pick<PoolRow, 'tls_container_ref' | 'ca_tls_container_ref' | 'crl_container_ref'>;

/** @throws ApiError 400 for references that cannot be read or used */
export async function checkPoolCertificates(services: Services, projectId: string, one: References): Promise<void> {
  await checkServed(services, projectId, [one.tls_container_ref]);
  await checkAuthority(services, projectId, one.ca_tls_container_ref, one.crl_container_ref);
}

/** Reads only what the change brings: what is in force may be out of reach for the moment. */
function checkChangedCertificates(services: Services, row: PoolRow, given: Partial<References>): Promise<void> {
  const isAuthorityGiven = 'ca_tls_container_ref' in given || 'crl_container_ref' in given;
  const { ca_tls_container_ref, crl_container_ref } = { ...row, ...given };
  return checkPoolCertificates(services, row.project_id, {
    tls_container_ref: given.tls_container_ref ?? null,
    ca_tls_container_ref: isAuthorityGiven ? ca_tls_container_ref : null,
    crl_container_ref,
  });
}

type Target = Pick<PoolAttributes, 'loadbalancer_id' | 'listener_id' | 'protocol'>;

/** The listener whose default pool a new pool is to be. @throws ApiError 404, 409, 400 */
function targetListener(skeleton: Skeleton, attributes: Target): Child<'listener'> | undefined {
  if (attributes.listener_id === null) return undefined;
  const row = skeleton.listeners.find((one) => one.id === attributes.listener_id);
  if (row === undefined) throw notFound('Listener', attributes.listener_id);
  if (row.default_pool_id !== null) throw conflict('This listener already has a default pool');
  refuseMismatch(row.protocol, attributes.protocol);
  return { kind: 'listener', row };
}

async function targetLoadBalancer(request: ApiRequest, { loadbalancer_id, listener_id }: Target): Promise<string> {
  if (loadbalancer_id !== null) return loadbalancer_id;
  if (listener_id === null) throw invalid('Must provide at least one of: loadbalancer_id, listener_id');
  return loadBalancerOf(request, 'listener', 'Listener', listener_id);
}

async function create(request: ApiRequest): Promise<ApiResponse> {
  const { services } = request;
  const given = parseCreate(pool, rootOf(pool, request.body));
  if (given.healthmonitor !== null || given.members.length > 0) {
    throw invalid('healthmonitor and members are taken only within a load balancer that is created with them');
  }
  const id = services.newId();
  let listenerIds: string[] = [];
  const accepted = await submit(request, await targetLoadBalancer(request, given), async (skeleton) => {
    const listener = targetListener(skeleton, given);
    const row = newPool(settledPool(given, services.config), skeleton.loadBalancer, id, services.clock.now());
    await checkPoolCertificates(services, row.project_id, row);
    listenerIds = listener ? [listener.row.id] : [];
    return {
      create: [{ kind: 'pool', row }],
      touch: listener ? [{ child: listener, set: { default_pool_id: id } }] : [],
      quota: { made: { pool: 1 } },
      loadBalancer: { pool_ids: [...skeleton.loadBalancer.pool_ids, id] },
    };
  });
  return { status: 201, body: { pool: poolResponse(rowWritten(accepted, 'pool', id), listenerIds, []) } };
}

async function show(request: ApiRequest): Promise<ApiResponse> {
  const id = param(request, 'pool_id');
  const { table } = request.services;
  const loadBalancerId = await loadBalancerOf(request, 'pool', 'Pool', id);
  const [skeleton, members] = await Promise.all([
    readSkeleton(table, loadBalancerId),
    readMembers(table, loadBalancerId, id),
  ]);
  if (skeleton === undefined) throw notFound('Pool', id);
  const { row } = poolIn(skeleton, id);
  request.authorize(row.project_id);
  const shown = shownPool(
    skeleton,
    row,
    members.map((member) => member.id),
  );
  return { status: 200, body: { pool: withFields(request, shown) } };
}

async function update(request: ApiRequest): Promise<ApiResponse> {
  const id = param(request, 'pool_id');
  const loadBalancerId = await loadBalancerOf(request, 'pool', 'Pool', id);
  const given = parseUpdate(pool, rootOf(pool, request.body));
  let skeleton: Skeleton | undefined;
  const accepted = await submit(request, loadBalancerId, async (read) => {
    skeleton = read;
    const child = poolIn(read, id);
    refuseWhileDeleting('Pool', child.row);
    const set = settledPoolUpdate(child.row, given, request.services.config);
    await checkChangedCertificates(request.services, child.row, set);
    return { update: [{ child, set }], touch: touchedListeners(read, id) };
  });
  const members = await readMembers(request.services.table, loadBalancerId, id);
  const shown = shownPool(
    skeleton!,
    rowWritten(accepted, 'pool', id),
    members.map((member) => member.id),
  );
  return { status: 200, body: { pool: shown } };
}

/** Members and the monitor go with the pool; listeners that sent to it send nowhere. */
async function remove(request: ApiRequest): Promise<ApiResponse> {
  const id = param(request, 'pool_id');
  const loadBalancerId = await loadBalancerOf(request, 'pool', 'Pool', id);
  await submit(request, loadBalancerId, (skeleton) => {
    const child = poolIn(skeleton, id);
    refuseWhileDeleting('Pool', child.row);
    refusePoolInUse(skeleton, id);
    // A listener may only have sent here by an L7 policy that is on its way out: its default pool is another one.
    const touch = listenersUsing(skeleton, id).map((row) => ({
      child: { kind: 'listener' as const, row },
      ...(row.default_pool_id === id ? { set: { default_pool_id: null } } : {}),
    }));
    const pool_ids = skeleton.loadBalancer.pool_ids.filter((one) => one !== id);
    return { remove: [child], touch, loadBalancer: { pool_ids } };
  });
  return { status: 204 };
}

/** Only for the rows of the page: one query for each load balancer they are of, and none when neither field is asked for. */
async function listedPools(request: ApiRequest, rows: PoolRow[]) {
  const ids = isAskedFor(request, 'listeners', 'members') ? [...new Set(rows.map((row) => row.load_balancer_id))] : [];
  const read = await Promise.all(ids.map(async (id) => [id, await readBelow(request.services.table, id)] as const));
  const below = new Map(read.map(([id, tree]) => [id, { ...tree, memberIds: memberIdsByPool(tree.members) }]));
  return rows.map((row) => {
    const tree = below.get(row.load_balancer_id);
    if (tree === undefined) return poolResponse(row, [], []);
    const listenerIds = listenersUsing(tree, row.id).map(({ id }) => id);
    return poolResponse(row, listenerIds, tree.memberIds.get(row.id) ?? []);
  });
}

function memberIdsByPool(members: MemberRow[]): Map<string, string[]> {
  const ids = new Map<string, string[]>();
  for (const { pool_id, id } of members) {
    const present = ids.get(pool_id);
    if (present) present.push(id);
    else ids.set(pool_id, [id]);
  }
  return ids;
}

// Which listeners send to a pool is not kept with the pool, and Octavia does not filter by it.
const { listener_id: _listener, ...filterable } = pool.attributes;

const list = (request: ApiRequest): Promise<ApiResponse> =>
  listed<PoolRow>(request, {
    resource: { ...pool, attributes: filterable },
    kind: 'pool',
    show: (rows) => listedPools(request, rows),
    more: ['healthmonitor_id'],
  });

export const routes = {
  'GET /v2.0/lbaas/pools': list,
  'POST /v2.0/lbaas/pools': create,
  'GET /v2.0/lbaas/pools/{pool_id}': show,
  'PUT /v2.0/lbaas/pools/{pool_id}': update,
  'DELETE /v2.0/lbaas/pools/{pool_id}': remove,
} satisfies Routes;
