// A load balancer created with everything below it in one call.

import { ApiError, conflict, invalid, notFound } from '../domain/errors.ts';
import type { HealthMonitorRow } from '../domain/health-monitor.ts';
import { healthMonitorResponse } from '../domain/health-monitor.ts';
import type { ListenerRow } from '../domain/listener.ts';
import { listener, listenerResponse } from '../domain/listener.ts';
import { type MemberRow, memberResponse } from '../domain/member.ts';
import { type PoolRow, pool, poolResponse } from '../domain/pool.ts';
import type { QuotaDelta } from '../domain/quota.ts';
import { parseCreate } from '../domain/resource.ts';
import { owner } from '../domain/row.ts';
import type { Child } from '../domain/tree.ts';
import type { ApiRequest } from '../runtime/http/request.ts';
import { checkedMonitor, newHealthMonitor } from './health-monitors.ts';
import { newListener, refuseMismatch } from './listeners.ts';
import { checkedMember, newMember } from './members.ts';
import { newPool } from './pools.ts';

type Given = Record<string, unknown>;

interface PoolGraph {
  row: PoolRow;
  monitor: HealthMonitorRow | null;
  members: MemberRow[];
}

export interface Graph {
  listeners: ListenerRow[];
  pools: PoolGraph[];
}

interface Owner {
  id: string;
  project_id: string;
}

/** A pool that is only named refers to one that is described elsewhere in the body. */
const isReference = (given: Given): boolean => Object.keys(given).every((key) => key === 'name');

async function poolGraph(request: ApiRequest, given: Given, loadBalancer: Owner): Promise<PoolGraph> {
  const { clock, newId } = request.services;
  for (const name of ['protocol', 'lb_algorithm']) {
    if ((given[name] ?? null) === null) throw new ApiError(400, `Missing details for Pool object: ${name}`);
  }
  const attributes = parseCreate(pool, given);
  const row = newPool(attributes, loadBalancer, newId(), clock.now());
  const below = { load_balancer_id: loadBalancer.id, project_id: loadBalancer.project_id };
  const monitor =
    attributes.healthmonitor === null
      ? null
      : newHealthMonitor(checkedMonitor({ ...attributes.healthmonitor, pool_id: row.id }), below, newId(), clock.now());
  const members: MemberRow[] = [];
  for (const one of attributes.members) {
    const checked = await checkedMember(request, one);
    members.push(newMember(checked, { ...below, id: row.id, hasMonitor: monitor !== null }, newId(), clock.now()));
  }
  refuseSamePlaces(members);
  return { row: { ...row, healthmonitor_id: monitor?.id ?? null }, monitor, members };
}

function refuseSamePlaces(members: MemberRow[]): void {
  const places = members.map((one) => `${one.address} on protocol_port ${one.protocol_port}`);
  const twin = places.find((place, index) => places.indexOf(place) !== index);
  if (twin) throw conflict(`Another member on this pool is already using ip ${twin}`);
}

/** The pools described in the body, by name: in `pools`, and in listeners' default pools. */
async function describedPools(request: ApiRequest, pools: Given[], listeners: Given[], loadBalancer: Owner) {
  const inListeners = listeners
    .map((one) => one['default_pool'])
    .filter((one): one is Given => one !== null && one !== undefined);
  const described = [...pools, ...inListeners.filter((given) => !isReference(given))];
  const byGiven = new Map<Given, PoolGraph>();
  const byName = new Map<string, PoolGraph>();
  for (const given of described) {
    const name = given['name'];
    if (typeof name !== 'string' || name === '') {
      // One pool alone needs no name to be told apart.
      if (pools.includes(given)) throw invalid('Pools must be named when creating a fully populated load balancer.');
    } else if (byName.has(name))
      throw invalid('Pool names must be unique when creating a fully populated load balancer.');
    const graph = await poolGraph(request, given, loadBalancer);
    byGiven.set(given, graph);
    if (typeof name === 'string') byName.set(name, graph);
  }
  return { byGiven, byName };
}

/** Judges the body's listeners and pools and makes their rows. @throws ApiError */
export async function graphOf(
  request: ApiRequest,
  listeners: Given[],
  pools: Given[],
  loadBalancer: Owner,
): Promise<Graph> {
  const { clock, newId } = request.services;
  const { byGiven, byName } = await describedPools(request, pools, listeners, loadBalancer);
  const rows = listeners.map((given) => {
    const attributes = parseCreate(listener, { ...given, loadbalancer_id: loadBalancer.id });
    if (attributes.l7policies.length > 0)
      throw new ApiError(501, "Provider 'amphora' does not support a requested option: l7policies");
    // A load balancer that is not there yet has no pool that could have an id.
    if (attributes.default_pool_id !== null) throw notFound('Pool', attributes.default_pool_id);
    const row = newListener(attributes, loadBalancer, newId(), clock.now());
    const asked = given['default_pool'] as Given | null | undefined;
    if (!asked) return row;
    const name = typeof asked['name'] === 'string' ? asked['name'] : '';
    const used = byGiven.get(asked) ?? byName.get(name);
    if (used === undefined) throw invalid(`Pool '${name}' was referenced but no full definition was found.`);
    refuseMismatch(row.protocol, used.row.protocol);
    return { ...row, default_pool_id: used.row.id };
  });
  refuseSamePorts(rows);
  return { listeners: rows, pools: [...byGiven.values()] };
}

function refuseSamePorts(rows: ListenerRow[]): void {
  const twin = rows.find((row, index) => rows.findIndex((one) => one.protocol_port === row.protocol_port) !== index);
  if (twin === undefined) return;
  throw conflict(
    `Another Listener on this Load Balancer is already using protocol ${twin.protocol} and protocol_port ${twin.protocol_port}`,
  );
}

export const graphChildren = (graph: Graph): Child[] => [
  ...graph.listeners.map((row): Child => ({ kind: 'listener', row })),
  ...graph.pools.flatMap(({ row, monitor, members }): Child[] => [
    { kind: 'pool', row },
    ...(monitor ? [{ kind: 'healthmonitor' as const, row: monitor }] : []),
    ...members.map((one): Child => ({ kind: 'member', row: one })),
  ]),
];

export const graphQuota = (graph: Graph): QuotaDelta => ({
  loadbalancer: 1,
  listener: graph.listeners.length,
  pool: graph.pools.length,
  healthmonitor: graph.pools.filter(({ monitor }) => monitor !== null).length,
  member: graph.pools.reduce((sum, { members }) => sum + members.length, 0),
});

function poolExpanded({ row, monitor, members }: PoolGraph, graph: Graph) {
  const users = graph.listeners.filter((one) => one.default_pool_id === row.id).map(({ id }) => id);
  const {
    loadbalancers: _lbs,
    healthmonitor_id: _hm,
    ...shown
  } = poolResponse(row, users, []) as ReturnType<typeof poolResponse> & {
    healthmonitor_id?: string;
  };
  const { pools: _pools, ...shownMonitor } = monitor ? healthMonitorResponse(monitor) : { pools: [] };
  return { ...shown, ...(monitor ? { healthmonitor: shownMonitor } : {}), members: members.map(memberResponse) };
}

/** Listeners and pools in full, as only the answer to a create shows them. */
export function graphExpanded(graph: Graph, loadBalancer: Owner) {
  const pools = graph.pools.map((one) => poolExpanded(one, graph));
  const listeners = graph.listeners.map((row) => {
    const { loadbalancers: _lbs, ...shown } = listenerResponse(row);
    const used = graph.pools.find((one) => one.row.id === row.default_pool_id);
    return { ...shown, ...owner(loadBalancer), default_pool: used ? poolExpanded(used, graph) : null };
  });
  return { listeners, pools };
}
