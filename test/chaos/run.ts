// One run of chaos: traffic and writes on several load balancers while processes are killed and stopped, and the account of it.
import { setTimeout as sleep } from 'node:timers/promises';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { readAllAmphorae } from '../../lambdas/repositories/amphorae.ts';
import { AcceptedWrites, type Expected } from '../support/accepted-writes.ts';
import { eventually } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import { seeded } from '../support/random.ts';
import { faults } from './faults.ts';
import { amphoraOf, Owners } from './owners.ts';
import { Probe } from './probe.ts';
import { type Subject, Subjects } from './subjects.ts';

export interface ChaosOptions {
  seed: number;
  durationMs: number;
  say: (line: string) => void;
}

export interface Account {
  availability: Record<string, number>;
  /** Milliseconds from each fault to the next answer, by fault. */
  recoveries: Record<string, number[]>;
  answers: Record<string, number>;
  looks: number;
  /** Promises that were broken, in words. */
  broken: string[];
}

const settledWithinMs = 150_000;
const recoversWithinMs = 30_000;

export class Chaos {
  readonly #options: ChaosOptions;
  readonly #service: LocalService;
  readonly #subjects: Subjects;
  readonly #random: () => number;
  readonly #writes = new AcceptedWrites();
  readonly #owners: Owners;
  readonly #recoveries: Record<string, number[]> = {};
  readonly #broken: string[] = [];
  readonly #later: Promise<unknown>[] = [];
  #isOver = false;

  private constructor(options: ChaosOptions, service: LocalService, subjects: Subjects) {
    this.#options = options;
    this.#service = service;
    this.#subjects = subjects;
    this.#random = seeded(options.seed);
    this.#owners = new Owners(service);
  }

  static async run(options: ChaosOptions): Promise<Account> {
    await using service = await LocalService.start({ args: ['--spare-amphorae', '2'] });
    await using subjects = await Subjects.make(service);
    return await new Chaos(options, service, subjects).#run();
  }

  #below = (limit: number): number => Math.floor(this.#random() * limit);
  #pick = <T>(from: T[]): T => from[this.#below(from.length)]!;

  async #run(): Promise<Account> {
    const probes = this.#subjects.all.map((subject) => new Probe(subject));
    const looking = this.#untilOver(100, async () => this.#owners.look(this.#subjects.all.map(({ place }) => place)));
    const writing = this.#untilOver(150, () => this.#write());
    try {
      await this.#rage(probes);
    } finally {
      this.#isOver = true;
      await Promise.allSettled([looking, writing, ...probes.map((probe) => probe.stop())]);
    }
    await this.#judge();
    return {
      availability: Object.fromEntries(probes.map((probe) => [probe.subject.name, probe.availability])),
      recoveries: this.#recoveries,
      answers: this.#writes.counts,
      looks: this.#owners.looks,
      broken: this.#broken,
    };
  }

  async #rage(probes: Probe[]): Promise<void> {
    const until = performance.now() + this.#options.durationMs;
    while (performance.now() < until) {
      await this.#strike(probes);
      await sleep(500 + this.#below(2_500));
    }
    await Promise.all(this.#later);
    await this.#settle();
  }

  async #untilOver(pauseMs: number, work: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      await work();
      await sleep(pauseMs);
    }
  }

  /** A fault, and how long its load balancer does not answer. */
  async #strike(probes: Probe[]): Promise<void> {
    const probe = this.#pick(probes);
    const name = this.#pick(Object.keys(faults));
    const pauseMs = 500 + this.#below(6_000);
    const { subject } = probe;
    const which = this.#below(2);
    const amphora = await this.#amphoraOf(subject, which);
    if (amphora === undefined) return;
    this.#options.say(`${name} (${subject.name}${/stop/.test(name) ? `, ${pauseMs} ms` : ''})`);
    const later = (work: Promise<unknown>) => void this.#later.push(work);
    await faults[name]!({ service: this.#service, amphora, pauseMs, later });
    const ms = await probe.answersAgain(recoversWithinMs);
    if (ms === undefined) this.#broken.push(`${subject.name} did not answer for ${recoversWithinMs} ms after: ${name}`);
    else this.#recoveries[name] = [...(this.#recoveries[name] ?? []), ms];
  }

  /** One that is just being made or ended is left alone. */
  async #amphoraOf({ id }: Subject, which: number) {
    try {
      const all = this.#service.amphorae(id);
      return all[which % all.length];
    } catch {
      return undefined;
    }
  }

  /** Members come, change and go; what they serve is what the others serve. */
  async #write(): Promise<void> {
    const { api } = this.#service;
    const { name, poolId } = this.#pick(this.#subjects.all);
    const own = this.#members.filter(({ collection }) => collection === `pools/${poolId}/members`);
    const old = own.find(({ existence, id }) => existence === 'there' && id !== undefined);
    if (own.length % 3 === 2 && old) return this.#writes.delete(api, old);
    const number = ++this.#made;
    const address = `127.1.${1 + Math.floor(number / 250)}.${1 + (number % 250)}`;
    const attributes = { ...this.#subjects.members[0]!.attributes, address, name: `${name}-${number}` };
    this.#members.push(await this.#writes.create(api, `pools/${poolId}/members`, attributes));
  }
  readonly #members: Expected[] = [];
  #made = 0;

  async #settle(): Promise<void> {
    for (const { subject, what } of this.#subjects.all.map((subject) => ({ subject, what: subject.name })))
      await this.#service.api.active(subject.id, settledWithinMs).catch((error: Error) => {
        this.#broken.push(`${what} never became ACTIVE: ${error.message}`);
      });
  }

  async #judge(): Promise<void> {
    await this.#settle();
    for (const subject of this.#subjects.all)
      await eventually(`${subject.name} answers`, () => subject.ask().then(() => true)).catch((error: Error) =>
        this.#broken.push(error.message),
      );
    const lost = [...this.#writes.faults, ...(await this.#writes.contradictions(this.#service.api))];
    this.#broken.push(...lost.map((one) => `write: ${one}`));
    this.#broken.push(...this.#owners.doubled.map((one) => `two owners at once: ${one}`));
    const unseen = this.#subjects.all.filter(({ place }) => !this.#owners.held.has(place.host));
    this.#broken.push(...unseen.map(({ name }) => `nobody was ever seen to listen on the VIP of ${name}`));
    if (this.#subjects.moved > 0) this.#broken.push(`${this.#subjects.moved} requests of a session went elsewhere`);
    await eventually(
      'nothing is left over',
      async () => {
        const orphans = await this.#orphans();
        if (orphans.length > 0) throw new Error(orphans.join('; '));
        return true;
      },
      settledWithinMs,
    ).catch((error: Error) => this.#broken.push(`orphans: ${(error.cause as Error)?.message}`));
  }

  /** Rows, directories, agents and HAProxies that belong to no load balancer and are no spares. */
  async #orphans(): Promise<string[]> {
    const table = new SqliteTable({ path: `${this.#service.state}/table.sqlite` });
    const rows = await readAllAmphorae(table).finally(() => table.close());
    const owners = new Set(this.#subjects.all.map(({ id }) => id));
    const wanted = new Set(
      rows
        .filter(({ status, load_balancer_id: id }) =>
          id === null ? status === 'READY' : owners.has(id) && status === 'ALLOCATED',
        )
        .map(({ id }) => id),
    );
    const amphoraeWanted = this.#subjects.all.length + 1 + 2;
    const processes = this.#service.processes().filter(({ kind }) => kind === 'agent' || kind === 'haproxy');
    const strange = processes.filter(({ pid, command }) => !wanted.has(amphoraOf(pid, command)));
    return [
      ...(wanted.size === amphoraeWanted ? [] : [`${wanted.size} amphorae instead of ${amphoraeWanted}`]),
      ...rows.filter(({ id }) => !wanted.has(id)).map(({ id, status }) => `row ${id} ${status}`),
      ...this.#service
        .amphoraIds()
        .filter((id) => !wanted.has(id))
        .map((id) => `directory ${id}`),
      ...strange.map(({ pid, kind }) => `${kind} ${pid}`),
    ];
  }
}
