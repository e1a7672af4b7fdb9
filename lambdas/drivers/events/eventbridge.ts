// The bus of events on AWS, where Octavia has its notifications.
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import type { EventDriver, OctaviaEvent } from './event-driver.ts';

export { EventBridgeClient };

export interface EventBridgeOptions {
  busName: string;
  /** Called on the first event: a handler that has no news does not pay for the client. */
  client: () => EventBridgeClient;
  logger: { warn(message: string, detail?: Record<string, unknown>): void };
}

/** EventBridge takes no more at once. */
const entriesPerRequest = 10;

export class EventBridgeEventDriver implements EventDriver {
  readonly #options: EventBridgeOptions;
  #client: EventBridgeClient | undefined;

  constructor(options: EventBridgeOptions) {
    this.#options = options;
  }

  async publish(events: OctaviaEvent[]): Promise<void> {
    try {
      await this.deliver(events);
    } catch (error) {
      this.#options.logger.warn('the bus did not take events', { events: events.length, error });
    }
  }

  /** In the order given, as whoever listens reads a PENDING before its ACTIVE. */
  async deliver(events: OctaviaEvent[]): Promise<void> {
    for (let from = 0; from < events.length; from += entriesPerRequest)
      await this.#put(events.slice(from, from + entriesPerRequest));
  }

  async #put(events: OctaviaEvent[]): Promise<void> {
    const { busName, client } = this.#options;
    this.#client ??= client();
    const Entries = events.map((event) => ({
      EventBusName: busName,
      Source: 'octavia',
      DetailType: event.type,
      Time: new Date(event.time),
      Resources: [event.resource_id].filter(Boolean),
      Detail: JSON.stringify(event),
    }));
    const { FailedEntryCount = 0, Entries: taken = [] } = await this.#client.send(new PutEventsCommand({ Entries }));
    const reason = taken.find(({ ErrorCode }) => ErrorCode !== undefined)?.ErrorCode ?? 'no reason given';
    if (FailedEntryCount > 0)
      throw new Error(`the bus refused ${FailedEntryCount} of ${events.length} events: ${reason}`);
  }
}
