// Calls of every kind, drawn at random, each made to a control plane and to the model of it.
import fc from 'fast-check';
import { loadBalancerKey } from '../../lambdas/repositories/keys.ts';
import type { ControlPlane } from './control-plane.ts';
import type { Answer } from './http.ts';
import { memberAt, type Shown } from './octavia-api.ts';
import { assertAgreement, type Seen } from './status-agreement.ts';
import { assertAnswer, type Kind, type Node, type StatusModel } from './status-model.ts';

export interface Real {
  plane: ControlPlane;
  seen: Seen;
}
type Command = fc.AsyncCommand<StatusModel, Real>;
type Run = (model: StatusModel, real: Real) => Promise<void>;

const command = (name: string, check: (model: StatusModel) => boolean, run: Run): Command => ({
  check: (model) => check(model as StatusModel),
  run,
  toString: () => name,
});

/** A generation never falls, and every accepted change of the tree raises it. */
async function watchGeneration({ plane, seen }: Real, loadBalancer: Node, isRaised: boolean): Promise<void> {
  const row = await plane.services.table.get(loadBalancerKey(loadBalancer.id));
  if (row === undefined) return;
  const before = seen.generations.get(loadBalancer.id) ?? 0;
  const now = Number(row['generation']);
  if (now < before || (isRaised && now === before))
    throw new Error(`generation of ${loadBalancer.id} went from ${before} to ${now}`);
  seen.generations.set(loadBalancer.id, now);
}

interface Call {
  what: string;
  /** Whose load balancer it is about. */
  below: Node;
  answers: number[];
  send: () => Promise<Answer>;
  isRaising?: boolean;
}

/** @returns the answer when the call was accepted */
async function made(real: Real, { what, below, answers, send, isRaising = true }: Call, model: StatusModel) {
  const { status, body } = await send();
  assertAnswer(what, status, answers, body);
  const isAccepted = status < 300;
  await watchGeneration(real, model.wholeOf(below), isAccepted && isRaising);
  return isAccepted ? { body } : undefined;
}

const number = fc.nat({ max: 50 });

const paths: Record<Exclude<Kind, 'member' | 'l7rule'>, string> = {
  loadbalancer: 'loadbalancers',
  listener: 'listeners',
  pool: 'pools',
  healthmonitor: 'healthmonitors',
  l7policy: 'l7policies',
};
const collectionOf = (kind: Kind, parent: Node | null): string =>
  kind === 'member'
    ? `pools/${parent!.id}/members`
    : kind === 'l7rule'
      ? `l7policies/${parent!.id}/rules`
      : paths[kind];
const rootOf = (kind: Kind): string => (kind === 'l7rule' ? 'rule' : kind);

async function create(model: StatusModel, real: Real, node: Omit<Node, 'id'>, attributes: object, answers?: number[]) {
  const { kind, parent } = node;
  const allowed = answers ?? model.answersToWrite(parent!, 201);
  const send = () => real.plane.as().post(collectionOf(kind, parent), { [rootOf(kind)]: attributes });
  const done = await made(real, { what: `create a ${kind}`, below: parent!, answers: allowed, send }, model);
  if (done === undefined) return;
  const added = { ...node, id: done.body[rootOf(kind)].id as string };
  model.add(added);
  return added;
}

const newLoadBalancer = command(
  'create a load balancer',
  (model) => model.of('loadbalancer').length < 3,
  async (model, real) => {
    const shown = await real.plane.as().createLoadBalancer();
    model.add({ kind: 'loadbalancer', id: shown['id'], parent: null });
  },
);
const createLoadBalancer = fc.constant(newLoadBalancer);

type RunBelow = (parent: Node, model: StatusModel, real: Real, n: number) => unknown;

/** A call about something of a kind, of which there has to be one: by its number, with a number of its own. */
const callTo = (what: string, kind: Kind, run: RunBelow) => (which: number, n: number) =>
  command(
    `${what} of ${kind} ${which} (${n})`,
    (model) => model.of(kind).length > 0,
    async (model, real) => void (await run(model.pick(kind, which)!, model, real, n)),
  );
const drawn = (call: (which: number, n: number) => Command) =>
  fc.tuple(number, number).map(([which, n]) => call(which, n));
const below = (what: string, kind: Kind, run: RunBelow) => drawn(callTo(what, kind, run));

const listenerOf = callTo('create a listener', 'loadbalancer', (parent, model, real) => {
  const protocol_port = real.seen.nextPort++;
  const listener = { loadbalancer_id: parent.id, protocol: 'HTTP', protocol_port };
  return create(model, real, { kind: 'listener', parent }, listener);
});

const poolAttributes = { protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' };
const poolOf = callTo('create a pool', 'loadbalancer', (parent, model, real) =>
  create(model, real, { kind: 'pool', parent }, { loadbalancer_id: parent.id, ...poolAttributes }),
);
const defaultPoolOf = callTo('create the default pool', 'listener', async (listener, model, real) => {
  const answers = listener.pool ? [409] : model.answersToWrite(listener, 201);
  const attributes = { listener_id: listener.id, ...poolAttributes };
  listener.pool ??= await create(model, real, { kind: 'pool', parent: listener.parent }, attributes, answers);
});

const createListener = drawn(listenerOf);
const createPool = drawn(poolOf);
const createDefaultPool = drawn(defaultPoolOf);

const createMember = below('create a member', 'pool', (parent, model, real, n) => {
  const member = memberAt(n % 6);
  const address = String(member['address']);
  const isTaken = model.of('member', parent).some((one) => one.address === address);
  return create(model, real, { kind: 'member', parent, address }, member, isTaken ? [409] : undefined);
});

const createMonitor = below('create a health monitor', 'pool', (parent, model, real) => {
  const monitor = { pool_id: parent.id, type: 'HTTP', delay: 5, timeout: 3, max_retries: 2 };
  const answers = model.of('healthmonitor', parent).length > 0 ? [409] : undefined;
  return create(model, real, { kind: 'healthmonitor', parent }, monitor, answers);
});

const createPolicy = below('create an L7 policy', 'listener', async (parent, model, real, n) => {
  const pool = n % 2 === 0 ? undefined : model.of('pool', parent.parent!)[0];
  const target = pool ? { action: 'REDIRECT_TO_POOL', redirect_pool_id: pool.id } : { action: 'REJECT' };
  const position = 1 + (n % 5);
  const attributes = { listener_id: parent.id, position, ...target };
  const policy = await create(model, real, { kind: 'l7policy', parent, pool }, attributes);
  if (policy) model.place(policy, position);
});

const createRule = below('create an L7 rule', 'l7policy', (parent, model, real, n) =>
  create(model, real, { kind: 'l7rule', parent }, { type: 'PATH', compare_type: 'STARTS_WITH', value: `/${n}` }),
);

const pathOf = (node: Node): string => `${collectionOf(node.kind, node.parent)}/${node.id}`;

const changes: Record<Kind, (n: number) => object> = {
  loadbalancer: (n) => ({ name: `lb-${n}` }),
  listener: (n) => ({ connection_limit: n }),
  pool: (n) => ({ lb_algorithm: n % 2 ? 'LEAST_CONNECTIONS' : 'ROUND_ROBIN' }),
  member: (n) => ({ weight: n }),
  healthmonitor: (n) => ({ delay: n + 1 }),
  l7policy: (n) => ({ position: 1 + (n % 5) }),
  l7rule: (n) => ({ value: `/${n}` }),
};

const update = (kind: Kind) =>
  below('update', kind, async (node, model, real, n) => {
    const answers = model.answersToWrite(node, 200);
    const send = () => real.plane.as().put(pathOf(node), { [rootOf(kind)]: changes[kind](n) });
    if ((await made(real, { what: `update a ${kind}`, below: node, answers, send }, model)) === undefined) return;
    model.write(node);
    if (kind === 'l7policy') model.place(node, 1 + (n % 5));
  });

const remove = (kind: Exclude<Kind, 'loadbalancer'>) =>
  below('delete', kind, async (node, model, real) => {
    const answers = kind === 'pool' && model.isPoolInUse(node) ? [409] : model.answersToWrite(node, 204);
    const send = () => real.plane.as().delete(pathOf(node));
    if (await made(real, { what: `delete a ${kind}`, below: node, answers, send }, model)) model.remove(node);
  });

const removeLoadBalancer = below('delete', 'loadbalancer', async (node, model, real, n) => {
  const isCascade = n % 2 === 0;
  const answers = model.answersToDeletion(node, isCascade);
  const send = () => real.plane.as().delete(`${pathOf(node)}?cascade=${isCascade}`);
  const call = { what: 'delete a load balancer', below: node, answers, send, isRaising: false };
  if (await made(real, call, model)) model.remove(node);
});

const failover = below('fail over', 'loadbalancer', async (node, model, real) => {
  const answers = model.answersToFailover(node);
  const send = () => real.plane.as('admin').put(`${pathOf(node)}/failover`);
  const call = { what: 'fail over a load balancer', below: node, answers, send, isRaising: false };
  if (await made(real, call, model)) model.write(node, 'whole');
});

/** Members of a batch by address; what the pool has beside them goes, unless it is additive. */
function batched(model: StatusModel, pool: Node, shown: Shown[], addresses: string[], isAdditive: boolean): void {
  const before = model.of('member', pool);
  if (!isAdditive) for (const one of before) if (!addresses.includes(one.address!)) model.remove(one);
  for (const address of addresses.filter((one) => !before.some((member) => member.address === one))) {
    const row = shown.find((one) => one['address'] === address && one['provisioning_status'] !== 'PENDING_DELETE');
    model.add({ kind: 'member', id: row!['id'], parent: pool, address });
  }
  model.write(pool);
}

const batch = below('batch the members', 'pool', async (pool, model, real, n) => {
  // Now and then more than one transaction takes.
  const count = n === 50 ? 45 : n % 4;
  // A weight no member has: what is the same already would be nothing to do.
  const weight = 60 + (real.seen.batches++ % 190);
  const members = Array.from({ length: count }, (_, index) => memberAt((n + index) % 50, { weight }));
  const isAdditive = n % 3 === 0;
  const isNothing = count === 0 && (isAdditive || model.of('member', pool).length === 0);
  const answers = model.answersToWrite(pool, 202);
  const send = () => real.plane.as().put(`pools/${pool.id}/members?additive_only=${isAdditive}`, { members });
  const allowed = isNothing ? [202, ...answers] : answers;
  const call = { what: 'batch the members', below: pool, answers: allowed, send, isRaising: !isNothing };
  if ((await made(real, call, model)) === undefined || isNothing) return;
  const addresses = members.map((one) => String(one['address']));
  batched(model, pool, await real.plane.as().membersOf({ id: pool.id }), addresses, isAdditive);
});

const hold = fc.constant(
  command(
    'hold the queue',
    (model) => !model.isHeld,
    async (model, { plane }) => {
      plane.queue.isHeld = true;
      model.isHeld = true;
    },
  ),
);
const release = fc.constant(
  command(
    'release the queue',
    (model) => model.isHeld,
    async (model, { plane }) => {
      plane.queue.release();
      model.release();
    },
  ),
);
const settled = command(
  'settle',
  () => true,
  async (model, { plane, seen }) => assertAgreement(model, plane, seen),
);
const settle = fc.constant(settled);

/** What each sequence begins with, so that calls find something to be about: two load balancers, one of which has listeners and pools. */
export const beginning = (): Command[] => [
  newLoadBalancer,
  newLoadBalancer,
  settled,
  listenerOf(0, 0),
  settled,
  defaultPoolOf(0, 0),
  settled,
  poolOf(0, 0),
  settled,
];

export const commands = (): fc.Arbitrary<Iterable<Command>> =>
  fc.commands(
    [
      ...[
        createLoadBalancer,
        createListener,
        createListener,
        createPool,
        createDefaultPool,
        createMember,
        createMonitor,
      ],
      ...[createPolicy, createPolicy, createRule, batch, failover, removeLoadBalancer, hold, release, settle, settle],
      ...(['loadbalancer', 'listener', 'pool', 'member', 'healthmonitor', 'l7policy', 'l7rule'] as const).map(update),
      ...(['listener', 'pool', 'member', 'healthmonitor', 'l7policy', 'l7rule'] as const).map(remove),
    ],
    { maxCommands: 40, size: 'max', ...replayed() },
  );

const replayed = () => (process.env['MODEL_REPLAY'] ? { replayPath: process.env['MODEL_REPLAY'] } : {});
