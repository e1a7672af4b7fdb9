// Controller worker, the part that changes configurations: the newest generation wins, earlier messages for a load balancer find
// their work done. Lives in the VPC, since it talks to amphorae.
import { announceTransitions } from '../controller/announce.ts';
import { applyConfiguration } from '../controller/apply-configuration.ts';
import { type ApplyMessage, requestOperation } from '../controller/requests.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import { StaleConfiguration } from '../drivers/amphora/amphora-driver.ts';
import { readAmphorae } from '../repositories/amphorae.ts';
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

/** Done before, not wanted any more, or somebody else's. */
function isIdle(row: LoadBalancerRow, { generation, is_lost }: Wanted, now: number): boolean {
  if (row.provisioning_status === 'PENDING_DELETE') return true;
  if (row.applied_generation >= generation && row.provisioning_status === 'ACTIVE' && !is_lost) return true;
  // The flow that holds it sees the new generation when it commits, and sets it going.
  return row.lease !== null && row.lease.until > now;
}

async function allocated(services: Services, ids: string[]) {
  const amphorae = await readAmphorae(services.table, ids);
  return amphorae.map(({ id, lb_network_ip }) => ({ id, lb_network_ip: lb_network_ip ?? '' }));
}

async function applyNewest(services: Services, loadBalancerId: string, wanted: Wanted): Promise<void> {
  const row = await readLoadBalancer(services.table, loadBalancerId);
  if (row === undefined || isIdle(row, wanted, services.clock.now())) return;
  if (row.amphora_ids.length === 0) return requestOperation(services, row);
  const applied = await applyUnlessOvertaken(services, row);
  if (applied === undefined) return;
  const { transitions } = await commitApplied(services, applied.tree, applied, {
    operation_timeout_ms: services.config.operation_timeout_ms,
  });
  await announceTransitions(services, row, transitions);
}

/** Whoever pushed a newer generation commits it. */
async function applyUnlessOvertaken(services: Services, row: LoadBalancerRow) {
  try {
    return await applyConfiguration(services, row.id, (tree) => allocated(services, tree.loadBalancer.amphora_ids));
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
