// The members resource, singly and in batches.
import { addressClaim, type MemberAttributes, newMember, type PoolRef, poolRef } from '../controller/members.ts';
import type { DeploymentRules } from '../domain/deployment.ts';
import { ApiError, invalid, notFound } from '../domain/errors.ts';
import { vipAddresses } from '../domain/listener-rules.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import {
  type MemberRow,
  member,
  memberResponse,
  refuseOtherFamily,
  refuseReservedAddress,
  sriovRefused,
} from '../domain/member.ts';
import { parseCreate, parseUpdate, rootOf } from '../domain/resource.ts';
import { asWanted } from '../domain/row.ts';
import type { Child, Skeleton } from '../domain/tree.ts';
import type { TreeChange } from '../repositories/changes.ts';
import { readMemberStatistics } from '../repositories/member-statistics.ts';
import { readChild, readLoadBalancer, readMembers } from '../repositories/trees.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import { asBoolean, listBody, withFields } from './http/lists.ts';
import { scalarNames } from './http/names.ts';
import { loadBalancerOf, refuseWhileDeleting, rowWritten, submit } from './http/submit.ts';
import { poolIn, touchedListeners } from './pools.ts';

/** @throws ApiError 400 */
export async function checkedMember(request: ApiRequest, given: unknown): Promise<MemberAttributes> {
  const attributes = parseCreate(member, given);
  refuseReservedAddress(attributes.address);
  if (attributes.monitor_address !== null) refuseReservedAddress(attributes.monitor_address);
  if (attributes.subnet_id !== null) await request.services.network.getSubnet(attributes.subnet_id);
  return attributes;
}

type OfFlavor = Pick<LoadBalancerRow, 'flavor_data'>;

/** @throws ApiError 400 */
export function refuseSriov({ request_sriov }: MemberAttributes, { flavor_data }: OfFlavor): void {
  if (request_sriov && !flavor_data?.allow_member_sriov) throw sriovRefused();
}

/** What only the pool and its load balancer tell. @throws ApiError 400, 501 */
function refuseUnfit(
  attributes: MemberAttributes,
  poolProtocol: string,
  loadBalancer: LoadBalancerRow,
  rules: Pick<DeploymentRules, 'amphora_driver'>,
): void {
  refuseSriov(attributes, loadBalancer);
  refuseOtherFamily(attributes.address, poolProtocol, vipAddresses(loadBalancer), rules);
}

/** The pool in the path; an unknown one is refused before the members are looked at. */
const pooled = (request: ApiRequest): Promise<string> =>
  loadBalancerOf(request, 'pool', 'Pool', param(request, 'pool_id'), 'http');

/** A pool that takes a change of its members, with what else the change touches. */
function targetPool(
  skeleton: Skeleton,
  poolId: string,
): { pool: Child<'pool'>; touch: NonNullable<TreeChange['touch']> } {
  const pool = poolIn(skeleton, poolId);
  refuseWhileDeleting('Pool', pool.row);
  return { pool, touch: [{ child: pool }, ...touchedListeners(skeleton, poolId)] };
}

async function create(request: ApiRequest): Promise<ApiResponse> {
  const { services } = request;
  const loadBalancerId = await pooled(request);
  const attributes = await checkedMember(request, rootOf(member, request.body));
  const id = services.newId();
  const accepted = await submit(request, loadBalancerId, (skeleton) => {
    const { pool, touch } = targetPool(skeleton, param(request, 'pool_id'));
    refuseUnfit(attributes, pool.row.protocol, skeleton.loadBalancer, services.config);
    const row = newMember(attributes, poolRef(pool), id, services.clock.now());
    return { create: [{ kind: 'member', row }], claims: [addressClaim(row)], touch, quota: { made: { member: 1 } } };
  });
  return { status: 201, body: { member: memberResponse(rowWritten(accepted, 'member', id)) } };
}

async function found(request: ApiRequest): Promise<MemberRow> {
  await pooled(request);
  const id = param(request, 'member_id');
  const row = await readChild(request.services.table, 'member', id);
  if (row?.pool_id !== param(request, 'pool_id')) throw notFound('Member', id);
  request.authorize(row.project_id);
  return row;
}

const show = async (request: ApiRequest): Promise<ApiResponse> => ({
  status: 200,
  body: { member: withFields(request, memberResponse(await found(request))) },
});

/** Beyond Octavia, which counts by listener. */
async function statistics(request: ApiRequest): Promise<ApiResponse> {
  const { id, load_balancer_id } = await found(request);
  const { table } = request.services;
  const amphoraIds = (await readLoadBalancer(table, load_balancer_id))?.amphora_ids ?? [];
  return { status: 200, body: { stats: await readMemberStatistics(table, load_balancer_id, id, amphoraIds) } };
}

/** Reads the member in its load balancer's turn, so that what is judged is what is written. */
async function memberNow(request: ApiRequest): Promise<Child<'member'>> {
  const row = await readChild(request.services.table, 'member', param(request, 'member_id'));
  if (row?.pool_id !== param(request, 'pool_id')) throw notFound('Member', param(request, 'member_id'));
  const wanted = asWanted(row);
  refuseWhileDeleting('Member', wanted);
  return { kind: 'member', row: wanted };
}

async function update(request: ApiRequest): Promise<ApiResponse> {
  const loadBalancerId = await pooled(request);
  const set = parseUpdate(member, rootOf(member, request.body));
  if (set.monitor_address) refuseReservedAddress(set.monitor_address);
  const accepted = await submit(request, loadBalancerId, async (skeleton) => {
    const child = await memberNow(request);
    return { update: [{ child, set }], touch: targetPool(skeleton, child.row.pool_id).touch };
  });
  return { status: 200, body: { member: memberResponse(rowWritten(accepted, 'member', param(request, 'member_id'))) } };
}

async function remove(request: ApiRequest): Promise<ApiResponse> {
  const loadBalancerId = await pooled(request);
  await submit(request, loadBalancerId, async (skeleton) => {
    const child = await memberNow(request);
    // The address is free from now on: a member that takes it is applied after this one is gone.
    return {
      remove: [child],
      releases: [addressClaim(child.row).key],
      touch: targetPool(skeleton, child.row.pool_id).touch,
    };
  });
  return { status: 204 };
}

async function list(request: ApiRequest): Promise<ApiResponse> {
  const { table } = request.services;
  const poolId = param(request, 'pool_id');
  const loadBalancerId = await pooled(request);
  const pool = await readChild(table, 'pool', poolId);
  request.authorize(pool?.project_id ?? null);
  const rows = await readMembers(table, loadBalancerId, poolId);
  return {
    status: 200,
    body: await listBody(request, { plural: 'members', rows, show: memberResponse, known: scalarNames(member) }),
  };
}

const place = (one: { address: string; protocol_port: number }): string => `${one.address} ${one.protocol_port}`;

/** @throws ApiError 400 for the same member twice */
function refuseTwins(wanted: MemberAttributes[]): void {
  const seen = new Set<string>();
  for (const one of wanted) {
    if (seen.has(place(one))) {
      throw invalid(`Member ${one.address}:${one.protocol_port} has been updated multiple times in the same request.`);
    }
    seen.add(place(one));
  }
}

/** What turns the members there are into those wanted; a member is known by its address and port. */
function batchChange(
  pool: PoolRef,
  present: MemberRow[],
  wanted: MemberAttributes[],
  isAdditive: boolean,
  newId: () => string,
  now: number,
): TreeChange {
  const living = present.filter((row) => row.provisioning_status !== 'PENDING_DELETE');
  const byPlace = new Map(living.map((row) => [place(row), row]));
  const wantedPlaces = new Set(wanted.map(place));
  const create = wanted.filter((one) => !byPlace.has(place(one))).map((one) => newMember(one, pool, newId(), now));
  const update = wanted.flatMap((one) => {
    const row = byPlace.get(place(one));
    if (row === undefined) return [];
    const { address: _a, protocol_port: _p, subnet_id: _s, request_sriov: _r, project_id: _o, ...set } = one;
    const isSame = Object.entries(set).every(
      ([name, value]) => JSON.stringify(row[name as keyof MemberRow] ?? null) === JSON.stringify(value ?? null),
    );
    // What was left behind in ERROR is asked for again.
    return isSame && row.waits_for === undefined ? [] : [{ child: { kind: 'member' as const, row }, set }];
  });
  const remove = isAdditive ? [] : living.filter((row) => !wantedPlaces.has(place(row)));
  return {
    create: create.map((row) => ({ kind: 'member', row })),
    claims: create.map(addressClaim),
    update,
    remove: remove.map((row) => ({ kind: 'member', row })),
    releases: remove.map((row) => addressClaim(row).key),
    quota: { made: { member: create.length }, removed: { member: isAdditive ? 0 : remove.length } },
  };
}

const isNothing = (change: TreeChange): boolean =>
  [change.create, change.update, change.remove].every((part) => (part ?? []).length === 0);

/** Thrown out of a change that turns out to be none. */
class NothingToDo extends Error {
  override readonly name = 'NothingToDo';
}

async function batch(request: ApiRequest): Promise<ApiResponse> {
  const { services } = request;
  const poolId = param(request, 'pool_id');
  const loadBalancerId = await pooled(request);
  const wanted = await wantedMembers(request);
  const isAdditive = asBoolean(request.query.get('additive_only') ?? 'false');
  const { clock, newId, table } = services;
  try {
    await submit(request, loadBalancerId, async (skeleton) => {
      const { pool, touch } = targetPool(skeleton, poolId);
      for (const one of wanted) refuseUnfit(one, pool.row.protocol, skeleton.loadBalancer, services.config);
      const present = (await readMembers(table, loadBalancerId, poolId)).map(asWanted);
      const change = batchChange(poolRef(pool), present, wanted, isAdditive, newId, clock.now());
      if (isNothing(change)) throw new NothingToDo();
      return { ...change, touch };
    });
  } catch (error) {
    if (!(error instanceof NothingToDo)) throw error;
  }
  return { status: 202 };
}

async function wantedMembers(request: ApiRequest): Promise<MemberAttributes[]> {
  const { members } = (request.body ?? {}) as { members?: unknown };
  if (!Array.isArray(members)) throw new ApiError(400, 'Missing argument: "members_"');
  const wanted: MemberAttributes[] = [];
  for (const one of members) wanted.push(await checkedMember(request, one));
  refuseTwins(wanted);
  return wanted;
}

export const routes = {
  'GET /v2.0/lbaas/pools/{pool_id}/members': list,
  'POST /v2.0/lbaas/pools/{pool_id}/members': create,
  'PUT /v2.0/lbaas/pools/{pool_id}/members': batch,
  'GET /v2.0/lbaas/pools/{pool_id}/members/{member_id}': show,
  'GET /v2.0/lbaas/pools/{pool_id}/members/{member_id}/stats': statistics,
  'PUT /v2.0/lbaas/pools/{pool_id}/members/{member_id}': update,
  'DELETE /v2.0/lbaas/pools/{pool_id}/members/{member_id}': remove,
} satisfies Routes;
