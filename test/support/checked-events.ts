// A bus that takes nothing but what the schemas in events/published say: whatever a test makes the control plane publish is held against them.

import { eventSchema, eventTypes } from '../../lambdas/domain/published-events.ts';
import { NoopEventDriver, type OctaviaEvent } from '../../lambdas/drivers/events/event-driver.ts';

const schemas = new Map(eventTypes.map((type) => [type, eventSchema(type)]));

/** As it arrives: what JSON leaves out is not there. */
export function checkEvent(event: OctaviaEvent): void {
  const result = schemas.get(event.type)?.safeParse(JSON.parse(JSON.stringify(event)));
  if (result?.success) return;
  throw new Error(`event ${event.type} is not as its schema says: ${result?.error.message ?? 'it has none'}`);
}

export class CheckedEvents extends NoopEventDriver {
  override async publish(events: OctaviaEvent[]): Promise<void> {
    events.forEach(checkEvent);
    await super.publish(events);
  }
}
