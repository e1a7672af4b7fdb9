// Housekeeping, the last net: whatever is PENDING past its deadline is set going again, and ended when that did not help.
import { announce } from '../controller/announce.ts';
import { eachInTurn } from '../controller/each-in-turn.ts';
import { markLost } from '../controller/failover.ts';
import { requestWhatIsPending } from '../controller/requests.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import type { FlowName } from '../drivers/flows/flow-driver.ts';
import { commitFailed } from '../repositories/leftovers.ts';
import { changeLoadBalancer } from '../repositories/load-balancers.ts';
import { readExpired, readPending } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';

/** A flow that still runs ends by its own time limit at the latest. */
async function isStillWorking(services: Services, { lease }: LoadBalancerRow): Promise<boolean> {
  if (lease === null || lease.until <= services.clock.now()) return false;
  const execution = await services.flows.describe(lease.flow as FlowName, lease.execution);
  return execution?.state === 'RUNNING';
}

/** Another attempt, with its own name and its own time, and without the lease of one that died. */
async function again(services: Services, seen: LoadBalancerRow): Promise<LoadBalancerRow | undefined> {
  const now = services.clock.now();
  const change = await changeLoadBalancer(services, seen.id, (row) => {
    if (row.operation === null || row.operation.deadline > now) return undefined;
    // The index is behind the table: a flow that took the load balancer since was not asked whether it runs.
    if (row.lease?.execution !== seen.lease?.execution) return undefined;
    const operation = {
      ...row.operation,
      attempts: row.operation.attempts + 1,
      deadline: now + services.config.operation_timeout_ms,
    };
    return { operation, lease: null };
  });
  return change?.after;
}

/** Asks for what a load balancer waits for once more, or ends it in ERROR. */
export async function reconcileLoadBalancer(services: Services, row: LoadBalancerRow): Promise<void> {
  if (await isStillWorking(services, row)) return;
  const { operation } = row;
  if (operation === null) return;
  // A deletion is never given up: it is what is left to do with a load balancer that nothing else helped.
  if (operation.attempts + 1 >= services.config.operation_attempts && operation.kind !== 'delete') {
    const reason = `${operation.kind} did not end within ${services.config.operation_attempts} attempts`;
    const { id: operation_id, attempts } = operation;
    const execution = row.lease?.execution;
    await markLost(services, row);
    const transitions = await commitFailed(services, row.id, reason, { operation_id, attempts, execution });
    if (transitions.length === 0) return;
    await announce(services, row, 'operation_expired', 'loadbalancer', row.id, { reason }, operation_id);
    return;
  }
  const after = await again(services, row);
  if (after) await requestWhatIsPending(services, after);
}

async function measurePending(services: Services): Promise<void> {
  const asked = (await readPending(services.table)).flatMap(({ operation }) => operation?.requested_at ?? []);
  if (asked.length === 0) return;
  await services.metrics.put({ OldestPendingSeconds: (services.clock.now() - Math.min(...asked)) / 1_000 });
}

export async function reconcile(services: Services): Promise<number> {
  await measurePending(services);
  const expired = await readExpired(services.table, services.clock.now());
  await eachInTurn('load balancers past their deadline were left', expired, (row) =>
    reconcileLoadBalancer(services, row),
  );
  return expired.length;
}

/** Told by an EventBridge rule (on one machine by the interpreter) that an execution ended other than well. */
export interface FlowEnded {
  detail: { name: string; status: string; input: string };
}

/** A flow that ended without its own revert, by its time limit or because it was stopped, leaves its lease behind. */
export const flowEndedHandler =
  (services: Services) =>
  async ({ detail }: FlowEnded): Promise<void> => {
    const { load_balancer_id } = JSON.parse(detail.input) as { load_balancer_id?: string };
    if (typeof load_balancer_id !== 'string') return;
    const change = await changeLoadBalancer(services, load_balancer_id, (row) => {
      if (row.lease?.execution !== detail.name || row.operation === null) return undefined;
      return { operation: { ...row.operation, deadline: services.clock.now() }, lease: null };
    });
    if (change) await reconcileLoadBalancer(services, change.after);
  };
