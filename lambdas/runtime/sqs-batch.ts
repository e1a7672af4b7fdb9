// A Lambda's end of an SQS queue: each message on its own, what failed goes back and nothing else does.
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { correlated } from './correlation.ts';
import type { Logger } from './logger.ts';

export type SqsHandler = (event: SQSEvent) => Promise<SQSBatchResponse>;

/** Groups of messages that mean the same work: the key of a message's work, and its body. */
export interface Work<T> {
  key: string;
  bodies: T[];
}

/**
 * Runs the messages of a batch, those of one key together and once.
 * @param keyOf whose work a message is; of messages with one key all fail when it fails
 * @param run may answer which of the bodies go back
 */
export function sqsHandler<T>(
  logger: Logger,
  keyOf: (body: T) => string,
  // biome-ignore lint/suspicious/noConfusingVoidType: who works all or nothing answers nothing
  run: (key: string, bodies: T[]) => Promise<void | ReadonlySet<T>>,
): SqsHandler {
  return async (event) => {
    const groups = new Map<string, { records: SQSRecord[]; bodies: T[] }>();
    const senseless: SQSRecord[] = [];
    for (const record of event.Records) {
      const body = parsed<T>(record);
      if (body === undefined) senseless.push(record);
      else addTo(groups, keyOf(body), record, body);
    }
    const failed = await Promise.all(
      // Of messages that are one work the newest names it.
      [...groups].map(([key, { records, bodies }]) =>
        correlated('message', bodies.at(-1), async () => {
          try {
            const goBack = await run(key, bodies);
            return records.filter((_, index) => goBack?.has(bodies[index]!));
          } catch (error) {
            logger.warn('work failed and goes back to its queue', { key, error });
            return records;
          }
        }),
      ),
    );
    const back = [...senseless, ...failed.flat()];
    return { batchItemFailures: back.map(({ messageId }) => ({ itemIdentifier: messageId })) };
  };
}

/** undefined for what is no object: it goes back until the queue puts it with the dead letters. */
function parsed<T>({ body }: SQSRecord): T | undefined {
  try {
    return (JSON.parse(body) as T | null) ?? undefined;
  } catch {
    return undefined;
  }
}

function addTo<T>(
  groups: Map<string, { records: SQSRecord[]; bodies: T[] }>,
  key: string,
  record: SQSRecord,
  body: T,
): void {
  const group = groups.get(key) ?? { records: [], bodies: [] };
  group.records.push(record);
  group.bodies.push(body);
  groups.set(key, group);
}
