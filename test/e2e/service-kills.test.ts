// The promise that PENDING always ends and no accepted write is lost, put to the test: random writes while the service is killed
// again and again at random moments. OCTAVIA_TEST_SEED repeats a run's choices.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AcceptedWrites, type Expected } from '../support/accepted-writes.ts';
import { eventually, report } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import type { LoadBalancer, Resource } from '../support/octavia-client.ts';
import { childrenOf } from '../support/processes.ts';
import { seeded } from '../support/random.ts';
import { request, TestMember } from '../support/traffic.ts';

const writeCount = 50;
const killCount = 12;
const mostLoadBalancers = 5;
/** More than fit into one transaction. */
const largeBatch = 60;
const settledWithinMs = 120_000;

/** A load balancer with two listeners: the members of one come one by one, those of the other in batches. */
interface Subject {
  loadBalancer: Expected;
  listeners: Expected[];
  members: Expected[];
  singlesPool: string;
  batchPool: string;
  /** Addresses of the batch pool after the last batch that was accepted, and after those that may have been. */
  batches: string[][];
  /** Writes to one load balancer come one after the other, so that it is known which was last. */
  last: Promise<void>;
}

let service: LocalService;
let member: TestMember;
beforeAll(async () => {
  service = await LocalService.start();
  member = await TestMember.start('member', '0.0.0.0');
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  member[Symbol.dispose]();
});

const seed = Number(process.env['OCTAVIA_TEST_SEED'] ?? Math.floor(Math.random() * 1e9));
const random = seeded(seed);
const below = (limit: number): number => Math.floor(random() * limit);
const pick = <T>(from: T[]): T | undefined => from[below(from.length)];

const writes = new AcceptedWrites();
const subjects: Subject[] = [];
let names = 0;
const newName = (kind: string): string => `${kind}-${++names}`;
/** All of 127.0.0.0/8 leads to the one member there is. */
const newAddress = (): string => `127.1.${1 + Math.floor(++names / 250)}.${1 + (names % 250)}`;
const attributesAt = (address: string) => ({ address, protocol_port: member.protocol_port });
const graphPool = (name: string) => ({
  name,
  protocol: 'HTTP',
  lb_algorithm: 'ROUND_ROBIN',
  members: [{ ...attributesAt('127.0.0.1'), name: newName('first') }],
});
const listenerAt = (protocol_port: number, rest: object) => ({
  name: newName('listener'),
  protocol: 'HTTP',
  protocol_port,
  ...rest,
});

async function createSubject(): Promise<void> {
  await up;
  const listeners = [
    listenerAt(8080, { default_pool: graphPool('singles') }),
    listenerAt(8081, { default_pool: graphPool('batch') }),
  ];
  const loadBalancer = await writes.create(service.api, 'loadbalancers', { name: newName('lb'), listeners });
  if (loadBalancer.id === undefined) return;
  const pools = await reads(() => service.api.list(`pools?loadbalancer_id=${loadBalancer.id}`));
  const poolNamed = (name: string) => pools.find((pool) => pool.name === name)!.id;
  subjects.push({
    loadBalancer,
    listeners: [],
    members: [],
    singlesPool: poolNamed('singles'),
    batchPool: poolNamed('batch'),
    batches: [['127.0.0.1']],
    last: Promise.resolve(),
  });
}

/** A read may be repeated until the service is back. */
const reads = <T>(read: () => Promise<T>): Promise<NonNullable<T>> => eventually('the API answers', read);

const there = (all: Expected[]): Expected[] =>
  all.filter(({ existence, id }) => existence === 'there' && id !== undefined);

async function addListener({ loadBalancer, listeners, singlesPool }: Subject): Promise<void> {
  const rest = { loadbalancer_id: loadBalancer.id, default_pool_id: singlesPool };
  listeners.push(await writes.create(service.api, 'listeners', listenerAt(9000 + ++names, rest)));
}

async function addMember({ members, singlesPool }: Subject): Promise<void> {
  const attributes = { name: newName('member'), ...attributesAt(newAddress()) };
  members.push(await writes.create(service.api, `pools/${singlesPool}/members`, attributes));
}

async function replaceBatch(subject: Subject): Promise<void> {
  const addresses = Array.from({ length: pick([2, 5, largeBatch])! }, newAddress);
  const outcome = await writes.outcomeOf(
    `batch of ${subject.loadBalancer.name}`,
    service.api.replaceMembers(subject.batchPool, addresses.map(attributesAt)),
  );
  if (outcome === 'accepted') subject.batches = [addresses];
  if (outcome === 'unknown') subject.batches.push(addresses);
}

async function removeOne(all: Expected[]): Promise<void> {
  const one = pick(there(all));
  if (one) await writes.delete(service.api, one);
}

const failover = ({ loadBalancer }: Subject) =>
  writes.outcomeOf(`failover of ${loadBalancer.name}`, service.api.failover(loadBalancer.id!));
const removeSubject = (subject: Subject) =>
  writes.delete(service.api, subject.loadBalancer, [...subject.listeners, ...subject.members]);
const isAlive = ({ loadBalancer }: Subject): boolean => loadBalancer.existence === 'there';

const kinds: ((subject: Subject) => Promise<unknown>)[] = [
  addListener,
  addListener,
  addMember,
  addMember,
  addMember,
  replaceBatch,
  replaceBatch,
  failover,
  ({ listeners }) => removeOne(listeners),
  ({ members }) => removeOne(members),
  ({ members }) => removeOne(members),
  ({ loadBalancer }) => writes.describe(service.api, loadBalancer, newName('description')),
  (subject) => (subjects.filter(isAlive).length > 2 ? removeSubject(subject) : addMember(subject)),
];

/** Begins one write, whose end is not waited for. */
function write(): Promise<void> {
  const alive = subjects.filter(isAlive);
  if (alive.length < 2 || (subjects.length < mostLoadBalancers && below(8) === 0)) return createSubject();
  const subject = pick(alive)!;
  const kind = pick(kinds)!;
  subject.last = subject.last.then(async () => {
    await up;
    // It may be gone by its turn.
    if (isAlive(subject)) await kind(subject);
  });
  return subject.last;
}

/** Resolved while the service is there: a write that never leaves the client says nothing. */
let up = Promise.resolve();

/** Mostly of the service alone; sometimes of everything, or once more before it is ready. */
async function killAndRestart(): Promise<void> {
  // Within a write, or within the flow it has started.
  await sleep(below(2) === 0 ? below(25) : below(300));
  const back = Promise.withResolvers<void>();
  up = back.promise;
  if (below(4) === 0) await service.killAll();
  else await service.kill();
  if (below(4) === 0) await killWhileStarting();
  await service.restart();
  // The first request logs in.
  await service.api.list('loadbalancers');
  back.resolve();
}

async function killWhileStarting(): Promise<void> {
  const starting = service.restart().catch(() => {});
  await sleep(below(900));
  await service.kill();
  await starting;
}

const killAfter = new Set<number>();
while (killAfter.size < killCount) killAfter.add(below(writeCount));

test('loses no accepted write and ends everything PENDING, however often the service is killed', async () => {
  process.stdout.write(`  seed: ${seed}\n`);
  const since = performance.now();
  const begun: Promise<void>[] = [];
  for (let count = 0; count < writeCount; count++) {
    begun.push(write());
    if (killAfter.has(count)) await killAndRestart();
    else await sleep(below(300));
  }
  await Promise.all(begun);
  report(`${writeCount} writes and ${killCount} kills`, performance.now() - since);
  process.stdout.write(`  answers: ${JSON.stringify(writes.counts)}\n`);
  expect(writes.faults).toEqual([]);

  const settled = performance.now();
  const listed = await eventually('every load balancer is ACTIVE or gone', allActive, settledWithinMs);
  report('last kill -> every load balancer ACTIVE or gone', performance.now() - settled);
  expect(await writes.contradictions(service.api)).toEqual([]);
  for (const loadBalancer of listed) await isInForce(loadBalancer);
  await nothingIsLeftOver(listed);
}, 300_000);

async function allActive(): Promise<LoadBalancer[] | undefined> {
  const listed = await service.api.list<LoadBalancer>('loadbalancers');
  const busy = listed.filter(({ provisioning_status }) => provisioning_status !== 'ACTIVE');
  if (busy.length > 0)
    throw new Error(busy.map(({ name, provisioning_status }) => `${name} ${provisioning_status}`).join());
  return listed;
}

/** What the API shows is what HAProxy has, and it serves on every listener. */
async function isInForce({ id, name, vip_address }: LoadBalancer): Promise<void> {
  const listeners = await service.api.list<Resource>(`listeners?load_balancer_id=${id}`);
  expect(listeners.map(({ provisioning_status }) => provisioning_status)).toEqual(listeners.map(() => 'ACTIVE'));
  const pools = await service.api.list<Resource>(`pools?loadbalancer_id=${id}`);
  const members = (await Promise.all(pools.map((pool) => service.api.list(`pools/${pool.id}/members`)))).flat();
  expect(members.every(({ provisioning_status }) => provisioning_status === 'ACTIVE')).toBe(true);

  const text = service.configuration(await service.amphora(id), id);
  const configured = new Set([...text.matchAll(/^\s+server (\S+) \S+ weight /gm)].map(([, memberId]) => memberId));
  expect(configured, name).toEqual(new Set(members.map((one) => one.id)));
  for (const { protocol_port } of listeners) expect(await request(vip_address, Number(protocol_port))).toBe('member');
  await batchIsWhole(id);
}

/** All of the last batch or all of one that may have been accepted after it, never a mixture. */
async function batchIsWhole(id: string): Promise<void> {
  const subject = subjects.find(({ loadBalancer }) => loadBalancer.id === id);
  if (!subject) return;
  const listed = await service.api.list(`pools/${subject.batchPool}/members`);
  const addresses = listed.map((one) => String(one['address'])).toSorted();
  expect(subject.batches.map((batch) => batch.toSorted())).toContainEqual(addresses);
}

async function nothingIsLeftOver(listed: LoadBalancer[]): Promise<void> {
  const since = performance.now();
  await eventually(
    'amphorae are those of load balancers and one spare',
    async () => {
      const owned = await Promise.all(listed.map(async ({ id }) => (await service.amphora(id)).id));
      const wanted = [...owned, ...(await service.spares())].toSorted();
      expect(wanted).toHaveLength(listed.length + 1);
      expect(service.amphoraIds().toSorted()).toEqual(wanted);
      const agents = service.processes().filter(({ kind }) => kind === 'agent');
      expect(agents.map(({ command }) => command.split('/').at(-2)).toSorted()).toEqual(wanted);
      return true;
    },
    settledWithinMs,
  );
  report('everything else is swept', performance.now() - since);
  const masters = listed.map(async ({ id }) => (await service.amphora(id)).haproxy);
  const expected = (await Promise.all(masters)).toSorted((a, b) => a - b);
  const workers = expected.flatMap(childrenOf);
  const running = service.processes().filter(({ kind, pid }) => kind === 'haproxy' && !workers.includes(pid));
  expect(running.map(({ pid }) => pid).toSorted((a, b) => a - b)).toEqual(expected);
}

test('deletes all of it in the end', async () => {
  for (const { id } of await service.api.list('loadbalancers')) {
    await service.api.delete('loadbalancers', `${id}?cascade=true`);
    await service.api.gone('loadbalancers', id);
  }
  await eventually('no HAProxy runs', () => service.processes().every(({ kind }) => kind !== 'haproxy'));
  for (const collection of ['listeners', 'pools']) expect(await service.api.list(collection)).toEqual([]);
});
