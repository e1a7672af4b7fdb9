// Calls of clients, drawn by numbers, each made to the world's API and to the model of it.
import { readTree } from '../../lambdas/repositories/trees.ts';
import type { HistoryModel, Kind, Known, Members, Outcome } from './history-model.ts';
import type { HistoryWorld } from './history-world.ts';
import type { Answer } from './http.ts';

export interface Site {
  world: HistoryWorld;
  model: HistoryModel;
  /** What must not happen. */
  complaints: string[];
  /** Pools whose members a call of this group changes. */
  busyPools: Set<Known>;
  /** Of this group: whether there was a reason is known when all of it is answered. */
  refusals: { what: string; isFair: () => boolean }[];
  /** Of what all load balancers are; none: of the default. */
  flavor_id?: string;
}

const paths: Record<Kind, string> = {
  loadbalancer: 'loadbalancers',
  listener: 'listeners',
  pool: 'pools',
  healthmonitor: 'healthmonitors',
  l7policy: 'l7policies',
  l7rule: 'rules',
};
const rootOf = (kind: Kind): string => (kind === 'l7rule' ? 'rule' : kind);
const collectionOf = (kind: Kind, parent: Known | undefined): string =>
  kind === 'l7rule' ? `l7policies/${parent!.id}/rules` : paths[kind];
const pathOf = ({ kind, parent, id }: Known): string => `${collectionOf(kind, parent)}/${id}`;

/** By which updates are told apart. */
export const attributeOf: Record<Kind, string> = {
  loadbalancer: 'description',
  listener: 'description',
  pool: 'description',
  healthmonitor: 'delay',
  l7policy: 'description',
  l7rule: 'value',
};
export const tagOf = (kind: Kind): string => (kind === 'l7rule' ? 'key' : 'name');

const mostLoadBalancers = 3;

/** @param mayBeRefused with 409 or 404, for a reason that is no fault */
async function sent(site: Site, what: string, wish: Parameters<HistoryWorld['api']>[0], mayBeRefused: () => boolean) {
  const answer: Answer = await site.world.api({ ...wish, path: `/v2/lbaas/${wish.path}` });
  const { status, body } = answer;
  const outcome: Outcome = status < 300 ? 'accepted' : status >= 500 ? 'unknown' : 'refused';
  const isFair = () => (status === 409 || status === 404) && mayBeRefused();
  if (outcome === 'refused') site.refusals.push({ what: `${what}: ${status} ${JSON.stringify(body)}`, isFair });
  return { outcome, body };
}

const isDoubtful = (one: Known | undefined): boolean =>
  one !== undefined && (one.existence !== 'there' || isDoubtful(one.parent));

async function create(site: Site, given: { kind: Kind; parent: Known }, attributes: object, isTaken = () => false) {
  const { model } = site;
  const { kind, parent } = given;
  const tag = `${kind}-${model.number()}`;
  const value = kind === 'healthmonitor' ? '5' : kind === 'l7rule' ? '/' : '';
  const one = model.add({ kind, parent, tag, values: new Set([value]) });
  const body = { [rootOf(kind)]: { [tagOf(kind)]: tag, ...attributes } };
  const wish = { method: 'POST', path: collectionOf(kind, parent), body };
  const { outcome, body: made } = await sent(site, `create ${tag}`, wish, () => isDoubtful(parent) || isTaken());
  one.id = made?.[rootOf(kind)]?.id;
  // Its parent may have been deleted at the same time.
  const isThere = outcome === 'accepted' && parent.existence === 'there';
  if (outcome !== 'unknown') one.existence = isThere ? 'there' : isDoubtful(parent) ? parent.existence : 'gone';
  if (outcome === 'refused') one.existence = 'gone';
}

const memberAt = (address: string, weight: number) => ({ address, protocol_port: 8080, weight });
const addressAt = (n: number): string => `192.0.2.${1 + (n % 60)}`;

const flavored = ({ flavor_id }: Site) => (flavor_id === undefined ? {} : { flavor_id });

async function createLoadBalancer(site: Site): Promise<void> {
  const { model, world } = site;
  if (
    model.all.filter(({ kind, existence }) => kind === 'loadbalancer' && existence !== 'gone').length >=
    mostLoadBalancers
  )
    return;
  const [subnet] = await world.outside.network.listSubnets();
  const n = model.number();
  const loadBalancer = model.add({ kind: 'loadbalancer', tag: `lb-${n}`, parent: undefined });
  const listener = model.add({ kind: 'listener', tag: `listener-${n}`, parent: loadBalancer });
  const pool = model.add({ kind: 'pool', tag: `pool-${n}`, parent: loadBalancer });
  pool.members = [new Map([[addressAt(0), 1]])];
  const default_pool = {
    ...{ name: pool.tag, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', members: [memberAt(addressAt(0), 1)] },
  };
  const listeners = [{ name: listener.tag, protocol: 'HTTP', protocol_port: 80, default_pool }];
  const body = { loadbalancer: { name: loadBalancer.tag, vip_subnet_id: subnet!.id, listeners, ...flavored(site) } };
  const wish = { method: 'POST', path: 'loadbalancers', body };
  const { outcome, body: made } = await sent(site, `create ${loadBalancer.tag}`, wish, () => false);
  for (const one of [loadBalancer, listener, pool])
    one.existence = ({ accepted: 'there', refused: 'gone', unknown: 'either' } as const)[outcome];
  if (outcome !== 'accepted') return;
  loadBalancer.id = made.loadbalancer.id;
  listener.id = made.loadbalancer.listeners[0].id;
  pool.id = made.loadbalancer.pools[0].id;
}

async function update(site: Site, one: Known): Promise<void> {
  const n = site.model.number();
  const value = one.kind === 'healthmonitor' ? String(5 + n) : one.kind === 'l7rule' ? `/${n}` : `value ${n}`;
  const attributes = { [attributeOf[one.kind]]: one.kind === 'healthmonitor' ? Number(value) : value };
  const wish = { method: 'PUT', path: pathOf(one), body: { [rootOf(one.kind)]: attributes } };
  const { outcome } = await sent(site, `update ${one.tag}`, wish, () => isDoubtful(one));
  site.model.updated(one, value, outcome);
}

async function remove(site: Site, one: Known): Promise<void> {
  const cascade = one.kind === 'loadbalancer' ? '?cascade=true' : '';
  const wish = { method: 'DELETE', path: `${pathOf(one)}${cascade}` };
  const { outcome } = await sent(site, `delete ${one.tag}`, wish, () => isDoubtful(one));
  site.model.deleted(one, outcome);
}

/** One call at a time about the members of a pool whose members are known. */
async function withMembers(site: Site, n: number, change: (pool: Known, members: Members) => Promise<Outcome>) {
  const pool = site.model.pick('pool', n);
  if (!pool || pool.members.length > 1 || site.busyPools.has(pool)) return;
  site.busyPools.add(pool);
  const next = new Map(pool.members[0]);
  site.model.membersChanged(pool, next, await change(pool, next));
}

const createMember = (site: Site, n: number) =>
  withMembers(site, n, async (pool, members) => {
    const address = addressAt(n);
    const isTaken = members.has(address);
    const body = { member: memberAt(address, n % 9) };
    const wish = { method: 'POST', path: `pools/${pool.id}/members`, body };
    const { outcome } = await sent(site, `create member ${address}`, wish, () => isDoubtful(pool) || isTaken);
    if (!isTaken) members.set(address, n % 9);
    return outcome;
  });

const changeMember = (site: Site, n: number) =>
  withMembers(site, n, async (pool, members) => {
    const [address] = [...members.keys()].slice(n % Math.max(1, members.size));
    const tree = await readTree(site.world.outside.table, site.model.loadBalancerOf(pool).id!);
    const row = tree?.members.find((one) => {
      return one.pool_id === pool.id && one.address === address && one.provisioning_status !== 'PENDING_DELETE';
    });
    if (address === undefined || row === undefined) return 'refused';
    const path = `pools/${pool.id}/members/${row.id}`;
    const isDeletion = n % 2 === 0;
    const wish = isDeletion
      ? { method: 'DELETE', path }
      : { method: 'PUT', path, body: { member: { weight: 10 + (n % 90) } } };
    const { outcome } = await sent(site, `${wish.method} member ${address}`, wish, () => isDoubtful(pool));
    if (isDeletion) members.delete(address);
    else members.set(address, 10 + (n % 90));
    return outcome;
  });

const batch = (site: Site, n: number) =>
  withMembers(site, n, async (pool, members) => {
    // Now and then more than fits into one transaction.
    const count = n % 7 === 0 ? 50 : n % 5;
    const wanted = Array.from({ length: count }, (_, index) => memberAt(addressAt(n + index), 100 + (n % 50)));
    const wish = { method: 'PUT', path: `pools/${pool.id}/members`, body: { members: wanted } };
    const { outcome } = await sent(site, `batch of ${pool.tag}`, wish, () => isDoubtful(pool));
    members.clear();
    for (const { address, weight } of wanted) members.set(address, weight);
    return outcome;
  });

export const failover = async (site: Site, n: number): Promise<void> => {
  const one = site.model.pick('loadbalancer', n);
  if (one) await sent(site, 'failover', { method: 'PUT', path: `loadbalancers/${one.id}/failover` }, () => true);
};
const failoverOfAmphora = async (site: Site, n: number): Promise<void> => {
  const all = await site.world.amphorae.all();
  const one = all[n % all.length];
  if (one) await site.world.api({ method: 'PUT', path: `/v2/octavia/amphorae/${one.id}/failover` });
};

const below =
  (kind: Kind, parentKind: Kind, attributes: (parent: Known, number: number) => object, isTaken?: () => boolean) =>
  async (site: Site, n: number): Promise<void> => {
    const parent = site.model.pick(parentKind, n);
    if (parent) await create(site, { kind, parent }, attributes(parent, site.model.number()), isTaken);
  };
const changeOf =
  (kind: Kind) =>
  async (site: Site, n: number): Promise<void> => {
    const one = site.model.pick(kind, n);
    if (one) await (n % 3 === 0 && kind !== 'loadbalancer' ? remove(site, one) : update(site, one));
  };
const removeLoadBalancer = async (site: Site, n: number): Promise<void> => {
  const one = site.model.pick('loadbalancer', n);
  if (one) await remove(site, one);
};

const http = { protocol: 'HTTP' };
const calls: ((site: Site, n: number) => Promise<void>)[] = [
  ...[createLoadBalancer, createLoadBalancer, createMember, createMember, changeMember, changeMember, batch, batch],
  below('listener', 'loadbalancer', ({ id }, number) => ({
    loadbalancer_id: id,
    ...http,
    protocol_port: 1_000 + number,
  })),
  below('pool', 'loadbalancer', ({ id }) => ({ loadbalancer_id: id, ...http, lb_algorithm: 'ROUND_ROBIN' })),
  below(
    'healthmonitor',
    'pool',
    ({ id }) => ({ pool_id: id, type: 'TCP', delay: 5, timeout: 3, max_retries: 2 }),
    () => true,
  ),
  below('l7policy', 'listener', ({ id }) => ({ listener_id: id, action: 'REJECT' })),
  below('l7rule', 'l7policy', () => ({ type: 'HEADER', compare_type: 'EQUAL_TO', value: '/' })),
  ...(['loadbalancer', 'listener', 'pool', 'healthmonitor', 'l7policy', 'l7rule'] as const).map(changeOf),
  ...[failover, failoverOfAmphora, removeLoadBalancer],
];

/** What clients do at the same time. */
export async function writeGroup(site: Site, numbers: number[]): Promise<void> {
  site.model.group++;
  site.busyPools.clear();
  await Promise.all(numbers.map((n) => calls[n % calls.length]!(site, Math.floor(n / calls.length))));
  for (const { what, isFair } of site.refusals.splice(0)) if (!isFair()) site.complaints.push(what);
}
