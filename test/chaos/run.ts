// One run of chaos: traffic and writes on several load balancers while processes are killed and stopped, and the account of it.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { AcceptedWrites, type Expected } from '../support/accepted-writes.ts';
import { eventually } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import { seeded } from '../support/random.ts';
import { amphoraeOf } from './amphorae.ts';
import { type ChaosFault, catalogueOf } from './catalogue.ts';
import { orphansOf } from './judgement.ts';
import { Owners } from './owners.ts';
import { Partitions } from './partitions.ts';
import { Probe } from './probe.ts';
import { type Subject, Subjects } from './subjects.ts';

export interface ChaosOptions {
  seed: number;
  durationMs: number;
  /** It runs in a network of its own. */
  hasOwnNetwork: boolean;
  say: (line: string) => void;
  /** Ends it before its time; nothing is judged then. */
  signal?: AbortSignal;
}

export interface Account {
  availability: Record<string, { share: number; longestGapMs: number }>;
  /** Milliseconds from each fault to the next answer, by fault. */
  recoveries: Record<string, number[]>;
  answers: Record<string, number>;
  looks: number;
  dualOwners: number;
  lostWrites: number;
  orphans: number;
  /** Promises that were broken, in words. */
  broken: string[];
}

const spares = 2;
const settledWithinMs = 150_000;
const recoversWithinMs = 30_000;

export class Chaos {
  readonly #options: ChaosOptions;
  readonly #service: LocalService;
  readonly #subjects: Subjects;
  readonly #random: () => number;
  readonly #writes = new AcceptedWrites({ isTableAway: true });
  readonly #owners: Owners;
  readonly #partitions: Partitions | undefined;
  readonly #faults: ChaosFault[];
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
    this.#partitions = options.hasOwnNetwork ? new Partitions() : undefined;
    this.#faults = catalogueOf(this.#partitions);
  }

  static async run(options: ChaosOptions): Promise<Account> {
    await using service = await LocalService.start({ args: ['--spare-amphorae', String(spares)] });
    await using subjects = await Subjects.make(service);
    const run = new Chaos(options, service, subjects).#run();
    return await (options.signal ? Promise.race([run, broken(options.signal)]) : run);
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
      availability: Object.fromEntries(
        probes.map(({ subject, availability: share, longestGapMs }) => [subject.name, { share, longestGapMs }]),
      ),
      recoveries: this.#recoveries,
      answers: this.#writes.counts,
      looks: this.#owners.looks,
      dualOwners: this.#owners.doubled.length,
      lostWrites: this.#lost.length,
      orphans: this.#orphans.length,
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
    this.#partitions?.healAll();
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
    const { subject } = probe;
    const { name, strike } = this.#pick(this.#faults.filter(({ strikes }) => strikes(subject.name)));
    const pauseMs = 500 + this.#below(6_000);
    const which = this.#below(2);
    const amphora = await this.#amphoraOf(subject, which);
    if (amphora === undefined) return;
    this.#options.say(`${name} (${subject.name}${/^kill/.test(name) ? '' : `, ${pauseMs} ms`})`);
    const later = (work: Promise<unknown>) =>
      void this.#later.push(work.catch((error: Error) => this.#broken.push(`${name}: ${error.message}`)));
    await strike({ service: this.#service, subject, amphora, pauseMs, later });
    const ms = await probe.answersAgain(recoversWithinMs);
    if (ms === undefined) this.#broken.push(`${subject.name} did not answer for ${recoversWithinMs} ms after: ${name}`);
    else this.#recoveries[name] = [...(this.#recoveries[name] ?? []), ms];
  }

  /** One that is just being made or ended is left alone. */
  async #amphoraOf({ id }: Subject, which: number) {
    try {
      const all = amphoraeOf(this.#service, id);
      return all[which % all.length];
    } catch {
      return undefined;
    }
  }

  /** Members come, change and go; what they serve is what the others serve. */
  async #write(): Promise<void> {
    const { api } = this.#service;
    const subject = this.#pick(this.#subjects.all.filter(({ name }) => name !== 'udp'));
    const { name, poolId } = subject;
    const own = this.#members.filter(({ collection }) => collection === `pools/${poolId}/members`);
    const old = own.find(({ existence, id }) => existence === 'there' && id !== undefined);
    if (own.length % 3 === 2 && old) return this.#writes.delete(api, old);
    const number = ++this.#made + this.#subjects.members.length;
    const attributes = { ...this.#subjects.member(subject, number), name: `${name}-${number}` };
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
    this.#lost = [...this.#writes.faults, ...(await this.#writes.contradictions(this.#service.api))];
    this.#broken.push(...this.#lost.map((one) => `write: ${one}`));
    this.#broken.push(...this.#owners.doubled.map((one) => `two owners at once: ${one}`));
    const unseen = this.#subjects.all.filter(({ name, place }) => name !== 'udp' && !this.#owners.held.has(place.host));
    this.#broken.push(...unseen.map(({ name }) => `nobody was ever seen to listen on the VIP of ${name}`));
    if (this.#subjects.moved > 0) this.#broken.push(`${this.#subjects.moved} requests of a session went elsewhere`);
    await this.#judgeOrphans();
  }
  #lost: string[] = [];
  #orphans: string[] = [];

  async #judgeOrphans(): Promise<void> {
    const owners = this.#subjects.all.map(({ id }) => id);
    const look = async () => {
      this.#orphans = await orphansOf(this.#service, { amphorae: owners.length + 1 + spares, owners });
      return this.#orphans.length === 0;
    };
    await eventually('nothing is left over', look, settledWithinMs).catch((error: Error) =>
      this.#broken.push(`orphans: ${this.#orphans.join('; ') || error.message}`),
    );
  }
}

const broken = async (signal: AbortSignal): Promise<never> => {
  if (!signal.aborted) await once(signal, 'abort');
  throw new Error('broken off');
};
