// Reads HAProxy's counters into the ledger, and is there whenever HAProxy is about to forget some: before a server is deleted
// and before an old worker ends.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { HeldWorker } from './held-worker.ts';
import { log, textOf } from './log.ts';
import { MemberPages } from './member-pages.ts';
import type { RuntimeApi } from './runtime-api.ts';
import { readStatistics, type StatRow } from './statistics.ts';
import { type SavedLedger, TrafficLedger } from './traffic-ledger.ts';

const file = 'statistics.json';
const lastLookMs = 1_000;
/** Frontends and servers; the states of the current worker want backends too. */
const countersOnly = 'show stat -1 5 -1';

interface Saved extends SavedLedger {
  pages: string[][];
}

export class TrafficMeter {
  readonly ledger: TrafficLedger;
  readonly pages: MemberPages;
  #saved = '';
  readonly #held = new Map<number, HeldWorker>();
  #last: Promise<unknown> = Promise.resolve();

  constructor() {
    const saved = readSaved();
    this.ledger = new TrafficLedger(saved);
    this.pages = new MemberPages(saved?.pages);
  }

  /** Rows of the worker that takes new connections; old ones only add to the traffic until they end. */
  look(runtime: RuntimeApi): Promise<StatRow[]> {
    return this.#inTurn(async () => {
      const { worker, oldWorkers } = await runtime.showProcesses();
      const rows = worker === null ? [] : readStatistics(await runtime.ask(worker, 'show stat -1 7 -1'));
      if (worker !== null) this.ledger.see(worker, rows);
      for (const old of oldWorkers) await this.#lookAtOld(runtime, old).catch(() => {});
      this.ledger.keepWorkers(worker === null ? oldWorkers : [worker, ...oldWorkers]);
      return rows;
    });
  }

  /** Before HAProxy is told to end: what it counted is reported by whoever reports next. Never takes long. */
  async lookLast(runtime: RuntimeApi): Promise<void> {
    const isLate = sleep(lastLookMs, undefined, { ref: false });
    await Promise.race([this.look(runtime).catch(() => {}), isLate]);
    this.save();
  }

  async #lookAtOld(runtime: RuntimeApi, old: number): Promise<void> {
    const held = this.#held.get(old);
    // Asked before the counters are: what is read after the last connection ended is final.
    const isDone = held !== undefined && (await held.isDone());
    this.ledger.see(old, readStatistics(await (held?.ask(countersOnly) ?? runtime.ask(old, countersOnly))));
    if (!isDone) return;
    // Nobody can read these again, not even the next agent.
    this.save();
    this.#release(old);
  }

  /** Reloads, while the worker that becomes an old one is kept until its last counters were read. */
  async acrossReload(runtime: RuntimeApi, statsSocket: string, reload: () => Promise<void>): Promise<void> {
    const worker = await this.#hold(runtime, statsSocket);
    try {
      await reload();
    } catch (error) {
      this.#release(worker);
      throw error;
    }
    await this.look(runtime).catch((error) => log('traffic is counted later', { error: textOf(error) }));
    for (const [pid, held] of this.#held) if (held.isClosed) this.#held.delete(pid);
  }

  async #hold(runtime: RuntimeApi, statsSocket: string): Promise<number> {
    const worker = (await runtime.showProcesses()).worker ?? 0;
    try {
      this.#held.set(worker, await HeldWorker.hold(statsSocket, worker));
    } catch (error) {
      // A configuration without that socket, for one: then the last moments of this worker are not counted.
      log('a worker is not held', { error: textOf(error) });
    }
    return worker;
  }

  #release(worker: number): void {
    this.#held.get(worker)?.release();
    this.#held.delete(worker);
  }

  /**
   * Deletes servers that are in maintenance, as far as their last connection has ended, after reading their counters.
   * @param keys `<backend>/<name>`
   * @returns those that are gone
   */
  deleteServers(runtime: RuntimeApi, worker: number, keys: string[]): Promise<string[]> {
    return this.#inTurn(async () => {
      const backends = [...new Set(keys.map((key) => key.slice(0, key.indexOf('/'))))];
      const looks = backends.map((backend) => `show stat ${backend} 4 -1`);
      const rows = (await runtime.askAll(worker, looks)).flatMap(readStatistics);
      this.ledger.see(worker, rows);
      // One that is still in use may yet count.
      const inUse = new Set(rows.filter((row) => row.connections > 0).map((row) => `${row.proxy}/${row.part}`));
      const idle = keys.filter((key) => !inUse.has(key));
      if (idle.length === 0) return [];
      this.save();
      const answers = await runtime.askAll(
        worker,
        idle.map((key) => `del server ${key}`),
      );
      const gone = idle.filter((_key, index) => /deleted|No such server/i.test(answers[index]!));
      for (const key of gone) this.ledger.forgetServer(worker, key);
      this.save();
      return gone;
    });
  }

  /**
   * Written before it is reported, so that an agent that is killed in between never reports less than the last one did. Not
   * durable on purpose: it matters when the agent is killed, not when the machine loses power.
   */
  save(): void {
    const text = JSON.stringify({ ...this.ledger.save(), pages: this.pages.save() } satisfies Saved);
    if (text === this.#saved) return;
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
    this.#saved = text;
  }

  /** A row that is deleted while another reader has its counters in hand would be counted twice. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

/** Undefined also for what no ledger wrote, or one of before: then it begins anew. */
function readSaved(): Saved | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const saved = JSON.parse(readFileSync(file, 'utf8')) as Partial<Saved>;
    return saved.workers && saved.totals && saved.pages ? (saved as Saved) : undefined;
  } catch (error) {
    log('statistics begin anew', { error: textOf(error) });
    return undefined;
  }
}
