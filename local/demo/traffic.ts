// Load through a VIP that keeps account: who answered how often, and what failed.
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { exchange } from './client.ts';

/** Half of the lanes keep their connection, half make one for each request: both have to survive a change. */
const lanes = 4;
const silenceMs = 2_000;
/** Between two requests of a lane, so that the load leaves the machine to the service; longer after a refusal. */
const pauseMs = { answered: 1, failed: 10 };

export class Traffic {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #waiting = new Set<(name: string, sentAt: number) => void>();
  readonly #running: Promise<void>[];
  #isStopped = false;
  answered = 0;
  failures: string[] = [];
  counts = new Map<string, number>();

  constructor(url: string) {
    this.#url = url;
    this.#running = Array.from({ length: lanes }, (_, index) => this.#lane(index % 2 === 0));
  }

  /** Starts a new account. */
  reset(): void {
    this.answered = 0;
    this.failures = [];
    this.counts = new Map();
  }

  /**
   * Milliseconds until a request that is sent from now on is answered by a member that fits.
   * @throws Error when none is in time
   */
  untilAnswered(isWanted: (name: string) => boolean, timeoutMs = 15_000): Promise<number> {
    const from = performance.now();
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        settle();
      };
      const look = (name: string, sentAt: number) => {
        if (sentAt >= from && isWanted(name)) end(() => resolve(performance.now() - from));
      };
      const timer = setTimeout(() => end(() => reject(new Error(`no answer within ${timeoutMs} ms`))), timeoutMs);
      this.#waiting.add(look);
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
    this.#agent.destroy();
  }

  async #lane(isKept: boolean): Promise<void> {
    while (!this.#isStopped) {
      const failure = await this.#once(isKept);
      if (failure !== undefined) this.failures.push(failure);
      await sleep(failure === undefined ? pauseMs.answered : pauseMs.failed);
    }
  }

  /** @returns what went wrong */
  async #once(isKept: boolean): Promise<string | undefined> {
    const sentAt = performance.now();
    try {
      const agent = isKept ? { agent: this.#agent } : {};
      const headers: Record<string, string> = isKept ? {} : { connection: 'close' };
      const { status, text } = await exchange(this.#url, { ...agent, headers, timeoutMs: silenceMs });
      if (status !== 200) return `status ${status}`;
      this.answered += 1;
      this.counts.set(text, (this.counts.get(text) ?? 0) + 1);
      for (const look of [...this.#waiting]) look(text, sentAt);
      return undefined;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    }
  }
}

/** Asks until there is an answer with 200. @returns milliseconds it took. @throws Error when that takes too long */
export async function untilServed(url: string, timeoutMs = 15_000, requestTimeoutMs = 1_000): Promise<number> {
  const started = performance.now();
  for (;;) {
    const options = { timeoutMs: requestTimeoutMs, headers: { connection: 'close' } };
    const answer = await exchange(url, options).catch(() => undefined);
    const tookMs = performance.now() - started;
    if (answer?.status === 200) return tookMs;
    if (tookMs > timeoutMs) throw new Error(`${url} does not serve after ${timeoutMs} ms`);
    await sleep(3);
  }
}
