// Heartbeats taken in: batches handed to the health manager's handler, and through the queue into the table.
import { createHmac, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { SQSEvent } from 'aws-lambda';
import type { Heartbeat, SignedHeartbeat } from '../amphora/agent-api.ts';
import type { AmphoraRow } from '../lambdas/domain/amphora.ts';
import { heartbeatPurpose } from '../lambdas/domain/heartbeat.ts';
import { aesSealer } from '../lambdas/drivers/certificates/sealer.ts';
import { NoopEventDriver } from '../lambdas/drivers/events/event-driver.ts';
import { NoopQueueDriver } from '../lambdas/drivers/queue/queue-driver.ts';
import { SqliteTable } from '../lambdas/drivers/table/sqlite.ts';
import { heartbeatsHandler } from '../lambdas/health-manager/heartbeats.ts';
import { readAllAmphorae } from '../lambdas/repositories/amphorae.ts';
import { readAllHealth } from '../lambdas/repositories/health.ts';
import { readTree } from '../lambdas/repositories/trees.ts';
import { systemClock } from '../lambdas/runtime/clock.ts';
import { defaultConfig } from '../lambdas/runtime/config.ts';
import { silentLogger } from '../lambdas/runtime/logger.ts';
import type { Services } from '../lambdas/runtime/services.ts';
import { type Bench, type Row, rate } from './bench.ts';
import { figures } from './figures.ts';
import { fill, noop, type Setting, within } from './setting.ts';

const amphorae = 100;
const giveUpMs = 20_000;
const listeners = [
  {
    name: 'listener',
    protocol: 'HTTP',
    protocol_port: 80,
    default_pool: {
      name: 'pool',
      protocol: 'HTTP',
      lb_algorithm: 'ROUND_ROBIN',
      healthmonitor: { type: 'HTTP', delay: 5, timeout: 5, max_retries: 3 },
      members: [1, 2, 3].map((index) => ({ address: `10.0.0.${index}`, protocol_port: 80 })),
    },
  },
];

interface Sender {
  amphora_id: string;
  key: string;
  heartbeat: Heartbeat;
}

/** Each amphora of the service, with what it would say while all is well. */
async function senders(table: SqliteTable, services: Pick<Services, 'sealer'>): Promise<Sender[]> {
  const rows = (await readAllAmphorae(table)).filter(({ load_balancer_id }) => load_balancer_id !== null);
  return Promise.all(rows.map((row) => senderOf(table, services, row)));
}

async function senderOf(table: SqliteTable, { sealer }: Pick<Services, 'sealer'>, row: AmphoraRow): Promise<Sender> {
  const tree = await readTree(table, row.load_balancer_id!);
  if (tree === undefined) throw new Error(`amphora ${row.id} has no load balancer`);
  const stats = { tx: 1_000, rx: 200, totconns: 3, ereq: 0, conns: 1 };
  const members = Object.fromEntries(tree.members.map(({ id }) => [id, 'UP']));
  const heartbeat: Heartbeat = {
    id: row.id,
    seq: 0,
    ver: 3,
    sent_at: Date.now(),
    boot: randomUUID(),
    load_balancer_id: row.load_balancer_id,
    generation: tree.loadBalancer.applied_generation,
    digest: '0'.repeat(64),
    listeners: Object.fromEntries(tree.listeners.map(({ id }) => [id, { status: 'OPEN', stats }])),
    pools: Object.fromEntries(
      tree.listeners.map(({ id, default_pool_id }) => [`${default_pool_id}:${id}`, { status: 'UP', members }]),
    ),
  };
  return { amphora_id: row.id, key: sealer.open(row.heartbeat_key, heartbeatPurpose(row.id)), heartbeat };
}

function signed({ amphora_id, key, heartbeat }: Sender, seq: number): string {
  const payload = JSON.stringify({ ...heartbeat, seq, sent_at: Date.now() });
  const message: SignedHeartbeat = {
    amphora_id,
    payload,
    hmac: createHmac('sha256', key).update(payload).digest('hex'),
  };
  return JSON.stringify(message);
}

/** Rounds of one heartbeat of each amphora, signed before the clock runs. */
const rounds = (from: Sender[], count: number, firstSeq: number): string[] =>
  Array.from({ length: count }, (_, round) => from.map((sender) => signed(sender, firstSeq + round))).flat();

const chunks = <T>(all: T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size));

const eventOf = (bodies: string[]): SQSEvent =>
  ({ Records: bodies.map((body, index) => ({ messageId: String(index), body })) }) as SQSEvent;

/** @returns heartbeats, and milliseconds for all of them */
async function throughHandler(services: Services, bodies: string[], batchSize: number): Promise<[number, number]> {
  const handler = heartbeatsHandler(services);
  const events = chunks(bodies, batchSize).map(eventOf);
  const started = performance.now();
  for (const event of events) {
    const { batchItemFailures } = await handler(event);
    if (batchItemFailures.length > 0) throw new Error('heartbeats were not taken in');
  }
  return [bodies.length, performance.now() - started];
}

/** Sent by eight at once, taken in by the service, counted when the table has the last one of each amphora. */
async function throughQueue(setting: Setting, table: SqliteTable, bodies: string[], lastSeq: number): Promise<number> {
  const { queue } = JSON.parse(readFileSync(join(setting.service.state, 'ports.json'), 'utf8')) as { queue: number };
  const endpoint = `http://127.0.0.1:${queue}`;
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = new SQSClient({ region: 'us-east-1', credentials, endpoint });
  const batches = chunks(bodies, 10);
  const started = performance.now();
  const lane = async () => {
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
      const Entries = batch.map((MessageBody, index) => ({ Id: String(index), MessageBody }));
      await client.send(new SendMessageBatchCommand({ QueueUrl: `${endpoint}/000000000000/heartbeats`, Entries }));
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  const suffix = `#${String(lastSeq).padStart(10, '0')}`;
  const isTaken = async () => (await readAllHealth(table)).every(({ sequence }) => sequence?.endsWith(suffix));
  while (!(await isTaken())) {
    if (performance.now() - started > giveUpMs) throw new Error('heartbeats did not arrive');
    await sleep(10);
  }
  client.destroy();
  return performance.now() - started;
}

async function measure(setting: Setting): Promise<Row[]> {
  await fill(setting, amphorae, { listeners });
  const table = new SqliteTable({ path: join(setting.service.state, 'table.sqlite') });
  const { key } = JSON.parse(readFileSync(join(setting.service.state, 'sealing-key.json'), 'utf8')) as { key: string };
  // What the handler reaches; the service itself is idle meanwhile.
  const services = {
    ...{ config: defaultConfig, logger: silentLogger, clock: systemClock, newId: randomUUID, table },
    ...{ queue: new NoopQueueDriver(), events: new NoopEventDriver(), sealer: aesSealer(Buffer.from(key, 'base64')) },
  } as unknown as Services;
  try {
    const from = await senders(table, services);
    // The first round rolls statuses up; after it nothing changes, as it is nearly always.
    await throughHandler(services, rounds(from, 2, 0), 10);
    const tens = await throughHandler(services, rounds(from, 30, 100), 10);
    const hundreds = await throughHandler(services, rounds(from, 60, 200), 500);
    const queued = rounds(from, 30, 300);
    const queuedMs = await throughQueue(setting, table, queued, 329);
    const note = `${amphorae} amphorae`;
    return [
      rate('handler, batches of 500 (as on AWS)', ...hundreds, figures.heartbeatRate, note),
      rate('handler, batches of 10', ...tens, figures.heartbeatRate, note),
      rate(
        'through the queue of one machine',
        queued.length,
        queuedMs,
        { octavia: figures.heartbeatRate.octavia },
        note,
      ),
    ];
  } finally {
    await table.close();
  }
}

const heartbeats: Bench = {
  name: 'heartbeats',
  title: 'Heartbeats taken in',
  run: () => within(noop, measure),
};

export const benches = [heartbeats];
