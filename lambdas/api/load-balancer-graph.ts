// A load balancer created with everything below it in one call: the rows it is made of.

import { newMember } from '../controller/members.ts';
import type { DeploymentRules } from '../domain/deployment.ts';
import { ApiError, conflict, invalid, notFound } from '../domain/errors.ts';
import { type HealthMonitorRow, healthMonitor } from '../domain/health-monitor.ts';
import { type L7PolicyRow, l7Policy } from '../domain/l7-policy.ts';
import { type L7RuleRow, l7Rule, rulesPerPolicy, settledRule } from '../domain/l7-rule.ts';
import { type ListenerRow, listener } from '../domain/listener.ts';
import {
  checkAllowedCidrs,
  checkFamilies,
  refuseChildren,
  settledListener,
  vipAddresses,
} from '../domain/listener-rules.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import { type MemberRow, refuseOtherFamily } from '../domain/member.ts';
import { type PoolRow, pool, settledPool } from '../domain/pool.ts';
import type { QuotaDelta } from '../domain/quota.ts';
import { parseCreate } from '../domain/resource.ts';
import type { Child } from '../domain/tree.ts';
import type { ApiRequest } from '../runtime/http/request.ts';
import { checkedMonitor, newHealthMonitor } from './health-monitors.ts';
import { newL7Policy, placed, refuseProtocol } from './l7-policies.ts';
import { newL7Rule, tooManyRules } from './l7-rules.ts';
import { checkCertificates, newListener, portTaken, refuseMismatch, samePort } from './listeners.ts';
import { checkedMember, refuseSriov } from './members.ts';
import { type Given, hoisted, nameOf } from './pool-references.ts';
import { checkPoolCertificates, newPool } from './pools.ts';

export interface PoolGraph {
  row: PoolRow;
  monitor: HealthMonitorRow | null;
  members: MemberRow[];
}

export interface PolicyGraph {
  row: L7PolicyRow;
  rules: L7RuleRow[];
}

export interface ListenerGraph {
  row: ListenerRow;
  /** By position. */
  policies: PolicyGraph[];
}

export interface Graph {
  listeners: ListenerGraph[];
  pools: PoolGraph[];
}

type Owner = Pick<LoadBalancerRow, 'id' | 'project_id' | 'flavor_data'>;

type PoolOf = (reference: Given | null) => PoolRow | null;

async function poolGraph(request: ApiRequest, given: Given, loadBalancer: Owner): Promise<PoolGraph> {
  const { services } = request;
  const { clock, newId } = services;
  for (const name of ['protocol', 'lb_algorithm']) {
    if ((given[name] ?? null) !== null) continue;
    throw invalid(`Pool definition for '${nameOf(given)}' missing required attribute: ${name}`);
  }
  const attributes = settledPool(parseCreate(pool, given), services.config);
  const row = newPool(attributes, loadBalancer, newId(), clock.now());
  await checkPoolCertificates(services, loadBalancer.project_id, row);
  const below = { load_balancer_id: loadBalancer.id, project_id: loadBalancer.project_id };
  const monitor = attributes.healthmonitor && monitorRow(request, attributes.healthmonitor, row);
  const members: MemberRow[] = [];
  for (const one of attributes.members) {
    const checked = await checkedMember(request, one);
    refuseSriov(checked, loadBalancer);
    // As in Octavia: nothing is known of them before the first check, be there a monitor or not.
    members.push(newMember(checked, { ...below, id: row.id, hasMonitor: false }, newId(), clock.now()));
  }
  refuseSamePlaces(members);
  return { row: { ...row, healthmonitor_id: monitor?.id ?? null }, monitor, members };
}

function monitorRow({ services }: ApiRequest, given: Given, of: PoolRow): HealthMonitorRow {
  const attributes = checkedMonitor(parseCreate(healthMonitor, { ...given, pool_id: of.id }), of.protocol, services);
  return newHealthMonitor(attributes, of, services.newId(), services.clock.now());
}

function refuseSamePlaces(members: MemberRow[]): void {
  const places = members.map((one) => `${one.address} on protocol_port ${one.protocol_port}`);
  const twin = places.find((place, index) => places.indexOf(place) !== index);
  if (twin) throw conflict(`Another member on this pool is already using ip ${twin}`);
}

async function listenerGraph(
  request: ApiRequest,
  given: Given,
  loadBalancer: Owner,
  poolOf: PoolOf,
): Promise<ListenerGraph> {
  const { services } = request;
  const attributes = parseCreate(listener, { ...given, loadbalancer_id: loadBalancer.id });
  // A load balancer that is not there yet has no pool that could have an id.
  if (attributes.default_pool_id !== null) throw notFound('Pool', attributes.default_pool_id);
  const used = poolOf(attributes.default_pool);
  if (used !== null) refuseMismatch(attributes.protocol, used.protocol);
  const settled = settledListener(attributes, services.config);
  const row = newListener(settled, loadBalancer, services.newId(), services.clock.now());
  await checkCertificates(services, loadBalancer.project_id, row);
  if (attributes.l7policies.length > 0) refuseChildren(row.protocol);
  const policies = policyGraphs(request, attributes.l7policies, row, poolOf);
  return {
    row: { ...row, default_pool_id: used?.id ?? null, l7policy_ids: policies.map((one) => one.row.id) },
    policies,
  };
}

/** One after the other takes its position, and those behind it move on. */
function policyGraphs(request: ApiRequest, all: Given[], of: ListenerRow, poolOf: PoolOf): PolicyGraph[] {
  const graphs = all.map((given) => policyGraph(request, given, of, poolOf));
  const ids = graphs.reduce<string[]>((order, { row }) => placed(order, row.id, row.position), []);
  return graphs
    .map(({ row, rules }) => ({ row: { ...row, position: ids.indexOf(row.id) + 1 }, rules }))
    .sort((a, b) => a.row.position - b.row.position);
}

function policyGraph({ services }: ApiRequest, given: Given, of: ListenerRow, poolOf: PoolOf): PolicyGraph {
  const { newId, clock } = services;
  refuseProtocol(of.protocol, services.config);
  const attributes = parseCreate(l7Policy, { ...given, listener_id: of.id });
  if (attributes.redirect_pool_id !== null) throw notFound('Pool', attributes.redirect_pool_id);
  const used = poolOf(attributes.redirect_pool);
  if (used !== null) refuseMismatch(of.protocol, used.protocol);
  const owner = { id: of.load_balancer_id, project_id: of.project_id };
  const row = newL7Policy({ ...attributes, redirect_pool_id: used?.id ?? null }, owner, newId(), clock.now());
  if (attributes.rules.length > rulesPerPolicy) throw tooManyRules(row.id);
  const rules = attributes.rules.map((one) =>
    newL7Rule(settledRule(parseCreate(l7Rule, one)), row, newId(), clock.now()),
  );
  return { row: { ...row, rule_ids: rules.map(({ id }) => id) }, rules };
}

/** Judges the body's listeners and pools and makes their rows. @throws ApiError */
export async function graphOf(
  request: ApiRequest,
  listeners: Given[],
  pools: Given[],
  loadBalancer: Owner,
): Promise<Graph> {
  const described: PoolGraph[] = [];
  for (const given of hoisted(listeners, pools)) described.push(await poolGraph(request, given, loadBalancer));
  const byName = new Map(described.map(({ row }) => [row.name, row]));
  const poolOf: PoolOf = (reference) => {
    if (reference === null) return null;
    const found = byName.get(nameOf(reference));
    if (found === undefined) throw new ApiError(400, `Missing details for Pool object: ${nameOf(reference)}`);
    return found;
  };
  const graphs: ListenerGraph[] = [];
  for (const given of listeners) graphs.push(await listenerGraph(request, given, loadBalancer, poolOf));
  refuseSamePorts(graphs.map(({ row }) => row));
  return { listeners: graphs, pools: described };
}

function refuseSamePorts(rows: ListenerRow[]): void {
  const twin = rows.map((row, index) => rows.slice(0, index).find((one) => samePort(one, row))).find(Boolean);
  if (twin !== undefined) throw portTaken(twin);
}

/** What can only be judged once the addresses are known. @throws ApiError 400, 501 */
export function checkAddresses(
  graph: Graph,
  loadBalancer: Pick<LoadBalancerRow, 'vip_address' | 'additional_vips' | 'vip_sg_ids'>,
  rules: DeploymentRules,
): void {
  for (const { row } of graph.listeners) {
    checkAllowedCidrs(row.allowed_cidrs, loadBalancer);
    checkFamilies(row.denied_cidrs ?? [], loadBalancer);
  }
  for (const { row, members } of graph.pools) {
    for (const one of members) refuseOtherFamily(one.address, row.protocol, vipAddresses(loadBalancer), rules);
  }
}

export const graphChildren = (graph: Graph): Child[] => [
  ...graph.listeners.flatMap(({ row, policies }): Child[] => [
    { kind: 'listener', row },
    ...policies.flatMap((policy): Child[] => [
      { kind: 'l7policy', row: policy.row },
      ...policy.rules.map((one): Child => ({ kind: 'l7rule', row: one })),
    ]),
  ]),
  ...graph.pools.flatMap(({ row, monitor, members }): Child[] => [
    { kind: 'pool', row },
    ...(monitor ? [{ kind: 'healthmonitor' as const, row: monitor }] : []),
    ...members.map((one): Child => ({ kind: 'member', row: one })),
  ]),
];

/** How many of each are made. */
export function graphQuota(graph: Graph): QuotaDelta {
  const delta: QuotaDelta = { loadbalancer: 1 };
  for (const { kind } of graphChildren(graph)) delta[kind] = (delta[kind] ?? 0) + 1;
  return delta;
}
