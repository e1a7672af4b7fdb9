// The queue's contract over the SQS API on loopback, and what the event source promises to a handler behind it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DriverError } from '../../lambdas/domain/errors.ts';
import { NoopQueueDriver, type QueueDriver, type QueueName } from '../../lambdas/drivers/queue/queue-driver.ts';
import { SqsQueueDriver } from '../../lambdas/drivers/queue/sqs.ts';
import { EventSource, type EventSourceOptions } from '../../local/queue/event-source.ts';
import { type QueueServer, startQueueServer } from '../../local/queue/queue-server.ts';

interface Work {
  group: string;
  n: number;
}

let server: QueueServer;
let driver: QueueDriver;
let sources: EventSource[];

beforeEach(async () => {
  sources = [];
  server = await startQueueServer({ maxReceiveCount: 2 });
  driver = new SqsQueueDriver({ queueUrls: server.queueUrls, client: server.client });
});
afterEach(async () => {
  await Promise.all(sources.map((source) => source.stop()));
  await server.close();
});

const send = (group: string, n: number, queue: QueueName = 'work') =>
  driver.send(queue, { group, deduplication: `${group}-${n}`, body: { group, n } });
const worksOf = (event: SQSEvent) => event.Records.map((record) => JSON.parse(record.body) as Work);

function consume(handler: EventSourceOptions['handler'], options: Partial<EventSourceOptions> = {}): EventSource {
  const queueUrl = server.queueUrls.work;
  const source = new EventSource({ client: server.client, queueUrl, handler, backoffSeconds: 0, ...options });
  sources.push(source);
  source.start();
  return source;
}

/** A consumer that remembers what it was given. */
function collect(options: Partial<EventSourceOptions> = {}): Work[] {
  const seen: Work[] = [];
  consume(async (event) => void seen.push(...worksOf(event)), options);
  return seen;
}

async function receiveDead(queue: QueueName): Promise<Work[]> {
  const command = new ReceiveMessageCommand({ QueueUrl: server.deadLetterQueueUrls[queue], WaitTimeSeconds: 5 });
  const { Messages = [] } = await server.client.send(command);
  return Messages.map((message) => JSON.parse(message.Body ?? '') as Work);
}

describe('queue driver', () => {
  it('hands over the messages of a load balancer in the order they were sent', async () => {
    const seen = collect();
    for (let n = 0; n < 20; n++) await send('lb-1', n);
    await vi.waitFor(() => expect(seen).toHaveLength(20));
    expect(seen.map(({ n }) => n)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  it('drops a second message with the same deduplication', async () => {
    const seen = collect();
    await send('lb-1', 1);
    await send('lb-1', 1);
    await send('lb-1', 2);
    await vi.waitFor(() => expect(seen.map(({ n }) => n)).toEqual([1, 2]));
  });

  it('takes messages without an order on the queue of heartbeats', async () => {
    const seen = collect({ queueUrl: server.queueUrls.heartbeats });
    await Promise.all([1, 2, 3].map((n) => send('amphora', n, 'heartbeats')));
    await vi.waitFor(() => expect(new Set(seen.map(({ n }) => n))).toEqual(new Set([1, 2, 3])));
  });

  it('holds a delayed message back', async () => {
    const seen = collect({ queueUrl: server.queueUrls.heartbeats });
    await driver.send('heartbeats', { group: 'a', deduplication: 'late', body: { n: 1 }, delaySeconds: 1 });
    await delay(300);
    expect(seen).toEqual([]);
    await vi.waitFor(() => expect(seen).toHaveLength(1), { timeout: 3_000 });
  });

  it('says that a queue nobody answers for may work later', async () => {
    const config = { region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' }, maxAttempts: 1 };
    const nobody = new SQSClient({ ...config, endpoint: 'http://127.0.0.1:1' });
    const queueUrls = { ...server.queueUrls, work: 'http://127.0.0.1:1/000000000000/work.fifo' };
    const sending = new SqsQueueDriver({ queueUrls, client: nobody }).send('work', message());
    await expect(sending).rejects.toMatchObject({ name: 'DriverError', isTransient: true });
  });

  it('says that a queue that does not exist will not work later', async () => {
    const queueUrls = { ...server.queueUrls, work: `${server.endpoint}/000000000000/none.fifo` };
    const sending = new SqsQueueDriver({ queueUrls, client: server.client }).send('work', message());
    await expect(sending).rejects.toSatisfy((error) => error instanceof DriverError && !error.isTransient);
  });

  it('makes its client on the first send', async () => {
    const factory = vi.fn(() => server.client);
    const lazy = new SqsQueueDriver({ queueUrls: server.queueUrls, client: factory });
    expect(factory).not.toHaveBeenCalled();
    await lazy.send('work', message());
    await lazy.send('work', message());
    expect(factory).toHaveBeenCalledOnce();
  });

  it('is remembered by the noop driver', async () => {
    const noop = new NoopQueueDriver();
    await noop.send('work', message());
    expect(noop.sent).toEqual([{ queue: 'work', message: message() }]);
  });
});

const message = () => ({ group: 'lb-1', deduplication: 'd', body: { n: 1 } });

describe('event source', () => {
  it('works on several load balancers at once, one batch each', async () => {
    let running = 0;
    let most = 0;
    const groupsRunning = new Set<string>();
    const seen: Work[] = [];
    consume(async (event) => {
      const works = worksOf(event);
      const group = works[0]?.group ?? '';
      expect(groupsRunning.has(group)).toBe(false);
      groupsRunning.add(group);
      most = Math.max(most, ++running);
      await delay(20);
      running--;
      groupsRunning.delete(group);
      seen.push(...works);
    });
    for (let n = 0; n < 3; n++) for (const group of ['a', 'b', 'c', 'd']) await send(group, n);
    await vi.waitFor(() => expect(seen).toHaveLength(12), { timeout: 3_000 });
    expect(most).toBeGreaterThan(1);
  });

  it('has no more batches in flight than it may', async () => {
    let running = 0;
    const seen: number[] = [];
    const handler = async () => {
      seen.push(++running);
      await delay(10);
      running--;
    };
    consume(handler, { maxConcurrency: 2 });
    for (let n = 0; n < 8; n++) await send(`lb-${n}`, n);
    await vi.waitFor(() => expect(seen).toHaveLength(8), { timeout: 3_000 });
    expect(Math.max(...seen)).toBe(2);
  });

  it('hands a message over again after the handler threw, before the next of its group', async () => {
    const seen: number[] = [];
    consume(async (event) => {
      seen.push(...worksOf(event).map(({ n }) => n));
      if (seen.length === 1) throw new Error('first time');
    });
    await send('lb-1', 1);
    await send('lb-1', 2);
    await vi.waitFor(() => expect(seen).toEqual([1, 1, 2]));
  });

  it('hands over again only what a batch reported as failed', async () => {
    const seen: Work[] = [];
    const handler = async (event: SQSEvent): Promise<SQSBatchResponse> => {
      seen.push(...worksOf(event));
      const bad = event.Records.filter((record) => JSON.parse(record.body).n === 2 && seen.length <= 3);
      return { batchItemFailures: bad.map((record) => ({ itemIdentifier: record.messageId })) };
    };
    await Promise.all([1, 2, 3].map((n) => send('x', n, 'heartbeats')));
    consume(handler, { queueUrl: server.queueUrls.heartbeats });
    await vi.waitFor(() => expect(seen.map(({ n }) => n).sort()).toEqual([1, 2, 2, 3]));
  });

  it('moves a message that fails each time to the dead letters and goes on with its group', async () => {
    const seen: number[] = [];
    consume(async (event) => {
      const [work] = worksOf(event);
      seen.push(work?.n ?? -1);
      if (work?.n === 1) throw new Error('never');
    });
    await send('lb-1', 1);
    await send('lb-1', 2);
    await vi.waitFor(() => expect(seen).toEqual([1, 1, 2]));
    expect(await receiveDead('work')).toEqual([{ group: 'lb-1', n: 1 }]);
  });

  it('lets a failed message rest for the backoff', async () => {
    const times: number[] = [];
    const handler = async () => {
      times.push(performance.now());
      if (times.length === 1) throw new Error('first time');
    };
    consume(handler, { backoffSeconds: 1 });
    await send('lb-1', 1);
    await vi.waitFor(() => expect(times).toHaveLength(2), { timeout: 3_000 });
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(900);
  });

  it('ends the batch in flight when it stops, and leaves the rest to the next', async () => {
    const seen: number[] = [];
    const source = consume(async (event) => {
      await delay(100);
      seen.push(...worksOf(event).map(({ n }) => n));
    });
    await send('lb-1', 1);
    await send('lb-1', 2);
    await delay(50);
    await source.stop();
    expect(seen).toEqual([1]);
    const rest = collect();
    await vi.waitFor(() => expect(rest.map(({ n }) => n)).toEqual([2]));
  });

  it('stops at once while it waits, and takes no message along', async () => {
    const idle = consume(async () => {});
    await delay(50);
    const before = performance.now();
    await idle.stop();
    expect(performance.now() - before).toBeLessThan(500);
    const seen = collect();
    await send('lb-1', 1);
    await vi.waitFor(() => expect(seen).toHaveLength(1));
  });
});

describe('queue server', () => {
  const directories: string[] = [];
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
  });
  const makeDirectory = () => {
    directories.push(mkdtempSync(join(tmpdir(), 'queue-')));
    return directories.at(-1)!;
  };
  const restartWith = async (dataDir: string) => {
    await server.close();
    server = await startQueueServer({ dataDir, maxReceiveCount: 2 });
    driver = new SqsQueueDriver({ queueUrls: server.queueUrls, client: server.client });
  };

  it('listens on loopback only', async () => {
    expect(new URL(server.endpoint).hostname).toBe('127.0.0.1');
    const port = Number(new URL(server.endpoint).port);
    const others = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    for (const { address } of others.filter(({ internal, family }) => !internal && family === 'IPv4')) {
      const socket = createConnection({ host: address, port });
      await expect(once(socket, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    }
  });

  it('has its messages again after a restart, in order, also those that were in flight', async () => {
    const dataDir = makeDirectory();
    await restartWith(dataDir);
    for (let n = 0; n < 3; n++) await send('lb-1', n);
    await server.client.send(new ReceiveMessageCommand({ QueueUrl: server.queueUrls.work }));
    await restartWith(dataDir);
    const seen = collect();
    await vi.waitFor(() => expect(seen.map(({ n }) => n)).toEqual([0, 1, 2]));
  });

  it('counts receives across restarts', async () => {
    const dataDir = makeDirectory();
    await restartWith(dataDir);
    await send('lb-1', 1);
    for (let receive = 0; receive < 2; receive++) {
      await server.client.send(new ReceiveMessageCommand({ QueueUrl: server.queueUrls.work }));
      await restartWith(dataDir);
    }
    const seen = collect();
    expect(await receiveDead('work')).toEqual([{ group: 'lb-1', n: 1 }]);
    expect(seen).toEqual([]);
  });

  it('has what it acknowledged after its process was killed', async () => {
    const dataDir = makeDirectory();
    const module = new URL('../../local/queue/queue-server.ts', import.meta.url).href;
    const script = `const { startQueueServer } = await import('${module}');
      const server = await startQueueServer({ dataDir: process.argv[1] });
      console.log(JSON.stringify({ queueUrls: server.queueUrls, endpoint: server.endpoint }));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    const { queueUrls, endpoint } = JSON.parse(String((await once(child.stdout, 'data'))[0]));
    const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
    const client = new SQSClient({ endpoint, region: 'us-east-1', credentials });
    const remote = new SqsQueueDriver({ queueUrls, client });
    for (let n = 0; n < 5; n++)
      await remote.send('work', { group: 'lb-1', deduplication: `${n}`, body: { group: 'lb-1', n } });
    child.kill('SIGKILL');
    await once(child, 'exit');
    await restartWith(dataDir);
    const seen = collect();
    await vi.waitFor(() => expect(seen.map(({ n }) => n)).toEqual([0, 1, 2, 3, 4]));
  });
});
