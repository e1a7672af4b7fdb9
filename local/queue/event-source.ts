// Hands queue messages to a Lambda-style handler: Lambda's event source mapping, Octavia's queue consumer. One batch in
// flight per message group, a bounded number in all; what a batch reports as failed comes back after a short while.
import { setTimeout as delay } from 'node:timers/promises';
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';

export interface EventSourceOptions {
  client: SQSClient;
  queueUrl: string;
  // biome-ignore lint/suspicious/noConfusingVoidType: a handler without partial failures returns nothing, as on Lambda
  handler: (event: SQSEvent) => Promise<SQSBatchResponse | void>;
  /** At most 10, as SQS has it. */
  batchSize?: number;
  /** Batches in flight. */
  maxConcurrency?: number;
  /** Until a failed message is handed over again. */
  backoffSeconds?: number;
  logger?: { error(message: string, error: Error): void };
}

const pollSeconds = 20;
const pollErrorDelayMs = { first: 50, most: 2_000 };

export class EventSource {
  readonly #options: Required<Omit<EventSourceOptions, 'logger'>> & Pick<EventSourceOptions, 'logger'>;
  readonly #isFifo: boolean;
  readonly #stopping = new AbortController();
  readonly #inFlight = new Set<Promise<void>>();
  #polling: Promise<void> | undefined;

  constructor(options: EventSourceOptions) {
    this.#options = { batchSize: 10, maxConcurrency: 16, backoffSeconds: 1, ...options };
    this.#isFifo = options.queueUrl.endsWith('.fifo');
  }

  start(): void {
    this.#polling ??= this.#poll();
  }

  /** Takes no more messages and waits for the batches in flight; what they report is still deleted or given back. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#polling;
    await Promise.all(this.#inFlight);
  }

  async #poll(): Promise<void> {
    let errorDelayMs: number = pollErrorDelayMs.first;
    while (!this.#stopping.signal.aborted) {
      const free = this.#options.maxConcurrency - this.#inFlight.size;
      if (free <= 0) {
        await Promise.race(this.#inFlight);
        continue;
      }
      try {
        this.#dispatch(await this.#receive(free));
        errorDelayMs = pollErrorDelayMs.first;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#options.logger?.error('queue was not polled', error as Error);
        await delay(errorDelayMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
        errorDelayMs = Math.min(errorDelayMs * 2, pollErrorDelayMs.most);
      }
    }
  }

  async #receive(free: number): Promise<Message[]> {
    const { client, queueUrl, batchSize } = this.#options;
    // On a FIFO queue each message may be of another group and so a batch of its own: no more than can be started.
    const MaxNumberOfMessages = this.#isFifo ? Math.min(batchSize, free) : batchSize;
    const command = new ReceiveMessageCommand({
      QueueUrl: queueUrl,
      MaxNumberOfMessages,
      WaitTimeSeconds: pollSeconds,
      MessageSystemAttributeNames: ['All'],
    });
    const { Messages } = await client.send(command, { abortSignal: this.#stopping.signal });
    return Messages ?? [];
  }

  #dispatch(messages: Message[]): void {
    if (messages.length === 0) return;
    const groups = Object.values(Object.groupBy(messages, (message) => message.Attributes?.MessageGroupId ?? ''));
    for (const group of groups) {
      const batch = this.#handle(group ?? []).catch((error: Error) => {
        // Neither deleted nor given back: the queue shows the messages again after their visibility timeout.
        this.#options.logger?.error('a batch could not be settled', error);
      });
      this.#inFlight.add(batch);
      batch.then(() => this.#inFlight.delete(batch));
    }
  }

  async #handle(batch: Message[]): Promise<void> {
    const failed = await this.#failuresOf(batch);
    // In a FIFO group nothing may overtake what failed: all behind the first failure goes back with it.
    const first = this.#isFifo ? batch.findIndex((message) => failed.has(message.MessageId)) : -1;
    const goesBack = (message: Message, index: number) =>
      failed.has(message.MessageId) || (first >= 0 && index > first);
    await this.#giveBack(batch.filter(goesBack));
    await this.#delete(batch.filter((message, index) => !goesBack(message, index)));
  }

  /** Ids of messages that are to come back. A report that names an unknown message fails the batch, as on Lambda. */
  async #failuresOf(batch: Message[]): Promise<Set<string | undefined>> {
    const all = new Set(batch.map((message) => message.MessageId));
    try {
      const response = await this.#options.handler({ Records: batch.map((message) => this.#record(message)) });
      const failed = new Set(response?.batchItemFailures?.map((failure) => failure.itemIdentifier) ?? []);
      return failed.isSubsetOf(all) ? failed : all;
    } catch (error) {
      this.#options.logger?.error('a batch failed', error as Error);
      return all;
    }
  }

  #record(message: Message): SQSRecord {
    const name = this.#options.queueUrl.split('/').at(-1);
    return {
      messageId: message.MessageId ?? '',
      receiptHandle: message.ReceiptHandle ?? '',
      body: message.Body ?? '',
      attributes: message.Attributes as unknown as SQSRecord['attributes'],
      messageAttributes: {},
      md5OfBody: message.MD5OfBody ?? '',
      eventSource: 'aws:sqs',
      eventSourceARN: `arn:aws:sqs:us-east-1:000000000000:${name}`,
      awsRegion: 'us-east-1',
    };
  }

  async #delete(messages: Message[]): Promise<void> {
    if (messages.length === 0) return;
    const Entries = messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
    await this.#options.client.send(new DeleteMessageBatchCommand({ QueueUrl: this.#options.queueUrl, Entries }));
  }

  async #giveBack(messages: Message[]): Promise<void> {
    if (messages.length === 0) return;
    const { client, queueUrl: QueueUrl, backoffSeconds: VisibilityTimeout } = this.#options;
    const Entries = messages.map(({ ReceiptHandle }, index) => ({
      Id: String(index),
      ReceiptHandle,
      VisibilityTimeout,
    }));
    await client.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }));
  }
}
