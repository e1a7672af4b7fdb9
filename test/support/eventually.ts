// Waiting in tests: look until it is so, with a limit for the case that it never is.
import { setTimeout as sleep } from 'node:timers/promises';

const generousMs = 45_000;
const pollMs = 10;

/** Looks again while it throws or answers with nothing. @throws Error that says what was waited for, and the last failure */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  withinMs = generousMs,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + withinMs;
  let cause: unknown;
  for (;;) {
    try {
      const seen = await look();
      if (seen) return seen as NonNullable<T>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`, { cause });
    await sleep(pollMs);
  }
}

/** Milliseconds something took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const since = performance.now();
  await work();
  return Math.round(performance.now() - since);
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Measured times are printed and never asserted: a busy machine is slow, not wrong. */
export const report = (what: string, ms: number): void =>
  void process.stdout.write(`  ${what}: ${Math.round(ms)} ms\n`);
