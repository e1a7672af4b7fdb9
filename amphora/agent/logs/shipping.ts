// Sends archives off the amphora: Octavia's log offloading. The amphora may put nothing by itself; it says what it has, and is
// handed the right to put one archive. What has arrived is deleted here; what has not is asked for again.
import { readFile } from 'node:fs/promises';
import type { ArchiveRight, LogArchive } from '../../agent-api.ts';
import { log, textOf } from '../log.ts';
import type { Archives } from './archives.ts';

/** Some at a time: a heartbeat is small, and the disk has room for the others. */
const askedAtOnce = 4;
/** A request or its answer may have been lost. */
const askAgainMs = 10_000;
const longestPauseMs = 300_000;
const uploadTimeoutMs = 60_000;

interface Pause {
  /** Milliseconds since the epoch until which it is not asked for. */
  until: number;
  lengthMs: number;
}

/** The store did not take it. */
class NotStored extends Error {
  override readonly name = 'NotStored';
}

export class Shipping {
  readonly #sources: Archives[];
  readonly #underWay = new Set<string>();
  readonly #pauses = new Map<string, Pause>();

  constructor(sources: Archives[]) {
    this.#sources = sources;
  }

  /** What to ask for now. */
  toAsk(now: number): LogArchive[] {
    const waiting = this.#sources
      .flatMap((source) => source.ready)
      .filter(({ name }) => !this.#underWay.has(name) && (this.#pauses.get(name)?.until ?? 0) <= now)
      .slice(0, askedAtOnce);
    for (const { name } of waiting) {
      const lengthMs = this.#pauses.get(name)?.lengthMs ?? 0;
      this.#pauses.set(name, { until: now + Math.max(askAgainMs, lengthMs), lengthMs });
    }
    return waiting;
  }

  /** False when there is no such archive. Does not wait for its end. */
  ship(name: string, right: ArchiveRight): boolean {
    const source = this.#sources.find((one) => one.get(name));
    if (source === undefined) return false;
    if (this.#underWay.has(name)) return true;
    this.#underWay.add(name);
    this.#send(source, name, right)
      .catch((error) => this.#pause(name, textOf(error)))
      .finally(() => this.#underWay.delete(name));
    return true;
  }

  async #send(source: Archives, name: string, { url, headers }: ArchiveRight): Promise<void> {
    const body = await readFile(source.path(name)!);
    const answer = await fetch(url, {
      method: 'PUT',
      headers,
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(uploadTimeoutMs),
    });
    const text = await answer.text();
    if (!answer.ok) throw new NotStored(`the store answered ${answer.status}: ${text.slice(0, 200)}`);
    source.remove(name);
    this.#pauses.delete(name);
  }

  #pause(name: string, error: string): void {
    const lengthMs = Math.min(Math.max((this.#pauses.get(name)?.lengthMs ?? 0) * 2, 1_000), longestPauseMs);
    this.#pauses.set(name, { until: Date.now() + lengthMs, lengthMs });
    log('a log was not shipped', { name, error, pause_ms: lengthMs });
  }
}
