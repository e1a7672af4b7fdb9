// What the table's stream tells, for the function that sends it on: entries of the outbox, and changes to be told of.
import type { DynamoDBStreamEvent } from 'aws-lambda';
import { type OutboxEntry, outboxEntryOf } from '../drivers/queue/outbox.ts';
import { changesIn, type TableChange } from '../drivers/table/stream.ts';

export type StreamNews = { kind: 'outbox'; entry: OutboxEntry } | { kind: 'changes'; changes: TableChange[] };

/** In the order they were written; changes that follow each other together. */
export function streamNewsOf(event: DynamoDBStreamEvent): StreamNews[] {
  const news: StreamNews[] = [];
  for (const change of changesIn(event)) {
    const entry = change.before === undefined && change.after !== undefined ? outboxEntryOf(change.after) : undefined;
    const last = news.at(-1);
    if (entry !== undefined) news.push({ kind: 'outbox', entry });
    else if (last?.kind === 'changes') last.changes.push(change);
    else news.push({ kind: 'changes', changes: [change] });
  }
  return news;
}
