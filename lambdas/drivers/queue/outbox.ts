// Messages and events of functions inside the VPC. Of AWS they reach the table alone, by its free gateway, so they leave what they
// have to say there; the table's stream hands it to a function outside, which sends it on.
import type { EventDriver, OctaviaEvent } from '../events/event-driver.ts';
import type { Item, Operation, Table } from '../table/table.ts';
import type { Message, QueueDriver, QueueName } from './queue-driver.ts';

/** What lies in the outbox: one message, or events in their order. */
export type OutboxEntry =
  | { kind: 'message'; queue: QueueName; message: Message }
  | { kind: 'events'; events: OctaviaEvent[] };

export interface OutboxOptions {
  table: Table;
  clock: { now(): number };
  newId: () => string;
  logger: { warn(message: string, detail?: Record<string, unknown>): void };
}

/** Far below the 400 KB of an item, at less than 1 KB an event. */
const eventsPerItem = 100;
/** DynamoDB removes an entry by itself when nobody can be waiting for it any more; the stream keeps it for a day. */
const keptSeconds = 86_400;

export const outboxPrefix = 'OUTBOX#';

export class TableOutbox implements QueueDriver, EventDriver {
  readonly #options: OutboxOptions;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  async send(queue: QueueName, message: Message): Promise<void> {
    await this.#options.table.transact([this.#put({ kind: 'message', queue, message })]);
  }

  async publish(events: OctaviaEvent[]): Promise<void> {
    try {
      await this.deliver(events);
    } catch (error) {
      this.#options.logger.warn('the outbox did not take events', { refused: events.length, error });
    }
  }

  async deliver(events: OctaviaEvent[]): Promise<void> {
    for (let from = 0; from < events.length; from += eventsPerItem) {
      const entry = { kind: 'events' as const, events: events.slice(from, from + eventsPerItem) };
      await this.#options.table.transact([this.#put(entry)]);
    }
  }

  #put(entry: OutboxEntry): Operation {
    const { clock, newId } = this.#options;
    const outbox_until = Math.floor(clock.now() / 1000) + keptSeconds;
    return { kind: 'put', item: { pk: `${outboxPrefix}${newId()}`, sk: 'OUTBOX', outbox_until, entry } };
  }
}

/** undefined for any other item. */
export const outboxEntryOf = (item: Item): OutboxEntry | undefined =>
  item.pk.startsWith(outboxPrefix) ? (item['entry'] as OutboxEntry) : undefined;
