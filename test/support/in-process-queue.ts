// SQS's place in a test: messages of one group in order and in batches, repetitions dropped, failures delivered again. A test may
// hold everything back, and then lose, double and reorder what lies there.
import type { SQSEvent } from 'aws-lambda';
import type { Message, QueueDriver, QueueName } from '../../lambdas/drivers/queue/queue-driver.ts';
import type { SqsHandler } from '../../lambdas/runtime/sqs-batch.ts';

export interface Queued {
  queue: QueueName;
  message: Message;
}

const batchSize = 10;
const deliveriesAtMost = 20;
const redeliveryMs = 5;

const eventOf = (bodies: unknown[]): SQSEvent =>
  ({
    Records: bodies.map((body, index) => ({ messageId: String(index), body: JSON.stringify(body) })),
  }) as unknown as SQSEvent;

export class InProcessQueue implements QueueDriver {
  handlers: Partial<Record<QueueName, SqsHandler>> = {};
  /** true: messages wait until the test delivers them. */
  isHeld = false;
  readonly held: Queued[] = [];
  /** Messages that failed each time they were delivered. */
  readonly dead: Queued[] = [];
  readonly #seen = new Set<string>();
  readonly #groups = new Map<string, Queued[]>();
  #busy = 0;

  get isIdle(): boolean {
    return this.#busy === 0;
  }

  async send(queue: QueueName, message: Message): Promise<void> {
    const repetition = `${queue} ${message.deduplication}`;
    if (this.#seen.has(repetition)) return;
    this.#seen.add(repetition);
    if (this.isHeld) this.held.push({ queue, message });
    else this.#enqueue({ queue, message });
  }

  /** Takes everything that is held back, for the test to deliver in its own way or not at all. */
  take(): Queued[] {
    return this.held.splice(0);
  }

  /** Delivers one batch at once, as it is. @returns how many messages failed */
  async deliver(...messages: Queued[]): Promise<number> {
    let failed = 0;
    for (const [queue, batch] of Map.groupBy(messages, (one) => one.queue)) {
      const answer = await this.handlers[queue]!(eventOf(batch.map(({ message }) => message.body)));
      failed += answer.batchItemFailures.length;
    }
    return failed;
  }

  /** From here on messages flow by themselves, those that waited first. */
  release(): void {
    this.isHeld = false;
    for (const one of this.take()) this.#enqueue(one);
  }

  #enqueue(one: Queued): void {
    const key = `${one.queue} ${one.message.group}`;
    const waiting = this.#groups.get(key);
    if (waiting) {
      waiting.push(one);
      return;
    }
    this.#groups.set(key, [one]);
    this.#busy += 1;
    setImmediate(() => this.#drain(key));
  }

  async #drain(key: string): Promise<void> {
    const waiting = this.#groups.get(key)!;
    for (let failures = 0; waiting.length > 0; ) {
      const batch = waiting.slice(0, batchSize);
      if ((await this.deliver(...batch)) === 0 || ++failures >= deliveriesAtMost) {
        if (failures >= deliveriesAtMost) this.dead.push(...batch);
        waiting.splice(0, batch.length);
        failures = 0;
      } else await new Promise((resolve) => setTimeout(resolve, redeliveryMs));
    }
    this.#groups.delete(key);
    this.#busy -= 1;
  }
}
