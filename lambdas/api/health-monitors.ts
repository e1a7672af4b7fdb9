// The health monitors resource.
import { conflict, notFound } from '../domain/errors.ts';
import {
  checkTypeForPool,
  type HealthMonitorRow,
  healthMonitor,
  healthMonitorResponse,
  settledMonitor,
  settledMonitorUpdate,
} from '../domain/health-monitor.ts';
import { type Created, parseCreate, parseUpdate, rootOf } from '../domain/resource.ts';
import { newRow } from '../domain/row.ts';
import type { Child, Skeleton } from '../domain/tree.ts';
import type { TreeChange } from '../repositories/changes.ts';
import { readChild } from '../repositories/trees.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import type { Services } from '../runtime/services.ts';
import { listed, withFields } from './http/lists.ts';
import { loadBalancerOf, refuseWhileDeleting, rowWritten, submit } from './http/submit.ts';
import { poolIn, touchedListeners } from './pools.ts';

export type MonitorAttributes = Created<typeof healthMonitor.attributes>;

export function newHealthMonitor(
  attributes: MonitorAttributes,
  owner: { load_balancer_id: string; project_id: string },
  id: string,
  now: number,
): HealthMonitorRow {
  const { project_id: _project, ...own } = attributes;
  return {
    ...own,
    ...newRow(id, owner.load_balancer_id, owner.project_id, now),
  };
}

/** @throws ApiError 400 */
export function checkedMonitor(
  given: MonitorAttributes,
  poolProtocol: string,
  { config }: Services,
): MonitorAttributes {
  checkTypeForPool(given.type, given.delay, poolProtocol, config);
  return settledMonitor(given, config);
}

/** The monitor's pool and the listeners that send to it change with it. */
function touched(
  skeleton: Skeleton,
  poolId: string,
  references: Record<string, unknown> = {},
): NonNullable<TreeChange['touch']> {
  const pool = poolIn(skeleton, poolId);
  return [{ child: pool, set: references }, ...touchedListeners(skeleton, poolId)];
}

function monitorIn(skeleton: Skeleton, id: string): Child<'healthmonitor'> {
  const row = skeleton.healthMonitors.find((one) => one.id === id);
  if (row === undefined) throw notFound('Health Monitor', id);
  refuseWhileDeleting('Health Monitor', row);
  return { kind: 'healthmonitor', row };
}

async function create(request: ApiRequest): Promise<ApiResponse> {
  const { services } = request;
  const given = parseCreate(healthMonitor, rootOf(healthMonitor, request.body));
  const id = services.newId();
  const loadBalancerId = await loadBalancerOf(request, 'pool', 'Pool', given.pool_id);
  const accepted = await submit(request, loadBalancerId, (skeleton) => {
    const pool = poolIn(skeleton, given.pool_id).row;
    refuseWhileDeleting('Pool', pool);
    const attributes = checkedMonitor(given, pool.protocol, services);
    if (pool.healthmonitor_id !== null) throw conflict('This pool already has a health monitor');
    const row = newHealthMonitor(attributes, pool, id, services.clock.now());
    return {
      create: [{ kind: 'healthmonitor', row }],
      touch: touched(skeleton, pool.id, { healthmonitor_id: id }),
      quota: { made: { healthmonitor: 1 } },
    };
  });
  return { status: 201, body: { healthmonitor: healthMonitorResponse(rowWritten(accepted, 'healthmonitor', id)) } };
}

async function show(request: ApiRequest): Promise<ApiResponse> {
  const id = param(request, 'healthmonitor_id');
  const row = await readChild(request.services.table, 'healthmonitor', id);
  if (row === undefined) throw notFound('Health Monitor', id);
  request.authorize(row.project_id);
  return { status: 200, body: { healthmonitor: withFields(request, healthMonitorResponse(row)) } };
}

async function update(request: ApiRequest): Promise<ApiResponse> {
  const id = param(request, 'healthmonitor_id');
  const loadBalancerId = await loadBalancerOf(request, 'healthmonitor', 'Health Monitor', id);
  const given = parseUpdate(healthMonitor, rootOf(healthMonitor, request.body));
  const accepted = await submit(request, loadBalancerId, (skeleton) => {
    const child = monitorIn(skeleton, id);
    const { row: pool } = poolIn(skeleton, child.row.pool_id);
    checkTypeForPool(child.row.type, given.delay, pool.protocol, request.services.config);
    const set = settledMonitorUpdate(child.row, given);
    return { update: [{ child, set }], touch: touched(skeleton, child.row.pool_id) };
  });
  return { status: 200, body: { healthmonitor: healthMonitorResponse(rowWritten(accepted, 'healthmonitor', id)) } };
}

/** The pool is free for another monitor from now on, and not only when this one is gone. */
async function remove(request: ApiRequest): Promise<ApiResponse> {
  const id = param(request, 'healthmonitor_id');
  const loadBalancerId = await loadBalancerOf(request, 'healthmonitor', 'Health Monitor', id);
  await submit(request, loadBalancerId, (skeleton) => {
    const child = monitorIn(skeleton, id);
    return { remove: [child], touch: touched(skeleton, child.row.pool_id, { healthmonitor_id: null }) };
  });
  return { status: 204 };
}

const list = (request: ApiRequest): Promise<ApiResponse> =>
  listed<HealthMonitorRow>(request, {
    resource: healthMonitor,
    kind: 'healthmonitor',
    show: (rows) => rows.map(healthMonitorResponse),
  });

export const routes = {
  'GET /v2.0/lbaas/healthmonitors': list,
  'POST /v2.0/lbaas/healthmonitors': create,
  'GET /v2.0/lbaas/healthmonitors/{healthmonitor_id}': show,
  'PUT /v2.0/lbaas/healthmonitors/{healthmonitor_id}': update,
  'DELETE /v2.0/lbaas/healthmonitors/{healthmonitor_id}': remove,
} satisfies Routes;
