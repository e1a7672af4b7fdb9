// Looks at the health of amphorae more often than a schedule can, and no more often than there is something to look at: a message
// that is due in seconds leads to the next look, and the schedule begins a chain of them anew when it broke.
import type { EventBridgeEvent, SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { beginChain, type Link, takeLink } from '../repositories/scan-chains.ts';
import type { Services } from '../runtime/services.ts';
import { sqsHandler } from '../runtime/sqs-batch.ts';
import { type ScanResult, scanHealth } from './scan.ts';

/** A chain that did not move for so many pauses is broken: its message is lost, or dead. */
const brokenAfterPauses = 3;

/** Should it not be sent, the schedule finds the chain broken. */
async function lead({ queue, config, logger }: Services, { chain, number }: Link): Promise<void> {
  const delaySeconds = Math.max(1, Math.round(config.health_scan_chain_ms / 1_000));
  const message = { group: chain, deduplication: `${chain}-${number}`, body: { chain, number }, delaySeconds };
  await queue.send('scans', message).catch((error) => logger.warn('the next scan was not sent', { error }));
}

async function follow(services: Services, link: Link): Promise<void> {
  if (!(await takeLink(services, link))) return;
  let isIdle = false;
  try {
    isIdle = (await scanHealth(services)).amphorae === 0;
  } finally {
    if (!isIdle) await lead(services, { chain: link.chain, number: link.number + 1 });
  }
}

async function scanOnSchedule(services: Services): Promise<ScanResult> {
  const result = await scanHealth(services);
  const { clock, config, newId } = services;
  const since = clock.now() - brokenAfterPauses * config.health_scan_chain_ms;
  const chain = newId();
  if (result.amphorae > 0 && (await beginChain(services, chain, since))) await lead(services, { chain, number: 1 });
  return result;
}

type ScanEvent = SQSEvent | EventBridgeEvent<'Scheduled Event', unknown>;

/** Takes the schedule's events and the chain's messages. */
export function scanChainHandler(services: Services) {
  const onMessages = sqsHandler<Link>(
    services.logger,
    ({ chain, number }) => `${chain}-${number}`,
    (_, [link]) => follow(services, link!),
  );
  return (event: ScanEvent): Promise<SQSBatchResponse | ScanResult> =>
    'Records' in event ? onMessages(event) : scanOnSchedule(services);
}
