// Housekeeping, purge: what is left of load balancers that were deleted long ago, and what has ended by itself. So many of each kind a
// round, the oldest first, by indexes that are empty when there is nothing to do.
import { timestamp } from '../domain/time.ts';
import { limits } from '../drivers/table/table.ts';
import { sweepKeys } from '../repositories/idempotency.ts';
import { purgePartition, readDeletedBefore } from '../repositories/purge.ts';
import { purgeRollouts } from '../repositories/rollouts.ts';
import { sweepRevocations } from '../repositories/tokens.ts';
import type { Services } from '../runtime/services.ts';

/** @returns how many load balancers were purged */
export async function purgeDeleted(services: Services): Promise<number> {
  const { load_balancer_expiry_ms, purges_per_round } = services.config;
  const before = timestamp(services.clock.now() - load_balancer_expiry_ms);
  const ids = await readDeletedBefore(services.table, before, purges_per_round);
  for (const id of ids) await purgePartition(services.table, id);
  return ids.length;
}

/** Of amphorae nothing is left when they end; these say by themselves when they have ended, but roll-outs. */
export async function purgeEnded(services: Services) {
  const { purges_per_round, rollout_expiry_ms } = services.config;
  const limit = Math.min(purges_per_round, limits.operationsPerTransaction);
  const before = timestamp(services.clock.now() - rollout_expiry_ms);
  return {
    revocations: await sweepRevocations(services, limit),
    idempotency_keys: await sweepKeys(services, limit),
    rollouts: await purgeRollouts(services.table, before, limit),
  };
}
