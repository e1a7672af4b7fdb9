// What holds of the whole world whenever it is quiet, whatever happened before.
import { rolesOf } from '../../lambdas/domain/amphora.ts';
import { amphoraeOn } from '../../lambdas/domain/host.ts';
import type { LoadBalancerRow } from '../../lambdas/domain/load-balancer.ts';
import { inUse } from '../../lambdas/domain/quota.ts';
import { childrenOf } from '../../lambdas/domain/tree.ts';
import { NoopComputeDriver } from '../../lambdas/drivers/compute/noop.ts';
import { queryAll } from '../../lambdas/drivers/table/table.ts';
import { readAllAmphorae } from '../../lambdas/repositories/amphorae.ts';
import { readAllHealth } from '../../lambdas/repositories/health.ts';
import { readHosts } from '../../lambdas/repositories/hosts.ts';
import { readQuota } from '../../lambdas/repositories/quotas.ts';
import { readTree } from '../../lambdas/repositories/trees.ts';
import { type FlowWorld, projectId } from './flow-world.ts';

type Complaints = string[];

/** @returns what is wrong, in words; empty when all is well */
export async function unsoundness(world: FlowWorld): Promise<Complaints> {
  const rows = await world.loadBalancers();
  const each = await Promise.all(
    rows.flatMap((row) => [ofStatus(world, row), ofAmphorae(world, row), ofInterfaces(world, row)]),
  );
  const all = [ofMachines(world, rows), ofHosts(world), ofQuota(world, rows), ofVips(world, rows)];
  return [...each, ...(await Promise.all(all))].flat();
}

async function ofStatus(world: FlowWorld, row: LoadBalancerRow): Promise<Complaints> {
  const wrong: Complaints = [];
  const { provisioning_status: status, reason } = row;
  if (status !== 'ACTIVE' && status !== 'ERROR') wrong.push(`load balancer is ${status}`);
  if (status === 'ERROR' && !reason) wrong.push('load balancer is in ERROR without a reason');
  if (row.lease !== null) wrong.push(`lease of ${row.lease.execution} left`);
  if (row.candidates.length > 0) wrong.push(`${row.candidates.length} candidates left`);
  if (row.operation !== null) wrong.push(`operation ${row.operation.kind} left`);
  const expected = status === 'ACTIVE' ? /^ACTIVE$/ : /^(ACTIVE|ERROR)$/;
  for (const { kind, row: child } of childrenOf((await readTree(world.outside.table, row.id))!))
    if (!expected.test(child.provisioning_status)) wrong.push(`${kind} is ${child.provisioning_status}`);
  if (status !== 'ACTIVE') return wrong;
  if (row.applied_generation !== row.generation) wrong.push('the newest generation is not applied');
  return wrong;
}

async function ofAmphorae(world: FlowWorld, row: LoadBalancerRow): Promise<Complaints> {
  if (row.provisioning_status !== 'ACTIVE') return [];
  const wrong: Complaints = [];
  const own = (await readAllAmphorae(world.outside.table)).filter(({ id }) => row.amphora_ids.includes(id));
  const roles = own.map(({ role }) => role).toSorted();
  if (roles.join() !== rolesOf(row.topology).toSorted().join()) wrong.push(`roles of its amphorae: ${roles}`);
  if (own.length !== row.amphora_ids.length) wrong.push('it lists an amphora there is not');
  const owner = await world.outside.network.vipOwner(row.id, row);
  if (owner === null || !row.amphora_ids.includes(owner)) wrong.push(`its VIP is with ${owner}`);
  const { generation } = row;
  for (const { id, lb_network_ip } of own) {
    const info = await world.outside.amphora.getInfo({ id, lb_network_ip: lb_network_ip ?? '' });
    if (info.generation !== generation) wrong.push(`amphora runs ${info.generation}, not ${generation}`);
  }
  return wrong;
}

async function ofInterfaces(world: FlowWorld, row: LoadBalancerRow): Promise<Complaints> {
  const items = await queryAll(world.outside.table, { pk: `NET#interfaces#${row.id}` });
  return items.filter(({ sk }) => !row.amphora_ids.includes(sk)).map(({ sk }) => `interface of nobody: ${sk}`);
}

/** Machines, rows and health rows: as many as there are amphorae somebody owns. */
async function ofMachines(world: FlowWorld, loadBalancers: LoadBalancerRow[]): Promise<Complaints> {
  const { table, compute } = world.outside;
  const amphorae = await readAllAmphorae(table);
  const byId = new Map(amphorae.map((row) => [row.id, row]));
  const wrong: Complaints = [];
  const halfGone = new Set<string>();
  for (const { id, status, load_balancer_id, compute_id } of amphorae) {
    const owner = loadBalancers.find((row) => row.amphora_ids.includes(id));
    // Deleted half way: it is still its load balancer's, whose deletion is to be asked for again.
    if (owner?.failed === 'delete' && status === 'PENDING_DELETE') {
      if (compute_id !== null) halfGone.add(compute_id);
      continue;
    }
    const isSpare = status === 'READY' && load_balancer_id === null && owner === undefined;
    // One whose failover could not be done says so as long as its load balancer does.
    const isLost = status === 'ERROR' && owner?.provisioning_status === 'ERROR';
    const isOwned = owner !== undefined && owner.id === load_balancer_id && (status === 'ALLOCATED' || isLost);
    if (!isSpare && !isOwned) wrong.push(`amphora of nobody: ${status}, ${load_balancer_id}`);
    if (compute_id === null) wrong.push('amphora without a machine');
  }
  const machines = new Set(halfGone);
  for (const { compute_id, amphora_id } of await compute.list()) {
    machines.add(compute_id);
    if (byId.get(amphora_id)?.compute_id !== compute_id) wrong.push(`machine of nobody: ${compute_id}`);
  }
  for (const { compute_id } of amphorae)
    if (compute_id !== null && !machines.has(compute_id)) wrong.push('amphora whose machine is gone');
  for (const { amphora_id } of await readAllHealth(table))
    if (!byId.has(amphora_id)) wrong.push(`health of nobody: ${amphora_id}`);
  return wrong;
}

/** Places are those of amphorae, no more than there may be and none of two of one load balancer; no machine is left without any. */
async function ofHosts(world: FlowWorld): Promise<Complaints> {
  const { table, compute } = world.outside;
  const [hosts, amphorae] = [await readHosts(table), await readAllAmphorae(table)];
  const wrong: Complaints = [];
  for (const host of hosts) {
    const guests = amphorae.filter(({ host_id }) => host_id === host.id);
    const owners = guests.flatMap(({ load_balancer_id }) => load_balancer_id ?? []);
    const ids = guests.map(({ id }) => id).toSorted();
    if (amphoraeOn(host).toSorted().join() !== ids.join()) wrong.push(`places of ${amphoraeOn(host)}, guests ${ids}`);
    if (host.taken !== guests.length || host.taken > host.colocation) wrong.push(`${host.taken} of ${host.colocation}`);
    if (host.taken === 0) wrong.push('a host carries nobody');
    if (new Set(owners).size < owners.length) wrong.push('two of one load balancer share a host');
  }
  const known = hosts.map(({ id }) => id);
  for (const { host_id } of amphorae) if (host_id && !known.includes(host_id)) wrong.push('an amphora on no host');
  const machines = compute instanceof NoopComputeDriver ? compute.hosts : [];
  for (const id of machines) if (!known.includes(id)) wrong.push(`host of nobody: ${id}`);
  for (const { amphora_id, host_id } of await compute.list())
    if (amphorae.some((row) => row.id === amphora_id && row.host_id !== (host_id ?? undefined)))
      wrong.push('a machine is on another host than its row says');
  return wrong;
}

async function ofQuota(world: FlowWorld, loadBalancers: LoadBalancerRow[]): Promise<Complaints> {
  const row = await readQuota(world.outside.table, projectId);
  const there: Record<string, number> = { loadbalancer: loadBalancers.length };
  for (const { id } of loadBalancers)
    for (const { kind } of childrenOf((await readTree(world.outside.table, id))!)) there[kind] = (there[kind] ?? 0) + 1;
  const kinds = ['loadbalancer', 'listener', 'pool', 'member', 'healthmonitor'] as const;
  return kinds
    .filter((kind) => Number(row?.[inUse(kind)] ?? 0) !== (there[kind] ?? 0))
    .map((kind) => `quota counts ${row?.[inUse(kind)]} of ${kind}, there are ${there[kind] ?? 0}`);
}

/** Every load balancer has its VIP, but one in ERROR whose deletion was cut short; nobody else has one. */
async function ofVips(world: FlowWorld, loadBalancers: LoadBalancerRow[]): Promise<Complaints> {
  const holders = (await world.outside.network.listVips()).map(({ load_balancer_id }) => load_balancer_id);
  const ids = loadBalancers.map(({ id }) => id);
  const needy = loadBalancers.filter((row) => row.provisioning_status === 'ACTIVE').map(({ id }) => id);
  return [
    ...holders.filter((id) => !ids.includes(id)).map((id) => `VIP of nobody: ${id}`),
    ...needy.filter((id) => !holders.includes(id)).map((id) => `load balancer without VIP: ${id}`),
  ];
}
