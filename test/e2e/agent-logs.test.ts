// The agent with the real HAProxy and a store of objects: what is announced, shipped, refused, and what a kill leaves.
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ArchiveRight, LogArchive } from '../../amphora/agent-api.ts';
import { DirectoryObjectStore } from '../../lambdas/drivers/objects/directory.ts';
import { defaultLogFormat } from '../../lambdas/haproxy/logging.ts';
import { renderConfiguration } from '../../lambdas/haproxy/render.ts';
import { fetchOnce, freePort, makeAddress, TestAmphora, TestQueue } from '../support/agent-process.ts';
import { aListener, aLoadBalancer, aMember, aPool, aTree } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { TestMember } from '../support/traffic.ts';

const limits = { chunk_bytes: 1_000_000, chunk_age_ms: 400, budget_bytes: 10_000_000 };
const rightMs = 60_000;
let queue: TestQueue;
let amphora: TestAmphora;
let member: TestMember;
let objects: Server;
let directory: string;
let store: DirectoryObjectStore;
let vip: string;
let port: number;
let lbId: string;
let skewMs: number;

beforeEach(async () => {
  [queue, member] = await Promise.all([TestQueue.open(), TestMember.start('one')]);
  directory = mkdtempSync(join(tmpdir(), 'agent-logs-'));
  skewMs = 0;
  objects = createServer((request, response) => {
    void store
      .put(request)
      .then(({ status, message }) => response.writeHead(status, { connection: 'close' }).end(message));
  });
  await once(objects.listen(0, '127.0.0.1'), 'listening');
  const endpoint = `http://127.0.0.1:${(objects.address() as AddressInfo).port}/objects`;
  const clock = { now: () => Date.now() + skewMs };
  store = new DirectoryObjectStore({ directory, endpoint: () => endpoint, secret: 's', clock, rightMs });
  vip = makeAddress();
  port = await freePort(vip);
  lbId = randomUUID();
  amphora = await TestAmphora.boot(queue, { logs: limits, heartbeat_interval_ms: 200 });
});
afterEach(async () => {
  await amphora.remove();
  queue.close();
  member[Symbol.dispose]();
  objects.close();
  rmSync(directory, { recursive: true });
});

/** As the control plane renders it. */
function configuration(): string {
  const poolId = randomUUID();
  const of = { load_balancer_id: lbId };
  const tree = aTree({
    loadBalancer: aLoadBalancer({ id: lbId, ...of, vip_address: vip }),
    listeners: [aListener({ ...of, id: randomUUID(), protocol_port: port, default_pool_id: poolId })],
    pools: [aPool({ ...of, id: poolId })],
    members: [
      aMember({
        ...of,
        id: randomUUID(),
        pool_id: poolId,
        address: member.address,
        protocol_port: member.protocol_port,
      }),
    ],
  });
  const logging = { format: defaultLogFormat, traffic: 'on' as const };
  return renderConfiguration(tree, { amphora_id: amphora.id, hardStopAfterMs: 5_000, logging }).text;
}

async function serve(): Promise<void> {
  await amphora.plug(lbId, vip);
  expect(await amphora.push(lbId, 1, configuration())).toMatchObject({ status: 202 });
  await eventually('it serves', () => fetchOnce(vip, port));
}

const get = (path: string) => fetchOnce(vip, port, false, path);
const announced = (): LogArchive[] => queue.heartbeats.flatMap(({ logs }) => logs?.archives ?? []);
/** Asked for again and again, so the last word on each. */
const ofTenant = () => new Map(announced().flatMap((one) => (one.kind === 'tenant' ? [[one.name, one]] : [])));
const grant = (name: string, right: ArchiveRight) => amphora.call('PUT', `/1.0/logs/${name}`, JSON.stringify(right));
const rightFor = ({ name, bytes, sha256 }: LogArchive, given = {}) =>
  store.rightToPut({ key: `t/${name}`, bytes, sha256, ...given });
const onAmphora = (): string[] => readdirSync(join(amphora.directory, 'state', 'logs', 'tenant')).sort();
const shipped = (): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((one) => /tenant-.*[0-9a-f]{8}$/.test(one));
const requestsIn = (files: string[]): string[] =>
  files.flatMap((file) =>
    [
      ...gunzipSync(readFileSync(file))
        .toString()
        .matchAll(/"GET (\S+) /g),
    ].map(([, path]) => path!),
  );
const shippedRequests = () => requestsIn(shipped().map((file) => join(directory, file)));

/** Whatever is on the disk of the amphora, in whichever state. */
function writtenLines(): string {
  const folder = join(amphora.directory, 'state', 'logs', 'tenant');
  const text = onAmphora().map((file) => {
    const content = readFileSync(join(folder, file));
    return file.endsWith('.log.gz') ? gunzipSync(content).toString() : content.toString('latin1');
  });
  return text.join('');
}

async function shipAnnounced(): Promise<void> {
  for (const archive of ofTenant().values()) await grant(archive.name, await rightFor(archive));
}

/** Gives the right to whatever is announced, until all these requests have arrived. */
async function shipUntil(paths: string[]): Promise<void> {
  await eventually('everything has arrived', async () => {
    await shipAnnounced();
    return paths.every((path) => shippedRequests().includes(path));
  });
}

test('announces a closed log, ships it with the right it is given, and deletes its copy', async () => {
  await serve();
  await get('/one');
  const archive = await eventually('an archive with it is announced', () =>
    [...ofTenant().values()].find(({ name }) =>
      requestsIn([join(amphora.directory, 'state', 'logs', 'tenant', `${name}.log.gz`)]).includes('/one'),
    ),
  );
  const file = readFileSync(join(amphora.directory, 'state', 'logs', 'tenant', `${archive.name}.log.gz`));
  expect(archive).toMatchObject({ bytes: file.length, sha256: createHash('sha256').update(file).digest('hex') });
  expect(await grant(archive.name, await rightFor(archive))).toMatchObject({ status: 202 });
  await eventually('its copy is gone', () => !onAmphora().join().includes(archive.name));
  expect(readFileSync(join(directory, 't', archive.name))).toEqual(file);
  expect(await grant(archive.name, await rightFor(archive))).toMatchObject({ status: 404 });
  const { json } = await amphora.call('GET', '/1.0/details');
  expect(json['logs']).toMatchObject({ dropped: 0 });
});

test('keeps what was refused: a right that is over, for other content, or for another object', async () => {
  await serve();
  const archive = await eventually('an archive', () => [...ofTenant().values()][0]);
  const refused = async (right: ArchiveRight) => {
    const before = failures().size;
    expect(await grant(archive.name, right)).toMatchObject({ status: 202 });
    await eventually('it was refused', () => failures().size > before);
  };
  skewMs = -2 * rightMs;
  const late = await rightFor(archive);
  skewMs = 0;
  const right = await rightFor(archive);
  await refused(late);
  await refused(await rightFor(archive, { sha256: '0'.repeat(64) }));
  await refused({ ...right, url: right.url.replace('/t/', '/other/') });
  expect(shipped()).toEqual([]);
  expect(onAmphora()).toContain(`${archive.name}.log.gz`);
  await eventually('the right one', async () => {
    await grant(archive.name, await rightFor(archive));
    return shipped().includes(`t/${archive.name}`);
  });
});

const failures = () => said('a log was not shipped');

/** Lines of the agent's own in the log for operators, each once. */
function said(words: string): Set<string> {
  const folder = join(amphora.directory, 'state', 'logs', 'admin');
  const text = readdirSync(folder).map((file) => {
    const content = readFileSync(join(folder, file));
    return file.endsWith('.log.gz') ? gunzipSync(content).toString() : content.toString();
  });
  return new Set(
    text
      .join('')
      .split('\n')
      .filter((line) => line.includes(words)),
  );
}

test('loses nothing it has written when it is killed, nor what is logged while it is away, and ships nothing twice', async () => {
  await serve();
  const paths: string[] = [];
  for (let round = 0; round < 4; round++) {
    for (let number = 0; number < 10; number++) {
      paths.push(`/round-${round}-${number}`);
      await get(paths.at(-1)!);
    }
    await eventually('the last line is written', () => writtenLines().includes(paths.at(-1)!));
    // Sometimes an open log, sometimes one that is just closed or gzipped.
    await sleep(150 * round);
    await amphora.kill('SIGKILL');
    // HAProxy sees that nobody reads: until then a line may be on its way to an agent that is gone.
    await sleep(100);
    paths.push(`/away-${round}`);
    await get(paths.at(-1)!);
    await amphora.start();
  }
  await shipUntil(paths);
  const arrived = shippedRequests().filter((path) => path !== '/');
  expect(arrived.toSorted()).toEqual(paths.toSorted());
});

test('says how many connections a reload leaves without a line', async () => {
  await serve();
  const held = connect(port, vip);
  await once(held, 'connect');
  const told = () => said('outlive a reload');
  expect(told().size).toBe(0);
  const other = configuration().replace('timeout client 50000', 'timeout client 40000');
  expect(await amphora.push(lbId, 2, other)).toMatchObject({ json: { method: 'reload' } });
  const [line] = await eventually('it is said', () => (told().size > 0 ? [...told()] : undefined));
  expect(line).toContain('"connections":1');
  held.destroy();
});

test('puts traffic before anything: requests are answered while nobody takes the log, and what is lost is counted', async () => {
  await serve();
  amphora.process.kill('SIGSTOP');
  const path = `/${'x'.repeat(900)}`;
  for (let number = 0; number < 1_600; number++) await get(path);
  amphora.process.kill('SIGCONT');
  const dropped = () => queue.heartbeats.reduce((sum, { logs }) => sum + (logs?.dropped ?? 0), 0);
  // While the ring is full the newest line is the one that is lost.
  let sent = 1_600;
  await eventually('lines arrive again', async () => {
    await get('/after');
    sent += 1;
    await shipAnnounced();
    return shippedRequests().includes('/after');
  });
  const kept = () => shippedRequests().filter((one) => one !== '/').length;
  await eventually('each line has arrived or is counted', async () => {
    await shipAnnounced();
    return kept() + dropped() === sent;
  });
  expect(dropped()).toBeGreaterThan(0);
});
