// Where what no queue brings ends when its function could not be called, or failed at it: events of rules, ticks of schedules, what
// lay in the outbox. Nothing waits for it; it is there so that somebody is told, and can see what it was.
import { Duration } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { acknowledgeRule } from './acknowledge.ts';

export function makeUndelivered(scope: Construct): Queue {
  const undelivered = new Queue(scope, 'Undelivered', {
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: Duration.days(14),
  });
  acknowledgeRule(undelivered, 'SQS3', 'It is a queue of dead letters itself, of what comes without a queue');
  return undelivered;
}

/** Of calls nobody waits for: who fails is called again so often, and then it is told. */
export const tellFailures = (lambda: IFunction, undelivered: IQueue, retryAttempts: number): void =>
  lambda.configureAsyncInvoke({
    onFailure: new SqsDestination(undelivered),
    retryAttempts,
    // What came too late to be of use is told as well.
    maxEventAge: Duration.hours(1),
  });
