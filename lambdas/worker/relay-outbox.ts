// Controller worker, what the table's stream tells: it sends on what functions inside the VPC have to say, and tells of statuses
// that changed. The same may come twice: queues drop the repetition, events keep their ids.
import type { DynamoDBStreamEvent } from 'aws-lambda';
import { tellStatusNews } from '../controller/status-news.ts';
import { requestFilters } from '../controller/vip-filter.ts';
import { streamNewsOf } from '../runtime/outbox-stream.ts';
import type { Services } from '../runtime/services.ts';

/** @throws Error when something was not taken; the stream then tells it all again */
export const relayOutboxHandler =
  (services: Services) =>
  async (event: DynamoDBStreamEvent): Promise<{ relayed: number }> => {
    for (const news of streamNewsOf(event)) {
      if (news.kind === 'changes') {
        await requestFilters(services, news.changes);
        await tellStatusNews(services, news.changes);
      } else if (news.entry.kind === 'events') await services.events.deliver(news.entry.events);
      else await services.queue.send(news.entry.queue, news.entry.message);
    }
    return { relayed: event.Records.length };
  };
