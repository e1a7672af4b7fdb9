// Work on its way from the API to the controller worker: Octavia's oslo.messaging. First in, first out per load balancer.

export type QueueName = 'work' | 'operations' | 'heartbeats' | 'archives' | 'scans';

export interface Message {
  /** Messages of one group are handled in order, one at a time: the load balancer's id. */
  group: string;
  /** A second message with the same value within five minutes is dropped. */
  deduplication: string;
  body: Record<string, unknown>;
  /** Not before this many seconds; only for queues that are not FIFO. */
  delaySeconds?: number;
}

export interface QueueDriver {
  /** @throws DriverError when the queue does not take it; the caller's write stands and the reconciler finds it. */
  send(queue: QueueName, message: Message): Promise<void>;
}

/** Remembers what was sent; for tests and for a control plane that is to leave work lying. */
export class NoopQueueDriver implements QueueDriver {
  readonly sent: { queue: QueueName; message: Message }[] = [];
  async send(queue: QueueName, message: Message): Promise<void> {
    this.sent.push({ queue, message });
  }
}
