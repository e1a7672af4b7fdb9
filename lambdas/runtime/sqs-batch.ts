// A Lambda's end of an SQS queue: each message on its own, what failed goes back and nothing else does.
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
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
 */
export function sqsHandler<T>(
  logger: Logger,
  keyOf: (body: T) => string,
  run: (key: string, bodies: T[]) => Promise<void>,
): SqsHandler {
  return async (event) => {
    const groups = new Map<string, { records: SQSRecord[]; bodies: T[] }>();
    for (const record of event.Records) {
      const body = JSON.parse(record.body) as T;
      const group = groups.get(keyOf(body)) ?? { records: [], bodies: [] };
      group.records.push(record);
      group.bodies.push(body);
      groups.set(keyOf(body), group);
    }
    const failed = await Promise.all(
      [...groups].map(async ([key, { records, bodies }]) => {
        try {
          await run(key, bodies);
          return [];
        } catch (error) {
          logger.warn('work failed and goes back to its queue', { key, error });
          return records;
        }
      }),
    );
    return { batchItemFailures: failed.flat().map(({ messageId }) => ({ itemIdentifier: messageId })) };
  };
}
