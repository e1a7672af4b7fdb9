// A queue with another beside it for what could not be handled: messages end there after a few attempts, and nothing waits for them,
// since the reconciler reads from the table what is to be done.
import { Duration } from 'aws-cdk-lib';
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs';
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
    this.deadLetters = new Queue(this, 'DeadLetters', { ...kind, retentionPeriod: Duration.days(14) });
    this.queue = new Queue(this, 'Queue', {
      ...kind,
      visibilityTimeout,
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount },
    });
  }
}
