// Housekeeping, purge: what is left of load balancers that were deleted long ago.
import { timestamp } from '../domain/time.ts';
import { purgePartition, readDeletedBefore } from '../repositories/purge.ts';
import type { Services } from '../runtime/services.ts';

/** @returns how many load balancers were purged */
export async function purgeDeleted(services: Services): Promise<number> {
  const before = timestamp(services.clock.now() - services.config.load_balancer_expiry_ms);
  const ids = await readDeletedBefore(services.table, before);
  for (const id of ids) await purgePartition(services.table, id);
  return ids.length;
}
