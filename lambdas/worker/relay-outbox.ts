// Controller worker, the part outside the VPC that sends on what the part inside has to say. The same entry may come twice: queues
// drop the repetition, events keep their ids.
import type { DynamoDBStreamEvent } from 'aws-lambda';
import { outboxEntriesOf } from '../runtime/outbox-stream.ts';
import type { Services } from '../runtime/services.ts';

export const relayOutboxHandler =
  ({ queue, events }: Services) =>
  async (event: DynamoDBStreamEvent): Promise<{ relayed: number }> => {
    const entries = outboxEntriesOf(event);
    for (const entry of entries) {
      if (entry.kind === 'events') await events.publish(entry.events);
      else await queue.send(entry.queue, entry.message);
    }
    return { relayed: entries.length };
  };
