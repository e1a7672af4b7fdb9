// The L7 policies resource.
import { type DeploymentRules, refuseUnsupported } from '../domain/deployment.ts';
import { ApiError, conflict, notFound } from '../domain/errors.ts';
import { type L7PolicyRow, l7Policy, l7PolicyResponse, settledTargets } from '../domain/l7-policy.ts';
import { type ListenerRow, mayUsePool } from '../domain/listener.ts';
import { refuseChildren } from '../domain/listener-rules.ts';
import { type Created, parseCreate, parseUpdate, rootOf } from '../domain/resource.ts';
import { newRow } from '../domain/row.ts';
import type { Child, Skeleton } from '../domain/tree.ts';
import type { TreeChange } from '../repositories/changes.ts';
import { readChild } from '../repositories/trees.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import { listed, withFields } from './http/lists.ts';
import { loadBalancerOf, refuseWhileDeleting, rowWritten, submit } from './http/submit.ts';

export type PolicyAttributes = Created<typeof l7Policy.attributes>;

export function newL7Policy(
  attributes: PolicyAttributes,
  owner: { id: string; project_id: string },
  id: string,
  now: number,
): L7PolicyRow {
  const { project_id: _project, rules: _rules, redirect_pool: _pool, ...own } = attributes;
  return {
    ...own,
    ...settledTargets(own),
    ...newRow(id, owner.id, owner.project_id, now),
    rule_ids: [],
  };
}

/** The policy of a skeleton that a write is about. @throws ApiError 404, 409 */
export function policyIn(skeleton: Skeleton, id: string): Child<'l7policy'> {
  const row = skeleton.l7Policies.find((one) => one.id === id);
  if (row === undefined) throw notFound('L7Policy', id);
  refuseWhileDeleting('L7Policy', row);
  return { kind: 'l7policy', row };
}

/** The listener policies are asked on. @throws ApiError 404, 400, 409 */
export function listenerOf(skeleton: Skeleton, id: string): Child<'listener'> {
  const row = skeleton.listeners.find((one) => one.id === id);
  if (row === undefined) throw notFound('Listener', id);
  refuseWhileDeleting('Listener', row);
  return { kind: 'listener', row };
}

/** Only listeners that read requests can tell them apart. @throws ApiError 400, 501 */
export function refuseProtocol(protocol: ListenerRow['protocol'], rules: DeploymentRules): void {
  refuseChildren(protocol);
  if (protocol === 'HTTP' || protocol === 'TERMINATED_HTTPS') return;
  refuseUnsupported(rules, `${protocol} protocol listeners do not support L7 policies`);
}

/** @throws ApiError 404 for a pool that is not this load balancer's, 400 for one the listener cannot use */
export function refusePool(skeleton: Skeleton, listener: Child<'listener'>, poolId: string | null): void {
  if (poolId === null) return;
  const pool = skeleton.pools.find((one) => one.id === poolId && one.provisioning_status !== 'PENDING_DELETE');
  if (pool === undefined) throw notFound('Pool', poolId);
  if (mayUsePool(listener.row.protocol, pool.protocol)) return;
  throw new ApiError(
    400,
    `Validation failure: The pool protocol '${pool.protocol}' is invalid while the listener protocol is '${listener.row.protocol}'.`,
  );
}

/** Ids with this one at its position; positions start at 1 and have no holes. */
export const placed = (ids: string[], id: string, position: number): string[] =>
  ids.filter((one) => one !== id).toSpliced(position - 1, 0, id);

/** The listener with its policies in a new order, and the other policies that get another number by it. */
function reordered(
  skeleton: Skeleton,
  listener: Child<'listener'>,
  ids: string[],
  but: string,
): Pick<TreeChange, 'touch' | 'adjust'> {
  const policies = new Map(skeleton.l7Policies.map((row) => [row.id, row]));
  const adjust = ids.flatMap((id, index) => {
    const row = policies.get(id);
    const isMoved = row !== undefined && id !== but && row.position !== index + 1;
    return isMoved ? [{ child: { kind: 'l7policy' as const, row }, set: { position: index + 1 } }] : [];
  });
  return { touch: [{ child: listener, set: { l7policy_ids: ids } }], adjust };
}

async function create(request: ApiRequest): Promise<ApiResponse> {
  const { services } = request;
  const attributes = parseCreate(l7Policy, rootOf(l7Policy, request.body));
  const id = services.newId();
  const loadBalancerId = await loadBalancerOf(request, 'listener', 'Listener', attributes.listener_id);
  const accepted = await submit(request, loadBalancerId, (skeleton) => {
    const listener = listenerOf(skeleton, attributes.listener_id);
    refuseProtocol(listener.row.protocol, services.config);
    const row = newL7Policy(attributes, skeleton.loadBalancer, id, services.clock.now());
    refusePool(skeleton, listener, row.redirect_pool_id);
    const ids = placed(listener.row.l7policy_ids, id, row.position);
    return {
      create: [{ kind: 'l7policy', row: { ...row, position: ids.indexOf(id) + 1 } }],
      ...reordered(skeleton, listener, ids, id),
      quota: { made: { l7policy: 1 } },
    };
  });
  return { status: 201, body: { l7policy: l7PolicyResponse(rowWritten(accepted, 'l7policy', id)) } };
}

async function show(request: ApiRequest): Promise<ApiResponse> {
  const id = param(request, 'l7policy_id');
  const row = await readChild(request.services.table, 'l7policy', id);
  if (row === undefined) throw notFound('L7Policy', id);
  request.authorize(row.project_id);
  return { status: 200, body: { l7policy: withFields(request, l7PolicyResponse(row)) } };
}

async function update(request: ApiRequest): Promise<ApiResponse> {
  const id = param(request, 'l7policy_id');
  const loadBalancerId = await loadBalancerOf(request, 'l7policy', 'L7Policy', id);
  const given = parseUpdate(l7Policy, rootOf(l7Policy, request.body));
  const accepted = await submit(request, loadBalancerId, (skeleton) => {
    const child = policyIn(skeleton, id);
    const listener = listenerOf(skeleton, child.row.listener_id);
    const targets = settledTargets(given, child.row);
    refusePool(skeleton, listener, given.redirect_pool_id === undefined ? null : targets.redirect_pool_id);
    const ids =
      given.position === undefined ? listener.row.l7policy_ids : placed(listener.row.l7policy_ids, id, given.position);
    const set = { ...given, ...targets, position: ids.indexOf(id) + 1 };
    return { update: [{ child, set }], ...reordered(skeleton, listener, ids, id) };
  });
  return { status: 200, body: { l7policy: l7PolicyResponse(rowWritten(accepted, 'l7policy', id)) } };
}

async function remove(request: ApiRequest): Promise<ApiResponse> {
  const id = param(request, 'l7policy_id');
  const loadBalancerId = await loadBalancerOf(request, 'l7policy', 'L7Policy', id);
  await submit(request, loadBalancerId, (skeleton) => {
    const child = policyIn(skeleton, id);
    const listener = listenerOf(skeleton, child.row.listener_id);
    const ids = listener.row.l7policy_ids.filter((one) => one !== id);
    return { remove: [child], ...reordered(skeleton, listener, ids, id) };
  });
  return { status: 204 };
}

const list = (request: ApiRequest): Promise<ApiResponse> =>
  listed<L7PolicyRow>(request, { resource: l7Policy, kind: 'l7policy', show: (rows) => rows.map(l7PolicyResponse) });

/** A pool that a policy sends to cannot go. @throws ApiError 409 */
export function refusePoolInUse(skeleton: Skeleton, poolId: string): void {
  const going = new Set(
    [...skeleton.listeners, ...skeleton.l7Policies]
      .filter((row) => row.provisioning_status === 'PENDING_DELETE')
      .map(({ id }) => id),
  );
  const user = skeleton.l7Policies.find(
    (row) => row.redirect_pool_id === poolId && !going.has(row.id) && !going.has(row.listener_id),
  );
  if (user) throw conflict(`Pool ${poolId} is in use by L7 policy ${user.id}`);
}

export const routes = {
  'GET /v2.0/lbaas/l7policies': list,
  'POST /v2.0/lbaas/l7policies': create,
  'GET /v2.0/lbaas/l7policies/{l7policy_id}': show,
  'PUT /v2.0/lbaas/l7policies/{l7policy_id}': update,
  'DELETE /v2.0/lbaas/l7policies/{l7policy_id}': remove,
} satisfies Routes;
