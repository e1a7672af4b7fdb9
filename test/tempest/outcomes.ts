// What tempest prints, read line by line: a line per test, and after one that failed the traceback that says why.

export interface Outcome {
  test: string;
  outcome: 'passed' | 'failed' | 'skipped';
  /** Of what failed or was skipped. */
  reason: string;
}

/** A class whose set-up fails has one line for all its tests, `setUpClass (module.Class)`. */
const resultLine = /^\{\d+\} (?:(\S+)|setUpClass \(([\w.]+)\))(?: \[[\d.]+s\])? \.\.\. (ok|FAILED|SKIPPED)(?:: (.*))?$/;
const outcomes = { ok: 'passed', FAILED: 'failed', SKIPPED: 'skipped' } as const;
/** The last line of a traceback, `module.Error: text`. */
const errorLine = /^ {0,4}([\w.]+): (.*)$/;

export class Outcomes {
  readonly all: Outcome[] = [];
  #failing: Outcome | undefined;
  #isTraceback = false;

  /** @returns the test that this line told of */
  read(line: string): Outcome | undefined {
    const found = resultLine.exec(line);
    if (found)
      return this.#begin(found[1] ?? `${found[2]} (set-up)`, found[3] as keyof typeof outcomes, found[4] ?? '');
    if (line.startsWith('Captured ')) this.#isTraceback = line === 'Captured traceback:';
    else if (this.#failing && this.#isTraceback) this.#explain(this.#failing, line);
    return undefined;
  }

  #begin(test: string, word: keyof typeof outcomes, reason: string): Outcome {
    const outcome: Outcome = { test, outcome: outcomes[word], reason };
    this.#failing = word === 'FAILED' ? outcome : undefined;
    this.#isTraceback = false;
    this.all.push(outcome);
    return outcome;
  }

  /** A chain of errors ends with the one that failed the test. */
  #explain(failing: Outcome, line: string): void {
    const found = errorLine.exec(line);
    // The test's own name would keep equal reasons apart.
    if (found?.[1] === 'Details') failing.reason += ` ${found[2]!.replace(/^\(\w+:\w+\) /, '')}`;
    else if (found) failing.reason = `${found[1]!.split('.').at(-1)}: ${found[2]}`;
  }

  of(outcome: Outcome['outcome']): Outcome[] {
    return this.all.filter((one) => one.outcome === outcome);
  }
}
