// What sets functions going by itself: the queues and the table's stream.
import { Duration } from 'aws-cdk-lib';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import { FilterCriteria, FilterRule, type IFunction, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import { DynamoEventSource, SqsDlq, SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { FunctionName, QueueName } from '../functions.ts';
import { acknowledgeAnyResource } from './acknowledge.ts';
import type { QueueWithDeadLetters } from './dead-letter-queue.ts';

/** Start of the keys of what functions inside the VPC leave to be sent on, and of what belongs to a load balancer. */
const outboxPrefix = 'OUTBOX#';
const treePrefix = 'LB#';

export function addEventSources(
  queues: Record<QueueName, QueueWithDeadLetters>,
  table: ITable,
  lambdaOf: (name: FunctionName) => IFunction,
  undelivered: IQueue,
): void {
  const reportBatchItemFailures = true;
  const fifo = { batchSize: 10, reportBatchItemFailures };
  // Load balancers are worked on side by side, one at a time each; the limit keeps a storm from taking the account's functions.
  lambdaOf('worker-apply').addEventSource(new SqsEventSource(queues.work.queue, { ...fifo, maxConcurrency: 50 }));
  lambdaOf('worker-start').addEventSource(new SqsEventSource(queues.operations.queue, { ...fifo, maxConcurrency: 20 }));
  lambdaOf('heartbeats').addEventSource(
    new SqsEventSource(queues.heartbeats.queue, {
      reportBatchItemFailures,
      // A second of heartbeats at once: many of one amphora cost one write.
      batchSize: 500,
      maxBatchingWindow: Duration.seconds(1),
      maxConcurrency: 20,
    }),
  );
  lambdaOf('health-scan').addEventSource(
    new SqsEventSource(queues.scans.queue, { reportBatchItemFailures, batchSize: 10, maxConcurrency: 2 }),
  );
  lambdaOf('worker-archives').addEventSource(
    new SqsEventSource(queues.archives.queue, { reportBatchItemFailures, batchSize: 10, maxConcurrency: 5 }),
  );
  lambdaOf('worker-relay').addEventSource(outboxSource(table, undelivered));
  acknowledgeAnyResource(lambdaOf('worker-relay').role!, 'Streams are listed for the whole account or not at all');
}

const ofPartitions = (prefix: string) => ({ Keys: { pk: { S: FilterRule.beginsWith(prefix) } } });
const hasStatus = { provisioning_status: { S: FilterRule.exists() } };

/**
 * Lambda reads the stream for nothing; what lies in the outbox calls the function, and what was written to a resource. What it could not
 * pass on it is given again, until the stream forgets it after a day.
 */
const outboxSource = (table: ITable, undelivered: IQueue) =>
  new DynamoEventSource(table, {
    startingPosition: StartingPosition.TRIM_HORIZON,
    batchSize: 100,
    retryAttempts: -1,
    bisectBatchOnError: true,
    onFailure: new SqsDlq(undelivered),
    filters: [
      FilterCriteria.filter({ eventName: FilterRule.isEqual('INSERT'), dynamodb: ofPartitions(outboxPrefix) }),
      FilterCriteria.filter({ dynamodb: { ...ofPartitions(treePrefix), NewImage: hasStatus } }),
      FilterCriteria.filter({
        eventName: FilterRule.isEqual('REMOVE'),
        dynamodb: { ...ofPartitions(treePrefix), OldImage: hasStatus },
      }),
    ],
  });
