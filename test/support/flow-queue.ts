// SQS FIFO as the control plane meets it: groups in order, repetitions dropped for five minutes, failures delivered again.
import type { SQSEvent } from 'aws-lambda';
import type { Message, QueueDriver, QueueName } from '../../lambdas/drivers/queue/queue-driver.ts';
import type { SqsHandler } from '../../lambdas/runtime/sqs-batch.ts';

interface Waiting {
  queue: QueueName;
  message: Message;
  received: number;
  /** Milliseconds since the epoch. */
  due: number;
}

const deduplicationMs = 300_000;
const visibilityMs = 30_000;
const maxReceiveCount = 5;

export class FlowQueue implements QueueDriver {
  readonly #clock: { now(): number };
  readonly #seen = new Map<string, number>();
  /** Groups of which a message is being handled: no other is handed over meanwhile. */
  readonly #busy = new Set<string>();
  #waiting: Waiting[] = [];

  constructor(clock: { now(): number }) {
    this.#clock = clock;
  }

  async send(queue: QueueName, message: Message): Promise<void> {
    const key = `${queue}/${message.deduplication}`;
    const now = this.#clock.now();
    if (now - (this.#seen.get(key) ?? Number.NEGATIVE_INFINITY) < deduplicationMs) return;
    this.#seen.set(key, now);
    this.#waiting.push({ queue, message, received: 0, due: now });
  }

  /** Messages that never arrive. @returns how many there were */
  lose(): number {
    return this.#waiting.splice(0).length;
  }

  /** All that waits comes later, as when nobody took it. */
  delay(ms: number): void {
    for (const one of this.#waiting) one.due += ms;
  }

  /** All that waits comes once more, after all the others. */
  double(): void {
    this.#waiting.push(...this.#waiting.map((one) => ({ ...one })));
  }

  /** The last one comes first. */
  reverse(): void {
    this.#waiting.reverse();
  }

  hasDue(): boolean {
    return this.#waiting.some(({ due }) => due <= this.#clock.now());
  }

  nextDue(): number | undefined {
    return this.#waiting.length === 0 ? undefined : Math.min(...this.#waiting.map(({ due }) => due));
  }

  /** Hands over what is due: groups side by side, each in order. */
  async deliver(handlers: Partial<Record<QueueName, SqsHandler>>): Promise<void> {
    const groupOf = ({ queue, message }: Waiting) => `${queue}/${message.group}`;
    const due = this.#waiting.filter((one) => one.due <= this.#clock.now() && !this.#busy.has(groupOf(one)));
    this.#waiting = this.#waiting.filter((one) => !due.includes(one));
    await Promise.all(
      [...Map.groupBy(due, groupOf)].map(async ([name, group]) => {
        this.#busy.add(name);
        try {
          for (const one of group) await this.#hand(one, handlers[one.queue]);
        } finally {
          this.#busy.delete(name);
        }
      }),
    );
  }

  async #hand(one: Waiting, handler: SqsHandler | undefined): Promise<void> {
    const record = { messageId: 'one', body: JSON.stringify(one.message.body) };
    const answer = await handler?.({ Records: [record] } as unknown as SQSEvent);
    const isFailed = (answer?.batchItemFailures.length ?? 0) > 0;
    // What failed five times goes to the dead-letter queue: from there on the reconciler is the net.
    if (!isFailed || one.received + 1 >= maxReceiveCount) return;
    this.#waiting.push({ ...one, received: one.received + 1, due: this.#clock.now() + visibilityMs });
  }
}
