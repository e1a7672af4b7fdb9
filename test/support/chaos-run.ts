// `npm run chaos` as a program of a test's own, whose lines are read while it runs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface ChaosRun {
  code: number | null;
  lines: string[];
}

/**
 * @param temporary directory of everything it writes
 * @param until Ctrl-C when it says this
 */
export async function runChaos(given: string[], temporary: string, until?: string): Promise<ChaosRun> {
  const args = ['--disable-warning=ExperimentalWarning', 'test/chaos/main.ts', ...given];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: temporary },
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    process.stdout.write(`  ${line}\n`);
    lines.push(line);
    if (until !== undefined && line.includes(until)) child.kill('SIGINT');
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, lines };
}
