// The SQS API on loopback: RabbitMQ's place on one machine. The driver and the event source are the ones AWS gets.
import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { SQSClient } from '@aws-sdk/client-sqs';
import { type BuildAppOptions, buildApp } from 'fauxqs';
import type { QueueName } from '../../lambdas/drivers/queue/queue-driver.ts';
// Not among the exports of fauxqs: `startFauxqs` has persistence but listens on every address, `buildApp` has neither.
import { SqsStore } from '../../node_modules/fauxqs/dist/sqs/sqsStore.js';
import { MessageJournal } from './message-journal.ts';

export interface QueueServerOptions {
  /** Where messages are kept; without it they die with the process. */
  dataDir?: string;
  /** 0: any free one. */
  port?: number;
  /** Receives of a message before it goes to the dead-letter queue. */
  maxReceiveCount?: number;
  visibilityTimeoutSeconds?: number;
}

export interface QueueServer {
  /** `http://127.0.0.1:<port>` */
  endpoint: string;
  queueUrls: Record<QueueName, string>;
  deadLetterQueueUrls: Record<QueueName, string>;
  /** Talks to this server; closed with it. */
  client: SQSClient;
  close(): Promise<void>;
}

const fileNames: Record<QueueName, string> = {
  work: 'work.fifo',
  operations: 'operations.fifo',
  heartbeats: 'heartbeats',
  archives: 'archives',
  // Of a schedule that is too coarse; the one of one machine is not.
  scans: 'scans',
};
const queueNames = Object.keys(fileNames) as QueueName[];
const deadLetterName = (name: string) => (name.endsWith('.fifo') ? `${name.slice(0, -5)}-dead.fifo` : `${name}-dead`);
const account = '000000000000';
const region = 'us-east-1';
/** fauxqs checks no signature; the SDK insists on signing. */
const connection = { region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };

export async function startQueueServer(options: QueueServerOptions = {}): Promise<QueueServer> {
  const store = new SqsStore();
  createQueues(store, options);
  const journal = openJournal(store, options.dataDir);
  const app = buildApp({ logger: false, stores: { sqsStore: store } as BuildAppOptions['stores'] });
  app.addHook('onRequest', async (_request, { raw }) => {
    // A poll whose client has gone must not take a message along: every waiting poll answers, and who is there polls anew.
    raw.once('close', () => raw.writableFinished || store.shutdown());
  });
  await app.listen({ host: '127.0.0.1', port: options.port ?? 0 });
  const endpoint = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const client = new SQSClient({ ...connection, endpoint });
  return {
    endpoint,
    queueUrls: urls(endpoint, (name) => name),
    deadLetterQueueUrls: urls(endpoint, deadLetterName),
    client,
    close: async () => {
      await app.close();
      client.destroy();
      journal?.close();
    },
  };
}

function createQueues(
  store: SqsStore,
  { maxReceiveCount = 5, visibilityTimeoutSeconds = 120 }: QueueServerOptions,
): void {
  const arn = (name: string) => `arn:aws:sqs:${region}:${account}:${name}`;
  const create = (name: string, attributes: Record<string, string>) => {
    const fifo: Record<string, string> = name.endsWith('.fifo') ? { FifoQueue: 'true' } : {};
    const queue = store.createQueue(name, `http://127.0.0.1/${account}/${name}`, arn(name), { ...fifo, ...attributes });
    // Sequence numbers go on rising after a restart without being kept.
    queue.sequenceCounter = Date.now() * 1000;
  };
  for (const name of Object.values(fileNames)) {
    const deadLetterTargetArn = arn(deadLetterName(name));
    create(deadLetterName(name), {});
    create(name, {
      VisibilityTimeout: String(visibilityTimeoutSeconds),
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount }),
    });
  }
}

function openJournal(store: SqsStore, dataDir: string | undefined): MessageJournal | undefined {
  if (dataDir === undefined) return undefined;
  mkdirSync(dataDir, { recursive: true });
  const journal = new MessageJournal(join(dataDir, 'messages.sqlite'));
  // Loaded before the queues know the journal, or every message would be written again.
  journal.load(store);
  for (const queue of store.allQueues()) queue.persistence = journal as never;
  return journal;
}

function urls(endpoint: string, nameOf: (name: string) => string): Record<QueueName, string> {
  const entries = queueNames.map((queue) => [queue, `${endpoint}/${account}/${nameOf(fileNames[queue])}`]);
  return Object.fromEntries(entries) as Record<QueueName, string>;
}
