// The demonstration's table: a row as each step ends, with what was seen, how long it took and whether it held.

/** What a step promised and did not keep. */
export class NotHeld extends Error {
  override readonly name = 'NotHeld';
}

/** A step that cannot be taken against this service. */
export class Skipped extends Error {
  override readonly name = 'Skipped';
}

/** What was seen, with lines of detail to print below. */
export interface Seen {
  seen: string;
  detail?: string[];
}

type Outcome = 'ok' | 'FAILED' | 'skipped';
const stepWidth = 33;
const colours: Record<Outcome, number> = { ok: 32, FAILED: 31, skipped: 33 };

export const duration = (ms: number): string => (ms < 1_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(2)} s`);

/** @throws NotHeld */
export function hold(isSo: boolean, otherwise: string): void {
  if (!isSo) throw new NotHeld(otherwise);
}

export class Report {
  readonly #say: (line: string) => void;
  readonly #isColoured: boolean;
  readonly #outcomes: { step: string; outcome: Outcome }[] = [];

  constructor(say: (line: string) => void, isColoured: boolean) {
    this.#say = say;
    this.#isColoured = isColoured;
    say(`${'step'.padEnd(stepWidth)}${'time'.padStart(8)}  ${'held'.padEnd(9)}what was seen`);
    say('-'.repeat(110));
  }

  /** A step that fails does not keep the next from being tried. @returns whether it held */
  async step(name: string, work: () => Promise<string | Seen>): Promise<boolean> {
    const started = performance.now();
    try {
      const result = await work();
      const { seen, detail = [] } = typeof result === 'string' ? { seen: result } : result;
      this.#row(name, seen, performance.now() - started, 'ok');
      for (const line of detail) this.#say(`${' '.repeat(stepWidth + 19)}${line}`);
      return true;
    } catch (error) {
      const outcome = error instanceof Skipped ? 'skipped' : 'FAILED';
      this.#row(name, (error as Error).message, performance.now() - started, outcome);
      return false;
    }
  }

  /** The last line. @returns the exit code */
  conclude(): number {
    const missing = this.#outcomes.filter(({ outcome }) => outcome !== 'ok');
    this.#say('');
    if (missing.length === 0) this.#say(`All ${this.#outcomes.length} steps held.`);
    for (const { step, outcome } of missing)
      this.#say(`${outcome === 'skipped' ? 'Skipped' : 'Did not hold'}: ${step}`);
    return missing.length === 0 ? 0 : 1;
  }

  #row(step: string, seen: string, tookMs: number, outcome: Outcome): void {
    this.#outcomes.push({ step, outcome });
    const padded = outcome.padEnd(9);
    const shown = this.#isColoured ? `\u001b[${colours[outcome]}m${padded}\u001b[0m` : padded;
    this.#say(`${step.padEnd(stepWidth)}${duration(tookMs).padStart(8)}  ${shown}${seen}`);
  }
}
