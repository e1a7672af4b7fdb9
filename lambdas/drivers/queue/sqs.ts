// The queue on AWS and, against the same API, on one machine: Octavia's oslo.messaging.
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { DriverError } from '../../domain/errors.ts';
import { isPassing } from '../aws-errors.ts';
import type { Message, QueueDriver, QueueName } from './queue-driver.ts';

export { SQSClient };

export interface SqsQueueOptions {
  queueUrls: Record<QueueName, string>;
  /** A function is called on the first send: a handler that sends nothing does not pay for the client. */
  client: SQSClient | (() => SQSClient);
}

export class SqsQueueDriver implements QueueDriver {
  readonly #queueUrls: Record<QueueName, string>;
  #client: SQSClient | (() => SQSClient);

  constructor({ queueUrls, client }: SqsQueueOptions) {
    this.#queueUrls = queueUrls;
    this.#client = client;
  }

  async send(queue: QueueName, message: Message): Promise<void> {
    const QueueUrl = this.#queueUrls[queue];
    const isFifo = QueueUrl.endsWith('.fifo');
    const { group, deduplication, body, delaySeconds } = message;
    // SQS refuses each side's parameters on the other kind of queue.
    const kind = isFifo
      ? { MessageGroupId: group, MessageDeduplicationId: deduplication }
      : { DelaySeconds: delaySeconds };
    try {
      await this.#sqs().send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(body), ...kind }));
    } catch (cause) {
      const isTransient = isPassing(cause);
      throw new DriverError(`queue ${queue} did not take a message: ${(cause as Error).message}`, {
        cause,
        isTransient,
      });
    }
  }

  #sqs(): SQSClient {
    if (typeof this.#client === 'function') this.#client = this.#client();
    return this.#client;
  }
}
