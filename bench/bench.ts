// What a benchmark is: a name to ask for it by, and rows of what it measured.

/** Real Octavia's figure beside ours, and the target. Absent: nothing to compare with. */
export interface Figures {
  target?: number;
  octavia?: number;
}

export interface Row extends Figures {
  what: string;
  value: number;
  unit: 'ms' | '/s' | 'MiB' | 'KiB' | '';
  /** Of the same measurements as `value`. */
  p95?: number;
  /** How many were measured, and in what circumstances. */
  note?: string;
}

export interface Bench {
  name: string;
  title: string;
  run(): Promise<Row[]>;
}

const at = (sorted: number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;

/** Medians and 95th percentiles of times in milliseconds. */
export function times(what: string, measured: number[], figures: Figures = {}, note?: string): Row {
  const sorted = measured.toSorted((a, b) => a - b);
  const count = `${sorted.length} times`;
  const row = { what, value: at(sorted, 0.5), p95: at(sorted, 0.95), unit: 'ms' as const, ...figures };
  return { ...row, note: note === undefined ? count : `${count}, ${note}` };
}

export const rate = (what: string, count: number, tookMs: number, figures: Figures = {}, note?: string): Row => ({
  what,
  value: (count * 1_000) / tookMs,
  unit: '/s',
  ...figures,
  ...(note === undefined ? {} : { note }),
});

/** Runs first, then again and again. @returns what each run after the first few took, in milliseconds */
export async function repeatedly(
  run: (index: number) => Promise<unknown>,
  { times: count = 200, warmUps = 10, atMostMs = 5_000 } = {},
): Promise<number[]> {
  for (let index = 0; index < warmUps; index += 1) await run(-1 - index);
  const measured: number[] = [];
  const giveUpAt = performance.now() + atMostMs;
  while (measured.length < count && performance.now() < giveUpAt) {
    const started = performance.now();
    await run(measured.length);
    measured.push(performance.now() - started);
  }
  return measured;
}
