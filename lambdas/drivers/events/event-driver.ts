// What happened, told to whoever listens: Octavia's notifications. On AWS an EventBridge bus, on one machine the log of events.

import type { EventType } from '../../domain/published-events.ts';

export interface OctaviaEvent {
  /** Stable: the same happening told twice has the same id. */
  id: string;
  type: EventType;
  /** ISO 8601. */
  time: string;
  project_id: string | null;
  load_balancer_id: string | null;
  resource: string;
  resource_id: string;
  detail: Record<string, unknown>;
  /** Of events told by the table's stream: of the same resource the later one is greater, compared as text. */
  sequence?: string;
}

export interface EventDriver {
  /** Never throws for a bus that is away: whoever acts is not kept from it by who listens. */
  publish(events: OctaviaEvent[]): Promise<void>;
  /** The same for who comes again until all are taken. @throws Error when some were not, the first of them and all after it */
  deliver(events: OctaviaEvent[]): Promise<void>;
}

export class NoopEventDriver implements EventDriver {
  readonly published: OctaviaEvent[] = [];
  async publish(events: OctaviaEvent[]): Promise<void> {
    this.published.push(...events);
    if (this.published.length > 10_000) this.published.splice(0, 5_000);
  }

  deliver(events: OctaviaEvent[]): Promise<void> {
    return this.publish(events);
  }
}
