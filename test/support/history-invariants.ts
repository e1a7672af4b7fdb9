// What holds of a history's world after each step, and what holds of it in the end.

import { childrenOf } from '../../lambdas/domain/tree.ts';
import { scanHealth } from '../../lambdas/health-manager/scan.ts';
import { readAmphorae } from '../../lambdas/repositories/amphorae.ts';
import { readStatistics } from '../../lambdas/repositories/statistics.ts';
import { readTree } from '../../lambdas/repositories/trees.ts';
import { unsoundness } from './flow-soundness.ts';
import { attributeOf, type Site, tagOf } from './history-calls.ts';
import type { Known } from './history-model.ts';

/** From which statuses a resource comes to which; `null`: it was not there. */
const allowed: Record<string, string[]> = {
  null: ['PENDING_CREATE'],
  PENDING_CREATE: ['ACTIVE', 'ERROR', 'PENDING_DELETE', 'PENDING_UPDATE', 'DELETED'],
  // PENDING_CREATE: touched by a write that read it before it was committed. These are the writes themselves, not what their writers meant.
  ACTIVE: ['PENDING_UPDATE', 'PENDING_DELETE', 'ERROR', 'PENDING_CREATE'],
  PENDING_UPDATE: ['ACTIVE', 'ERROR', 'PENDING_DELETE', 'DELETED'],
  PENDING_DELETE: ['DELETED', 'ERROR'],
  ERROR: ['PENDING_CREATE', 'PENDING_UPDATE', 'PENDING_DELETE', 'ACTIVE', 'DELETED'],
  DELETED: [],
};

/** Numbers that only ever rise, by what they are of. */
export class Watch {
  readonly #site: Site;
  readonly #numbers = new Map<string, number>();
  #told = 0;

  constructor(site: Site) {
    this.#site = site;
  }

  #complain(what: string): void {
    this.#site.complaints.push(what);
  }

  #rises(what: string, value: number): void {
    const before = this.#numbers.get(what) ?? 0;
    if (value < before) this.#complain(`${what} went from ${before} to ${value}`);
    this.#numbers.set(what, value);
  }

  async look(): Promise<void> {
    const { world } = this.#site;
    this.#transitions();
    for (const row of await world.loadBalancers()) {
      for (const name of ['generation', 'applied_generation', 'vip_epoch'] as const)
        this.#rises(`${name} of ${row.id}`, row[name]);
      if (row.applied_generation > row.generation) this.#complain(`${row.id} runs what nobody asked for`);
      if (row.provisioning_status === 'ACTIVE' && row.applied_generation < row.generation)
        this.#complain(`${row.id} is ACTIVE and runs ${row.applied_generation} of ${row.generation}`);
      if (row.provisioning_status.startsWith('PENDING') && row.operation === null)
        this.#complain(`${row.id} is ${row.provisioning_status} and waits for nothing`);
      // Of what is being deleted nobody counts any more.
      if (row.provisioning_status !== 'PENDING_DELETE' && row.failed !== 'delete')
        await this.#statistics(row.id, row.amphora_ids);
    }
    this.#operations();
    for (const { complaints } of [world.vips, world.table]) for (const one of complaints.splice(0)) this.#complain(one);
  }

  #transitions(): void {
    const { published } = this.#site.world.outside.events;
    for (const { type, resource, detail } of published.slice(this.#told)) {
      if (type !== 'provisioning_status_changed') continue;
      const { from, to } = detail as { from: string | null; to: string };
      if (from !== to && !allowed[String(from)]?.includes(to)) this.#complain(`${resource} went from ${from} to ${to}`);
    }
    this.#told = published.length;
  }

  async #statistics(id: string, amphoraIds: string[]): Promise<void> {
    const { world } = this.#site;
    const there = new Set((await readTree(world.outside.table, id))?.listeners.map((one) => one.id));
    const carried = world.carried.get(id) ?? 0;
    for (const [listener, { total_connections }] of await readStatistics(world.outside.table, id, amphoraIds)) {
      if (!there.has(listener)) continue;
      this.#rises(`connections of ${listener}`, total_connections);
      if (total_connections > carried) this.#complain(`${total_connections} of ${carried} connections were counted`);
    }
  }

  /** One that is older than it may be was given up, whatever its process still does. */
  #operations(): void {
    const { world } = this.#site;
    // The lease is taken before the execution begins, which may take some tries.
    const since = world.clock.now() - world.services.config.flow_timeout_ms + 600_000;
    const running = world
      .running()
      .filter(({ flow, started_at }) => flow.endsWith('-load-balancer') && started_at > since)
      .map(({ input, name }) => ({ id: String(JSON.parse(input).load_balancer_id), name }));
    for (const [id, all] of Map.groupBy(running, (one) => one.id))
      if (all.length > 1) this.#complain(`${all.map(({ name }) => name).join(' and ')} work on ${id} at once`);
  }
}

/** Long enough that whoever lost its machine is missed, and a pause after a failover that failed is over. */
async function looksAfterHealth({ world }: Site): Promise<void> {
  world.speakAgain();
  for (let rounds = 0; rounds < 12; rounds++) {
    world.clock.turn(rounds === 6 ? 600_000 : 20_000);
    await world.amphorae.speak();
    await scanHealth(world.services);
    await world.settle();
  }
}

/** Everything goes on to its end; what is in ERROR is asked for again, as its owner would. */
export async function settleAndHeal(site: Site): Promise<void> {
  const { world } = site;
  world.calm();
  await world.settle();
  await world.amphorae.deliver(world.late.splice(0));
  await looksAfterHealth(site);
  for (let tries = 0; tries < 3; tries++) {
    for (const row of await world.loadBalancers())
      if (row.provisioning_status === 'ERROR')
        await (row.failed === 'delete' ? world.remove(row.id) : world.rename(row.id, row.name));
    await world.settle();
  }
  await world.age();
  await world.amphorae.speak();
}

/** @returns what is wrong in the end */
export async function disagreements(site: Site): Promise<string[]> {
  const { world, model } = site;
  const wrong = [...site.complaints, ...(await unsoundness(world))];
  const rows = await world.loadBalancers();
  for (const { name, provisioning_status, reason } of rows)
    if (provisioning_status !== 'ACTIVE') wrong.push(`${name} is ${provisioning_status} in the end: ${reason}`);
  for (const { id } of rows) wrong.push(...(await misheard(site, id)));
  const seen = new Map<string, Seen>();
  for (const { id } of rows) for (const [tag, one] of await resourcesOf(site, id)) seen.set(tag, one);
  for (const one of model.all) wrong.push(...judged(one, seen.get(one.tag)));
  const tags = new Set(model.all.map(({ tag }) => tag));
  for (const tag of seen.keys()) if (!tags.has(tag)) wrong.push(`nobody asked for ${tag}`);
  return wrong;
}

/** Members whose operating status is not what the amphora that serves said last. */
async function misheard({ world }: Site, id: string): Promise<string[]> {
  const { loadBalancer, listeners, members } = (await readTree(world.outside.table, id))!;
  const amphorae = await readAmphorae(world.outside.table, loadBalancer.amphora_ids);
  const serving = amphorae.find(({ role }) => role !== 'BACKUP');
  if (serving === undefined || loadBalancer.provisioning_status !== 'ACTIVE') return [];
  const served = new Set(listeners.map(({ default_pool_id }) => default_pool_id));
  return members
    .filter(({ pool_id }) => served.has(pool_id))
    .map((one) => ({ one, to: world.amphorae.wordOf(serving.id, one.id) === 'UP' ? 'ONLINE' : 'ERROR' }))
    .filter(({ one, to }) => one.operating_status !== to)
    .map(({ one, to }) => `member ${one.id} is ${one.operating_status}, its amphora says ${to}`);
}

interface Seen {
  value: string;
  members?: string;
  /** Members that no amphora serves. */
  isMissing?: string[];
}

const toText = (members: Iterable<readonly [string, number]>): string =>
  [...members]
    .map(([address, weight]) => `${address}=${weight}`)
    .toSorted()
    .join();

/** By their tags. */
async function resourcesOf({ world }: Site, id: string): Promise<Map<string, Seen>> {
  const tree = (await readTree(world.outside.table, id))!;
  const [serving] = tree.loadBalancer.amphora_ids;
  const text = world.texts.get(serving ?? '') ?? '';
  const children = childrenOf(tree).filter(({ kind }) => kind !== 'member');
  const all = [{ kind: 'loadbalancer' as const, row: tree.loadBalancer }, ...children];
  return new Map(
    all.map(({ kind, row }) => {
      const attributes = row as unknown as Record<string, unknown>;
      const own = kind as keyof typeof attributeOf;
      const seen: Seen = { value: String(attributes[attributeOf[own]] ?? '') };
      if (kind === 'pool') {
        const members = tree.members.filter(({ pool_id }) => pool_id === row.id);
        const isServed = tree.listeners.some(({ default_pool_id }) => default_pool_id === row.id);
        seen.members = toText(members.map(({ address, weight }) => [address, weight] as const));
        seen.isMissing = isServed ? members.map((one) => one.id).filter((one) => !text.includes(one)) : [];
      }
      return [String(attributes[tagOf(own)]), seen] as const;
    }),
  );
}

function judged({ tag, kind, existence, values, members }: Known, seen: Seen | undefined): string[] {
  if (seen === undefined) return existence === 'there' ? [`${tag} was accepted and is lost`] : [];
  if (existence === 'gone') return [`${tag} was deleted or refused and is there`];
  const wrong: string[] = [];
  if (!values.has(seen.value)) wrong.push(`${tag} is "${seen.value}", not "${[...values].join('" or "')}"`);
  if (kind === 'pool' && !members.map(toText).includes(seen.members!))
    wrong.push(`${tag} has members ${seen.members}, not ${members.map(toText).join(' or ')}`);
  if ((seen.isMissing ?? []).length > 0) wrong.push(`members of ${tag} are not in force: ${seen.isMissing}`);
  return wrong;
}
