// The load balancers resource.

import { quotaDefaults } from '../controller/change-policy.ts';
import { requestWhatIsPending } from '../controller/requests.ts';
import { conflict, invalid, notFound } from '../domain/errors.ts';
import { checkAllowedCidrs } from '../domain/listener-rules.ts';
import {
  checkedAdditionalVips,
  type LoadBalancerRow,
  loadBalancer,
  loadBalancerResponse,
  type PendingOperation,
} from '../domain/load-balancer.ts';
import { type Created, parseCreate, parseUpdate, rootOf } from '../domain/resource.ts';
import { statusTree } from '../domain/status-tree.ts';
import { timestamp } from '../domain/time.ts';
import type { Vip } from '../drivers/network/network-driver.ts';
import { createLoadBalancer } from '../repositories/creations.ts';
import { changeLoadBalancer, operationOf } from '../repositories/load-balancers.ts';
import { readStatistics, sumOf } from '../repositories/statistics.ts';
import { readLoadBalancer, readTree } from '../repositories/trees.ts';
import type { Config } from '../runtime/config.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import { asBoolean, listed, withFields } from './http/lists.ts';
import { submit } from './http/submit.ts';
import { type Chosen, chosen, refuseVipNetwork, refuseVipZone } from './load-balancer-choices.ts';
import { graphExpanded } from './load-balancer-expanded.ts';
import { checkAddresses, graphChildren, graphOf, graphQuota } from './load-balancer-graph.ts';
import { checkVipPolicies, refuseGroupsOnSriov } from './vip-policies.ts';

type Attributes = Created<typeof loadBalancer.attributes>;

/** @throws ApiError 400 without any project, 403 for one that is not the caller's */
function projectOf(request: ApiRequest, { project_id }: Attributes): string {
  const project = project_id ?? request.caller?.project_id ?? null;
  if (project === null) throw invalid('Missing project ID in request where one is required.');
  request.authorize(project);
  return project;
}

/** The flow is given it, so that its history is found by what the client was told. */
const asked = ({ request_id }: ApiRequest, operation: PendingOperation): PendingOperation => ({
  ...operation,
  request_id,
});

function newLoadBalancer(
  request: ApiRequest,
  attributes: Attributes,
  choices: Chosen,
  id: string,
  projectId: string,
): Omit<LoadBalancerRow, keyof Vip> {
  const { config, clock, newId } = request.services;
  const { listeners: _l, pools: _p, project_id: _o, additional_vips: _a, ...own } = attributes;
  const now = clock.now();
  return {
    ...own,
    id,
    load_balancer_id: id,
    project_id: projectId,
    ...choices,
    topology: choices.flavor_data?.loadbalancer_topology ?? config.topology,
    provisioning_status: 'PENDING_CREATE',
    operating_status: 'OFFLINE',
    created_at: timestamp(now),
    updated_at: null,
    generation: 1,
    applied_generation: 0,
    vip_epoch: 0,
    listener_ids: [],
    pool_ids: [],
    amphora_ids: [],
    candidates: [],
    intents: [],
    operation: asked(request, operationOf('create', newId(), now, config.operation_timeout_ms)),
    lease: null,
    failover_pause: null,
  };
}

/** Never instead of the refusal that the client is to read: an address that stays taken is found by the sweep. */
async function giveVipBack({ services }: ApiRequest, id: string, vip: Vip): Promise<void> {
  try {
    // Without an answer of the table the load balancer may have been written all the same.
    if ((await readLoadBalancer(services.table, id)) === undefined) await services.network.releaseVip(id, vip);
  } catch (error) {
    services.logger.warn('a VIP is left to the sweep', { load_balancer_id: id, error });
  }
}

/** @throws ApiError 400 for a way of choosing the VIP that the operator does not allow */
function refuseDisallowedVip(config: Config, attributes: Attributes): void {
  const named = (['vip_port_id', 'vip_network_id', 'vip_subnet_id'] as const).filter(
    (name) => attributes[name] !== null,
  );
  const refused = named.find((name) => !config[`allow_${name}`]);
  if (refused) throw invalid(`use of ${refused} is disallowed by this deployment's configuration.`);
}

async function create(request: ApiRequest): Promise<ApiResponse> {
  const { services } = request;
  const attributes = parseCreate(loadBalancer, rootOf(loadBalancer, request.body));
  const projectId = projectOf(request, attributes);
  if (!attributes.vip_port_id && !attributes.vip_network_id && !attributes.vip_subnet_id) {
    throw invalid('VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.');
  }
  refuseDisallowedVip(services.config, attributes);
  const additional_vips = checkedAdditionalVips(attributes.additional_vips);
  await checkVipPolicies(request, attributes);
  const id = services.newId();
  const choices = await chosen(services.table, attributes);
  refuseGroupsOnSriov(choices, attributes.vip_sg_ids);
  const draft = newLoadBalancer(request, attributes, choices, id, projectId);
  const graph = await graphOf(request, attributes.listeners, attributes.pools, draft);
  const vip = await services.network.allocateVip({
    load_balancer_id: id,
    project_id: projectId,
    address: attributes.vip_address,
    port_id: attributes.vip_port_id,
    subnet_id: attributes.vip_subnet_id,
    network_id: attributes.vip_network_id,
    additional_vips,
    availability_zone: choices.availability_zone_data?.compute_zone ?? null,
  });
  const row: LoadBalancerRow = {
    ...draft,
    ...vip,
    additional_vips: vip.additional_vips ?? [],
    listener_ids: graph.listeners.map((one) => one.row.id),
    pool_ids: graph.pools.map((one) => one.row.id),
  };
  try {
    refuseVipNetwork(choices, vip.vip_network_id);
    refuseVipZone(choices, vip.vip_zone);
    checkAddresses(graph, row, services.config);
    await createLoadBalancer(services, row, graphChildren(graph), graphQuota(graph), quotaDefaults(services.config));
  } catch (error) {
    await giveVipBack(request, id, vip);
    throw error;
  }
  await requestWhatIsPending(services, row);
  return { status: 201, body: { loadbalancer: { ...loadBalancerResponse(row), ...graphExpanded(graph) } } };
}

async function found(request: ApiRequest): Promise<LoadBalancerRow> {
  const id = param(request, 'loadbalancer_id');
  const row = await readLoadBalancer(request.services.table, id);
  if (row === undefined) throw notFound('Load Balancer', id);
  request.authorize(row.project_id);
  return row;
}

const show = async (request: ApiRequest): Promise<ApiResponse> => ({
  status: 200,
  body: { loadbalancer: withFields(request, loadBalancerResponse(await found(request))) },
});

const list = (request: ApiRequest): Promise<ApiResponse> =>
  listed<LoadBalancerRow>(request, {
    resource: loadBalancer,
    kind: 'loadbalancer',
    show: (rows) => rows.map(loadBalancerResponse),
  });

/** Octavia's words for a load balancer that is busy itself, other than for one whose child is to be changed. */
const busy = ({ id, provisioning_status }: LoadBalancerRow) =>
  conflict(`Invalid state ${provisioning_status} of loadbalancer resource ${id}`);

async function update(request: ApiRequest): Promise<ApiResponse> {
  const row = await found(request);
  const set = parseUpdate(loadBalancer, rootOf(loadBalancer, request.body));
  await checkVipPolicies(request, set);
  refuseGroupsOnSriov(row, set.vip_sg_ids ?? []);
  const isStrict = request.services.config.conflict_policy === 'strict';
  const now = timestamp(request.services.clock.now());
  const accepted = await submit(request, row.id, (skeleton) => {
    const will = { ...skeleton.loadBalancer, ...set };
    for (const one of skeleton.listeners) checkAllowedCidrs(one.allowed_cidrs, will);
    if (isStrict && skeleton.loadBalancer.provisioning_status !== 'ACTIVE') throw busy(skeleton.loadBalancer);
    return { loadBalancer: { ...set, updated_at: now } };
  });
  return { status: 200, body: { loadbalancer: loadBalancerResponse(accepted.loadBalancer) } };
}

/** Asks for an operation on the load balancer as a whole, which takes the place of what was asked for before. */
async function requestWhole(
  request: ApiRequest,
  id: string,
  kind: 'delete' | 'failover',
  judge: (row: LoadBalancerRow) => void,
): Promise<void> {
  const { services } = request;
  const of = (needed: 'create' | 'delete' | 'failover') =>
    operationOf(needed, services.newId(), services.clock.now(), services.config.operation_timeout_ms);
  const to = kind === 'delete' ? ('PENDING_DELETE' as const) : ('PENDING_UPDATE' as const);
  const change = await changeLoadBalancer(services, id, (row) => {
    judge(row);
    // Where there is nothing to be replaced, all has to be built.
    const isBare = kind === 'failover' && row.amphora_ids.length === 0;
    const operation = of(isBare ? 'create' : kind);
    // Whoever asks may know of amphorae that are lost: one that does not answer is not waited for.
    const planned = operation.kind === 'failover' ? { is_planned: true } : {};
    return { provisioning_status: to, operation: asked(request, { ...operation, ...planned }) };
  });
  if (change === undefined) throw notFound('Load Balancer', id);
  await requestWhatIsPending(services, change.after);
}

async function remove(request: ApiRequest): Promise<ApiResponse> {
  const row = await found(request);
  const isCascade = asBoolean(request.query.get('cascade') ?? 'false');
  const isStrict = request.services.config.conflict_policy === 'strict';
  await requestWhole(request, row.id, 'delete', (now) => {
    const isSettled = now.provisioning_status === 'ACTIVE' || now.provisioning_status === 'ERROR';
    if (now.provisioning_status === 'PENDING_DELETE' || (isStrict && !isSettled)) throw busy(now);
    const hasChildren = now.listener_ids.length + now.pool_ids.length > 0;
    if (hasChildren && !isCascade) throw invalid(`Cannot delete Load Balancer ${now.id} - it has children`);
  });
  return { status: 204 };
}

async function failover(request: ApiRequest): Promise<ApiResponse> {
  const row = await found(request);
  await requestWhole(request, row.id, 'failover', (now) => {
    const isQueued = now.operation?.kind === 'update' && request.services.config.conflict_policy === 'queue';
    const isHalfGone = now.provisioning_status === 'ERROR' && now.failed === 'delete';
    const isSettled = now.provisioning_status === 'ACTIVE' || now.provisioning_status === 'ERROR';
    if (isHalfGone || (!isSettled && !isQueued)) throw busy(now);
  });
  return { status: 202 };
}

async function status(request: ApiRequest): Promise<ApiResponse> {
  const id = param(request, 'loadbalancer_id');
  const tree = await readTree(request.services.table, id);
  if (tree === undefined) throw notFound('Load Balancer', id);
  request.authorize(tree.loadBalancer.project_id);
  return { status: 200, body: { statuses: statusTree(tree) } };
}

async function statistics(request: ApiRequest): Promise<ApiResponse> {
  const row = await found(request);
  const byListener = await readStatistics(request.services.table, row.id, row.amphora_ids);
  return { status: 200, body: { stats: sumOf(byListener.values()) } };
}

export const routes = {
  'GET /v2.0/lbaas/loadbalancers': list,
  'POST /v2.0/lbaas/loadbalancers': create,
  'GET /v2.0/lbaas/loadbalancers/{loadbalancer_id}': show,
  'PUT /v2.0/lbaas/loadbalancers/{loadbalancer_id}': update,
  'DELETE /v2.0/lbaas/loadbalancers/{loadbalancer_id}': remove,
  'GET /v2.0/lbaas/loadbalancers/{loadbalancer_id}/status': status,
  'GET /v2.0/lbaas/loadbalancers/{loadbalancer_id}/statuses': status,
  'GET /v2.0/lbaas/loadbalancers/{loadbalancer_id}/stats': statistics,
  'PUT /v2.0/lbaas/loadbalancers/{loadbalancer_id}/failover': failover,
} satisfies Routes;
