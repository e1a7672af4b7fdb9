// The first write of a load balancer, alone or with everything below it.

import type { ListenerRow } from '../domain/listener.ts';
import { portClass } from '../domain/listener.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import type { MemberRow } from '../domain/member.ts';
import { type QuotaDelta, type QuotaLimits, type QuotaResource, quotaMet } from '../domain/quota.ts';
import type { Child } from '../domain/tree.ts';
import { limits, type Operation, TransactionCancelled } from '../drivers/table/table.ts';
import { useWritten } from './certificate-references.ts';
import { accepted, createOperations } from './changes.ts';
import { choicesTaken } from './choices.ts';
import { RowChanged, untilWon } from './contention.ts';
import { beginWritingOut, dropIntent, putIntentAside } from './intents.ts';
import { addressKey, portKey } from './keys.ts';
import { newLoadBalancerItem } from './load-balancers.ts';
import { quotaTaken } from './quotas.ts';
import type { Store } from './store.ts';

/** Names only one child may have; in a partition that is new nobody can have them. */
function claimed({ kind, row }: Child): Operation[] {
  if (kind === 'listener') {
    const { protocol, protocol_port } = row as ListenerRow;
    return [{ kind: 'put', item: { ...portKey(row.load_balancer_id, portClass(protocol), protocol_port) } }];
  }
  if (kind !== 'member') return [];
  const { pool_id, address, protocol_port } = row as MemberRow;
  return [{ kind: 'put', item: { ...addressKey(row.load_balancer_id, pool_id, address, protocol_port) } }];
}

/** Octavia does not ask for these when they come with their load balancer; they count all the same. */
const unlimited: readonly QuotaResource[] = ['l7policy', 'l7rule'];

/**
 * Writes a load balancer with its children, all or nothing.
 * @throws ApiError 403 when the quota is met
 */
export async function createLoadBalancer(
  store: Store,
  row: LoadBalancerRow,
  children: Child[],
  delta: QuotaDelta,
  defaults: QuotaLimits,
): Promise<void> {
  const below = children.flatMap((child) => {
    const made = { ...child, row: accepted(child.row, row.generation) } as Child;
    return [...createOperations(made), ...claimed(child), ...useWritten(made)];
  });
  const choices = choicesTaken(row);
  const isLarge = below.length + choices.length + 2 > limits.operationsPerTransaction;
  const intents = isLarge ? [store.newId()] : [];
  if (isLarge) await putIntentAside(store, row.id, intents[0]!, below);
  const item = newLoadBalancerItem({ ...row, intents });
  const written = untilWon(store, row.id, async () => {
    const quota = await quotaTaken(store.table, row.project_id, { made: delta, unlimited }, defaults);
    const first: Operation[] = [{ kind: 'put', item, when: { exists: false } }, ...(quota ? [quota] : []), ...choices];
    try {
      await store.table.transact(isLarge ? first : [...first, ...below]);
    } catch (error) {
      throw refusalOf(error, delta);
    }
  });
  try {
    await written;
  } catch (error) {
    if (isLarge) await dropIntent(store, row.id, intents[0]!, error);
    throw error;
  }
  if (isLarge) await beginWritingOut(store, row.id);
}

/** The counter moved between the look and the write: the next look tells whether the limit is met. */
function refusalOf(error: unknown, delta: QuotaDelta): unknown {
  const isQuota = error instanceof TransactionCancelled && error.reasons[1]?.code === 'ConditionalCheckFailed';
  return isQuota ? new RowChanged(quotaMet(Object.keys(delta) as QuotaResource[]).message, { cause: error }) : error;
}
