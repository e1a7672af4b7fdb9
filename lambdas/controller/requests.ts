// Sets work going: a configuration to be applied, a flow to be started. A message that is lost costs time, not work: the row of
// the load balancer says what is wanted, and the reconciler reads it.
import type { LogArchive } from '../../amphora/agent-api.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import { origin } from '../runtime/correlation.ts';
import type { Services } from '../runtime/services.ts';

type Requester = Pick<Services, 'queue' | 'logger'>;

async function sent(services: Requester, what: string, send: Promise<void>): Promise<void> {
  try {
    await send;
  } catch (error) {
    services.logger.warn(`${what} was not sent; the reconciler will find it`, { error });
  }
}

export interface ApplyMessage {
  load_balancer_id: string;
  generation: number;
  /** An amphora lost it after it was applied. */
  is_lost?: true;
}

export interface OperationMessage {
  load_balancer_id: string;
  operation_id: string;
}

export interface ArchiveMessage {
  amphora_id: string;
  archives: LogArchive[];
}

/** The rights to put archives of logs. Not sent, they are announced again. @param sign distinguishes what told of them */
export function requestRights(services: Requester, body: ArchiveMessage, sign: string): Promise<void> {
  const { amphora_id: group } = body;
  const message = { group, deduplication: `${group}-${sign}`, body: { ...body, ...origin() } };
  return sent(services, 'announcement of archives', services.queue.send('archives', message));
}

/** @param again distinguishes the same request made once more */
export function requestApply(
  services: Requester,
  { id, generation, operation }: LoadBalancerRow,
  again = '',
): Promise<void> {
  const body: ApplyMessage = { load_balancer_id: id, generation };
  // What the reconciler asks for again must not be dropped as a repetition.
  const deduplication = `${id}-${generation}-${operation?.attempts ?? 0}${again}`;
  return sent(
    services,
    'configuration to apply',
    services.queue.send('work', { group: id, deduplication, body: { ...body, ...origin() } }),
  );
}

/** The generation that was applied, for an amphora that does not have it any more. @param sign distinguishes what told of it */
export function requestApplyAgain(services: Requester, row: LoadBalancerRow, sign: string): Promise<void> {
  const { id, generation } = row;
  const body: ApplyMessage = { load_balancer_id: id, generation, is_lost: true };
  const deduplication = `${id}-${generation}-lost-${sign}`;
  return sent(
    services,
    'configuration that was lost',
    services.queue.send('work', { group: id, deduplication, body: { ...body, ...origin() } }),
  );
}

export function requestOperation(services: Requester, { id, operation }: LoadBalancerRow, again = ''): Promise<void> {
  if (operation === null) return Promise.resolve();
  const body: OperationMessage = { load_balancer_id: id, operation_id: operation.id };
  const deduplication = `${operation.id}-${operation.attempts}${again}`;
  return sent(
    services,
    operation.kind,
    services.queue.send('operations', { group: id, deduplication, body: { ...body, ...origin() } }),
  );
}

export interface FilterMessage {
  load_balancer_id: string;
  filter: true;
}

/**
 * In a group of its own: what the network is slow to take does not keep a failover waiting.
 * @param sign distinguishes what told of the change
 * @throws DriverError when the queue does not take it, so that whoever tells of the change tells again
 */
export function requestFilter({ queue }: Requester, load_balancer_id: string, sign: string): Promise<void> {
  const body: FilterMessage = { load_balancer_id, filter: true };
  const group = `filter-${load_balancer_id}`;
  return queue.send('operations', { group, deduplication: `${group}-${sign}`, body: { ...body, ...origin() } });
}

/** Whatever a PENDING load balancer waits for. @param again distinguishes the same request made once more */
export function requestWhatIsPending(services: Requester, row: LoadBalancerRow, again = ''): Promise<void> {
  if (row.operation === null) return Promise.resolve();
  // The flow restores the pair, and is not waited for.
  if (row.operation.kind === 'failover' && row.lease?.serving) return requestApply(services, row, again);
  const request = row.operation.kind === 'update' ? requestApply : requestOperation;
  return request(services, row, again);
}
