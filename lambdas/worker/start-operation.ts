// Controller worker, the part that starts flows: what a load balancer's row asks for is started once, when nobody holds it.
import { createHash } from 'node:crypto';
import type { FilterMessage, OperationMessage } from '../controller/requests.ts';
import { filterVip } from '../controller/vip-filter.ts';
import { NotReady } from '../domain/errors.ts';
import type { LoadBalancerRow, OperationKind } from '../domain/load-balancer.ts';
import type { FlowName } from '../drivers/flows/flow-driver.ts';
import { takeLease } from '../repositories/leases.ts';
import { readLoadBalancer } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import { type SqsHandler, sqsHandler } from '../runtime/sqs-batch.ts';

const flows: Record<Exclude<OperationKind, 'update'>, FlowName> = {
  create: 'create-load-balancer',
  delete: 'delete-load-balancer',
  failover: 'failover-load-balancer',
};

/** The same attempt at the same operation has the same name, so starting it twice starts it once. At most 80 characters. */
const executionName = (row: LoadBalancerRow): string => {
  const { id, attempts, kind } = row.operation!;
  const digest = createHash('sha256').update(`${id}-${attempts}`).digest('hex').slice(0, 24);
  return `${kind}-${row.id}-${digest}`;
};

async function start(services: Services, loadBalancerId: string, operationId: string): Promise<void> {
  const row = await readLoadBalancer(services.table, loadBalancerId);
  if (row?.operation?.id !== operationId || row.operation.kind === 'update') return;
  const flow = flows[row.operation.kind];
  const execution = executionName(row);
  const until = services.clock.now() + services.config.flow_timeout_ms;
  const isWanted = (now: LoadBalancerRow) =>
    now.operation?.id === operationId && now.operation.attempts === row.operation?.attempts;
  const held = await takeLease(services, loadBalancerId, { flow, execution, until }, isWanted);
  if (held === undefined) return;
  const { amphora_id, request_id } = row.operation;
  await services.flows.start(flow, execution, {
    load_balancer_id: loadBalancerId,
    operation_id: operationId,
    execution,
    ...(amphora_id !== undefined && { amphora_id }),
    ...(request_id !== undefined && { request_id }),
  });
  services.logger.info('flow is started', { flow, execution });
}

/** Whoever holds the load balancer asks for what is still wanted when it lets go. */
async function startUnlessHeld(
  services: Services,
  { load_balancer_id, operation_id }: OperationMessage,
): Promise<void> {
  try {
    await start(services, load_balancer_id, operation_id);
  } catch (error) {
    if (!(error instanceof NotReady)) throw error;
    services.logger.info('operation waits for its load balancer', { load_balancer_id, operation_id });
  }
}

type Body = OperationMessage | FilterMessage;

export const startOperationHandler = (services: Services): SqsHandler =>
  sqsHandler<Body>(
    services.logger,
    (body) => `${body.load_balancer_id}/${'filter' in body ? 'filter' : body.operation_id}`,
    async (_key, [body]) =>
      'filter' in body! ? filterVip(services, body.load_balancer_id) : startUnlessHeld(services, body!),
  );
