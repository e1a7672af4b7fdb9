// Members of pools that are machines of Auto Scaling groups: registered and taken back as a write of a user would be, in the same
// transactions, under ids that follow from machine, pool and port, so that no machine is there twice.
import { policyOf } from '../controller/change-policy.ts';
import { addressClaim, newMember, poolRef } from '../controller/members.ts';
import { requestWhatIsPending } from '../controller/requests.ts';
import { stableId } from '../controller/status-news.ts';
import { ApiError, notFound } from '../domain/errors.ts';
import { vipAddresses } from '../domain/listener-rules.ts';
import { member, refuseOtherFamily, refuseReservedAddress } from '../domain/member.ts';
import { parseCreate } from '../domain/resource.ts';
import { asWanted } from '../domain/row.ts';
import type { Registration } from '../domain/scaled-instance.ts';
import { type Child, listenersUsing, type Skeleton } from '../domain/tree.ts';
import { changeTree, type TreeChange } from '../repositories/changes.ts';
import { readChild, readMembers, readPointer } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';

/** EC2 does not show the machine to everybody yet, it has no address, or has not left since it was here before: the event comes again. */
export class InstanceNotReady extends Error {
  override readonly name = 'InstanceNotReady';
}

/** Leaves a change that turns out to be none. */
class NothingToDo extends Error {
  override readonly name = 'NothingToDo';
}

export const memberIdOf = (instanceId: string, { pool_id, protocol_port }: Registration): string =>
  stableId('scaled member', instanceId, pool_id, String(protocol_port));

type Decide = (skeleton: Skeleton, pool: Child<'pool'>) => TreeChange | Promise<TreeChange>;

/** @returns whether anything was written. @throws ApiError as the API does */
async function changePool(services: Services, poolId: string, decide: Decide): Promise<boolean> {
  const pointer = await readPointer(services.table, poolId);
  if (pointer?.kind !== 'pool') throw notFound('Pool', poolId);
  try {
    // Nobody waits for the answer to try again.
    const policy = { ...policyOf(services.config), conflict_policy: 'queue' as const };
    const accepted = await changeTree(services, policy, pointer.load_balancer_id, (skeleton) => {
      const row = skeleton.pools.find(({ id }) => id === poolId);
      if (row === undefined || row.provisioning_status === 'PENDING_DELETE') throw notFound('Pool', poolId);
      return decide(skeleton, { kind: 'pool', row });
    });
    await requestWhatIsPending(services, accepted.loadBalancer);
    return true;
  } catch (error) {
    if (error instanceof NothingToDo) return false;
    throw error;
  }
}

const touched = (skeleton: Skeleton, pool: Child<'pool'>): Child[] => [
  pool,
  ...listenersUsing(skeleton, pool.row.id).map((row): Child => ({ kind: 'listener', row })),
];
const touch = (skeleton: Skeleton, pool: Child<'pool'>) => touched(skeleton, pool).map((child) => ({ child }));

export interface Machine {
  instance_id: string;
  address: string;
  project_id: string;
}

/** @throws ApiError when the pool is none of the project's, or takes no such member */
export function registerMember(services: Services, machine: Machine, registration: Registration): Promise<boolean> {
  const { instance_id, address, project_id } = machine;
  const { pool_id, protocol_port } = registration;
  const attributes = parseCreate(member, { name: instance_id, address, protocol_port });
  refuseReservedAddress(address);
  const id = memberIdOf(instance_id, registration);
  return changePool(services, pool_id, async (skeleton, pool) => {
    // As if it were not there: who tags a machine learns nothing of other projects.
    if (pool.row.project_id !== project_id) throw notFound('Pool', pool_id);
    const present = await readChild(services.table, 'member', id);
    if (present && asWanted(present).provisioning_status === 'PENDING_DELETE')
      throw new InstanceNotReady(`member ${id} of machine ${instance_id} still leaves`);
    if (present) throw new NothingToDo();
    refuseOtherFamily(address, pool.row.protocol, vipAddresses(skeleton.loadBalancer), services.config);
    const row = newMember(attributes, poolRef(pool), id, services.clock.now());
    const change = { create: [{ kind: 'member' as const, row }], claims: [addressClaim(row)] };
    return { ...change, touch: touch(skeleton, pool), quota: { made: { member: 1 } } };
  });
}

/** What is gone is gone, by whomever; and with a load balancer that is being deleted goes what is below it. */
export async function removeMember(
  services: Services,
  instanceId: string,
  registration: Registration,
): Promise<boolean> {
  const id = memberIdOf(instanceId, registration);
  try {
    return await changePool(services, registration.pool_id, async (skeleton, pool) => {
      const found = await readChild(services.table, 'member', id);
      const row = found && asWanted(found);
      if (row === undefined || row.provisioning_status === 'PENDING_DELETE') throw new NothingToDo();
      return {
        remove: [{ kind: 'member', row }],
        releases: [addressClaim(row).key],
        touch: touch(skeleton, pool),
      };
    });
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 409)) return false;
    throw error;
  }
}

/**
 * The machine that has the address now is another one, whose end nobody told of: news of Auto Scaling may be lost.
 * @returns whether a member of such a machine was taken out
 */
export async function removePredecessor(
  services: Services,
  machine: Machine,
  registration: Registration,
): Promise<boolean> {
  const pointer = await readPointer(services.table, registration.pool_id);
  if (pointer?.kind !== 'pool') return false;
  const members = await readMembers(services.table, pointer.load_balancer_id, registration.pool_id);
  const before = members.find(
    (one) => one.address === machine.address && one.protocol_port === registration.protocol_port,
  );
  if (before === undefined || before.name === machine.instance_id) return false;
  return before.id === memberIdOf(before.name, registration) && removeMember(services, before.name, registration);
}
