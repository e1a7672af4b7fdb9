// What happens by the clock, and what other services tell: flows that ended badly, machines that stopped.
import { Duration } from 'aws-cdk-lib';
import { type EventPattern, Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { FunctionName } from '../functions.ts';
import type { Flow } from './flow.ts';
import { tellFailures } from './undelivered.ts';

/** No schedule is finer. The scan is told, as it takes longer pauses than it expects for times nobody watched: its chain of messages may break. */
export const scanIntervalMs = 60_000;

/** As many as EventBridge makes unless told, over a day. */
const eventAttempts = 185;

export function addScheduleAndRules(
  scope: Construct,
  flows: Map<string, Flow>,
  lambdaOf: (name: FunctionName) => IFunction,
  undelivered: IQueue,
): void {
  /** More than one rule may call a function. */
  const telling = new Set<FunctionName>();
  const called = (name: FunctionName, retryAttempts: number) => {
    if (!telling.has(name)) tellFailures(lambdaOf(name), undelivered, Math.min(retryAttempts, 2));
    telling.add(name);
    return [new LambdaFunction(lambdaOf(name), { retryAttempts, deadLetterQueue: undelivered })];
  };
  const everyMinute = (name: FunctionName) =>
    new Rule(scope, `schedule-${name}`, {
      schedule: Schedule.rate(Duration.millis(scanIntervalMs)),
      // The next one is due before a second attempt would help.
      targets: called(name, 0),
    });
  const onEvent = (name: FunctionName, eventPattern: EventPattern, rule: string = name) =>
    new Rule(scope, `rule-${rule}`, { eventPattern, targets: called(name, eventAttempts) });

  everyMinute('health-scan');
  everyMinute('housekeeping');
  onEvent('flow-ended', {
    source: ['aws.states'],
    detailType: ['Step Functions Execution Status Change'],
    detail: {
      status: ['FAILED', 'TIMED_OUT', 'ABORTED'],
      stateMachineArn: [...flows.values()].map(({ stateMachine }) => stateMachine.stateMachineArn),
    },
  });
  const scheduled = {
    source: ['aws.health'],
    detailType: ['AWS Health Event'],
    detail: { service: ['EC2'], eventTypeCategory: ['scheduledChange'], statusCode: ['upcoming', 'open'] },
  };
  onEvent('compute-event', scheduled, 'compute-scheduled-change');
  const spot = {
    source: ['aws.ec2'],
    detailType: ['EC2 Spot Instance Interruption Warning', 'EC2 Instance Rebalance Recommendation'],
  };
  onEvent('compute-event', spot, 'compute-spot');
  onEvent('scaling-event', {
    source: ['aws.autoscaling'],
    detailType: [
      'EC2 Instance Launch Successful',
      'EC2 Instance Terminate Successful',
      'EC2 Instance-terminate Lifecycle Action',
    ],
  });
  onEvent('compute-event', {
    source: ['aws.ec2'],
    detailType: ['EC2 Instance State-change Notification'],
    detail: { state: ['stopping', 'stopped', 'shutting-down', 'terminated'] },
  });
}
