// What the table's stream tells of the outbox, for the function that sends it on.
import type { DynamoDBStreamEvent } from 'aws-lambda';
import { type OutboxEntry, outboxEntryOf } from '../drivers/queue/outbox.ts';
import { insertedItems } from '../drivers/table/stream.ts';

/** In the order they were left. */
export const outboxEntriesOf = (event: DynamoDBStreamEvent): OutboxEntry[] =>
  insertedItems(event).flatMap((item) => outboxEntryOf(item) ?? []);
