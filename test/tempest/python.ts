// The suite's own world: a virtual environment with tempest and the plugin, made once and used again.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The versions the figures in docs/octavia-parity.md were had with. */
const packages = ['tempest==47.0.0', 'octavia-tempest-plugin==3.5.0'];

/** Something that has to be there before the suite can run. */
export class Missing extends Error {
  override readonly name = 'Missing';
}

function run(program: string, args: string[], whatFor: string): string {
  const { status, error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status === 0) return stdout.trim();
  throw new Missing(`${whatFor}: \`${program} ${args.join(' ')}\` failed\n${stderr ?? ''}`, { cause: error });
}

export interface Python {
  tempest: string;
  /** Folder of tempest that finds tests. */
  discovery: string;
}

/** @throws Missing */
export function python(environment: string): Python {
  const bin = join(environment, 'bin');
  if (!existsSync(join(bin, 'tempest'))) {
    run('python3', ['-m', 'venv', environment], 'Python 3 with venv is needed (on Debian: apt install python3-venv)');
    run(join(bin, 'pip'), ['install', '--quiet', ...packages], 'PyPI is needed');
  }
  const where = 'import tempest, os; print(os.path.join(os.path.dirname(tempest.__file__), "test_discover"))';
  const discovery = run(join(bin, 'python'), ['-c', where], `${environment} is no environment with tempest`);
  return { tempest: join(bin, 'tempest'), discovery };
}
