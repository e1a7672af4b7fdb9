// Controller worker, the part that changes configurations: the newest generation wins, earlier messages for a load balancer find
// their work done. Lives in the VPC, since it talks to amphorae.

import { addressesOf } from '../controller/addresses.ts';
import { applyConfiguration } from '../controller/apply-configuration.ts';
import { markAllFound } from '../controller/failover.ts';
import { type ApplyMessage, requestOperation } from '../controller/requests.ts';
import { isAfterFailover, type LoadBalancerRow } from '../domain/load-balancer.ts';
import { StaleConfiguration } from '../drivers/amphora/amphora-driver.ts';
import { commitApplied } from '../repositories/commits.ts';
import { readLoadBalancer } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import { type SqsHandler, sqsHandler } from '../runtime/sqs-batch.ts';

/** The newest of what the messages ask for. */
type Wanted = Pick<ApplyMessage, 'generation' | 'is_lost'>;

const newestOf = (bodies: ApplyMessage[]): Wanted => ({
  generation: Math.max(...bodies.map((body) => body.generation)),
  ...(bodies.some((body) => body.is_lost) ? { is_lost: true } : {}),
});

/** Beside a flow: who serves a pair that is restored. Whatever else a flow holds it sets going itself, when it commits. */
const servingIds = ({ lease }: LoadBalancerRow, { generation }: Wanted): string[] | undefined =>
  lease?.serving && lease.serving.applied_generation < generation ? lease.serving.amphora_ids : undefined;

/** Whom to apply it to; undefined when it was done before, is not wanted any more, or is somebody else's. */
function targetsOf(row: LoadBalancerRow, wanted: Wanted, now: number): string[] | undefined {
  const { provisioning_status, applied_generation, lease } = row;
  if (provisioning_status === 'PENDING_DELETE' || isAfterFailover(row)) return undefined;
  if (lease !== null && lease.until > now) return servingIds(row, wanted);
  const isDone = applied_generation >= wanted.generation && provisioning_status === 'ACTIVE';
  return isDone && !wanted.is_lost ? undefined : row.amphora_ids;
}

async function applyNewest(services: Services, loadBalancerId: string, wanted: Wanted): Promise<void> {
  const row = await readLoadBalancer(services.table, loadBalancerId);
  const targets = row && targetsOf(row, wanted, services.clock.now());
  if (row === undefined || targets === undefined) return;
  if (targets.length === 0) return requestOperation(services, row);
  const applied = await applyUnlessOvertaken(services, row.id, targets);
  if (applied === undefined) return;
  if (targets === row.amphora_ids) await markAllFound(services, row);
  await commitApplied(services, applied.tree, applied, {
    operation_timeout_ms: services.config.operation_timeout_ms,
  });
}

/** Whoever pushed a newer generation commits it. */
async function applyUnlessOvertaken(services: Services, loadBalancerId: string, amphoraIds: string[]) {
  try {
    return await applyConfiguration(services, loadBalancerId, () => addressesOf(services, amphoraIds));
  } catch (error) {
    if (error instanceof StaleConfiguration) return undefined;
    throw error;
  }
}

export const applyConfigurationHandler = (services: Services): SqsHandler =>
  sqsHandler<ApplyMessage>(
    services.logger,
    (body) => body.load_balancer_id,
    (loadBalancerId, bodies) => applyNewest(services, loadBalancerId, newestOf(bodies)),
  );
