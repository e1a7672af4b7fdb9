// Programs from PyPI that tests are helped by, pinned by their hashes and installed once for a working copy. A machine that cannot
// fetch them goes without, and says why.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const cache = new URL('../../node_modules/.cache/', import.meta.url).pathname;
const installTimeoutMs = 120_000;

export interface PythonPackages {
  /** For PYTHONPATH, once they are installed. */
  home: string;
  /** undefined once they are, else why they cannot be. */
  whyMissing: () => Promise<string | undefined>;
}

/** @param requirements a file with a hash for everything; its folder names the installation */
export function pythonPackages(requirements: string): PythonPackages {
  const pin = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  const home = join(cache, `${basename(dirname(requirements))}-${pin}`);
  return { home, whyMissing: async () => (existsSync(home) ? undefined : install(requirements, home)) };
}

async function install(requirements: string, home: string): Promise<string | undefined> {
  mkdirSync(cache, { recursive: true });
  const target = mkdtempSync(join(cache, 'installing-'));
  try {
    const options = ['--quiet', '--disable-pip-version-check', '--no-deps', '--require-hashes', '--target', target];
    await run('python3', ['-m', 'pip', 'install', ...options, '-r', requirements], { timeout: installTimeoutMs });
    // Whoever else installed it meanwhile has the same.
    if (!existsSync(home)) renameSync(target, home);
    return undefined;
  } catch (error) {
    return `pip cannot install it: ${(error as Error).message.trim().split('\n').at(-1)}`;
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}
