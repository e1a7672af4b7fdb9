// What operators are told and shown: alarms on what users feel, each with its article in docs/runbook.md, and a dashboard of the same.
import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import {
  Alarm,
  AlarmWidget,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type IMetric,
  Metric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITable } from 'aws-cdk-lib/aws-dynamodb';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Topic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import type { QueueWithDeadLetters } from '../constructs/dead-letter-queue.ts';
import type { QueueName } from '../functions.ts';

export interface ObservabilityProps extends StackProps {
  /** Starts the names of alarms. */
  deployment: string;
  table: ITable;
  queues: Record<QueueName, QueueWithDeadLetters>;
  httpApiId: string;
  healthScan: IFunction;
  flowEnded: IFunction;
  /** ARN of a topic that hears of every alarm; empty: nobody is told. */
  alarmTopicArn: string | undefined;
}

interface Watched {
  name: string;
  /** Heading of the article in docs/runbook.md. */
  article: string;
  metric: IMetric;
  above: number;
  /** In a row, so that one bad minute wakes nobody. */
  periods: number;
  /** Silence is what is wrong. */
  isMissingBad?: true;
}

const minute = Duration.minutes(1);
const fiveMinutes = Duration.minutes(5);
const repository = 'docs/runbook.md';

/** As renderers of Markdown make anchors of headings. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

export class Observability extends Stack {
  readonly #props: ObservabilityProps;

  constructor(scope: Construct, id: string, props: ObservabilityProps) {
    super(scope, id, props);
    this.#props = props;
    const watched = [...this.#whatUsersFeel(), ...this.#deadLetters()];
    const alarms = watched.map((one) => this.#alarm(one));
    const graphs = watched.map(
      ({ name, metric }) => new GraphWidget({ title: name, left: [metric], width: 8, height: 5 }),
    );
    new Dashboard(this, 'Dashboard', {
      dashboardName: props.deployment,
      widgets: [alarms.map((alarm) => new AlarmWidget({ alarm, width: 6, height: 4 })), graphs],
    });
  }

  #whatUsersFeel(): Watched[] {
    const { queues, httpApiId, healthScan, flowEnded, table } = this.#props;
    const api = new Metric({
      namespace: 'AWS/ApiGateway',
      metricName: '5xx',
      dimensionsMap: { ApiId: httpApiId },
      statistic: Stats.SUM,
      period: fiveMinutes,
    });
    const waiting = queues.work.queue.metricApproximateAgeOfOldestMessage({ period: minute });
    const heard = queues.heartbeats.queue.metricApproximateAgeOfOldestMessage({ period: minute });
    const throttled = new Metric({
      namespace: 'AWS/DynamoDB',
      metricName: 'ThrottledRequests',
      dimensionsMap: { TableName: table.tableName },
      statistic: Stats.SUM,
      period: fiveMinutes,
    });
    return [
      { name: 'api-errors', article: 'The API answers with 500', metric: api, above: 5, periods: 1 },
      {
        name: 'pending-age',
        article: 'A load balancer is PENDING for long',
        metric: this.#own('OldestPendingSeconds', minute),
        above: 1_800,
        periods: 3,
      },
      { name: 'configurations-wait', article: 'Configurations wait', metric: waiting, above: 300, periods: 3 },
      {
        name: 'failover-time',
        article: 'Failovers take long',
        metric: this.#own('FailoverSeconds', fiveMinutes),
        above: 300,
        periods: 1,
      },
      { name: 'heartbeat-lag', article: 'Heartbeats are taken in late', metric: heard, above: 30, periods: 3 },
      {
        name: 'storm-guard',
        article: 'The storm guard is engaged',
        metric: this.#own('StormGuardedZones', minute),
        above: 0,
        periods: 1,
      },
      {
        name: 'no-health-scan',
        article: 'Nobody looks for silent amphorae',
        metric: healthScan.metricErrors({ period: fiveMinutes, statistic: Stats.SUM }),
        above: 4,
        periods: 1,
        isMissingBad: true,
      },
      {
        name: 'flows-fail',
        article: 'A load balancer is in ERROR',
        metric: flowEnded.metricInvocations({ period: fiveMinutes, statistic: Stats.SUM }),
        above: 0,
        periods: 1,
      },
      { name: 'table-throttled', article: 'The table is throttled', metric: throttled, above: 10, periods: 2 },
    ];
  }

  #deadLetters(): Watched[] {
    return Object.entries(this.#props.queues).map(([name, { deadLetters }]) => ({
      name: `dead-letters-${name}`,
      article: 'Messages in a dead-letter queue',
      metric: deadLetters.metricApproximateNumberOfMessagesVisible({ period: fiveMinutes, statistic: Stats.MAXIMUM }),
      above: 0,
      periods: 1,
    }));
  }

  /** What functions measure; Powertools calls the deployment a service. */
  #own(metricName: string, period: Duration): Metric {
    const dimensionsMap = { service: this.#props.table.tableName };
    return new Metric({ namespace: 'Octavia', metricName, dimensionsMap, statistic: Stats.MAXIMUM, period });
  }

  #alarm({ name, article, metric, above, periods, isMissingBad }: Watched): Alarm {
    const { deployment, alarmTopicArn } = this.#props;
    const alarm = new Alarm(this, name, {
      alarmName: `${deployment}-${name}`,
      alarmDescription: `${article}: ${repository}#${anchor(article)}`,
      metric,
      threshold: above,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: periods,
      treatMissingData: isMissingBad ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    });
    if (alarmTopicArn) {
      const action = new SnsAction(Topic.fromTopicArn(this, `${name}-topic`, alarmTopicArn));
      alarm.addAlarmAction(action);
      alarm.addOkAction(action);
    }
    return alarm;
  }
}
