// A queue with another beside it for what could not be handled: messages end there after a few attempts, and nothing waits for them,
// since the reconciler reads from the table what is to be done.
import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import { Queue, QueueEncryption, type QueueProps, RedrivePermission } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

export interface DeadLetterQueueProps {
  name: string;
  isFifo: boolean;
  visibilityTimeout: Duration;
  maxReceiveCount: number;
}

export class QueueWithDeadLetters extends Construct {
  readonly queue: Queue;
  readonly deadLetters: Queue;

  constructor(scope: Construct, { name, isFifo, visibilityTimeout, maxReceiveCount }: DeadLetterQueueProps) {
    super(scope, name);
    const kind: QueueProps = {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      ...(isFifo ? { fifo: true } : {}),
    };
    // Each names the other, which CloudFormation cannot make of two references: names that are known beforehand are no references.
    const stack = Stack.of(this);
    const queueName = (of: string) => `${stack.stackName}-${name}${of}${isFifo ? '.fifo' : ''}`;
    const sourceArn = stack.formatArn({
      service: 'sqs',
      resource: queueName(''),
      arnFormat: ArnFormat.NO_RESOURCE_NAME,
    });
    this.deadLetters = new Queue(this, 'DeadLetters', {
      ...kind,
      queueName: queueName('-dead-letters'),
      retentionPeriod: Duration.days(14),
      redriveAllowPolicy: {
        redrivePermission: RedrivePermission.BY_QUEUE,
        sourceQueues: [Queue.fromQueueArn(this, 'Source', sourceArn)],
      },
    });
    this.queue = new Queue(this, 'Queue', {
      ...kind,
      queueName: queueName(''),
      visibilityTimeout,
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount },
    });
  }
}
