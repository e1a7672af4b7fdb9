// Asks a load balancer again and again, and remembers for how long it did not answer.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Subject } from './subjects.ts';

const thinkMs = 20;

export class Probe {
  readonly subject: Subject;
  asked = 0;
  answered = 0;
  /** Longest time between two answers. */
  longestGapMs = 0;
  /** performance.now() */
  #lastAnswerAt = performance.now();
  #isStopped = false;
  readonly #ended: Promise<void>;

  constructor(subject: Subject) {
    this.subject = subject;
    this.#ended = this.#ask();
  }

  async #ask(): Promise<void> {
    while (!this.#isStopped) {
      this.asked++;
      const isAnswered = await this.subject.ask().then(
        () => true,
        () => false,
      );
      if (isAnswered) {
        this.answered++;
        const now = performance.now();
        this.longestGapMs = Math.max(this.longestGapMs, now - this.#lastAnswerAt);
        this.#lastAnswerAt = now;
      }
      await sleep(thinkMs);
    }
  }

  get availability(): number {
    return this.answered / Math.max(1, this.asked);
  }

  /** Until a question that is asked from now on is answered by somebody. @returns undefined when that takes too long */
  async answersAgain(withinMs: number): Promise<number | undefined> {
    const since = performance.now();
    while (performance.now() - since < withinMs) {
      const isAnswered = await this.subject.ask().then(
        () => true,
        () => false,
      );
      if (isAnswered) return performance.now() - since;
      await sleep(5);
    }
    return undefined;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#ended;
  }
}

export function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
