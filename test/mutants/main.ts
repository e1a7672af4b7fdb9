// Whether the random histories notice what they are there for: `node test/mutants/main.ts [part of a name]`. Each mutant is made in a copy
// of the product; the histories have to fail there, and to fail again by the command they print.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Mutant, mutants } from './mutants.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const copied = [
  'lambdas',
  'amphora',
  'local',
  'state-machines',
  'test',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
];

async function copyWith({ file, from, to }: Mutant): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mutant-'));
  await mkdir(directory, { recursive: true });
  for (const name of copied) await cp(join(root, name), join(directory, name), { recursive: true });
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  const text = await readFile(join(directory, file), 'utf8');
  if (text.split(from).length !== 2) throw new Error(`${file} does not have this once: ${from}`);
  await writeFile(
    join(directory, file),
    text.replace(from, () => to),
  );
  return directory;
}

interface Told {
  isFailed: boolean;
  output: string;
}

const histories = (directory: string, settings: Record<string, string>): Promise<Told> =>
  new Promise((resolve) => {
    const vitest = join(directory, 'node_modules/vitest/vitest.mjs');
    const env = { ...process.env, NO_COLOR: '1', ...settings };
    const options = { cwd: directory, env, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, [vitest, 'run', 'test/flows/histories.test.ts'], options, (error, stdout, stderr) =>
      resolve({ isFailed: error !== null, output: stdout + stderr }),
    );
  });

const replayOf = (output: string): Record<string, string> | undefined => {
  const found = /HISTORIES_SEED=(-?\d+) HISTORIES_PATH='([\d:]+)'/.exec(output);
  return found === null ? undefined : { HISTORIES_SEED: found[1]!, HISTORIES_PATH: found[2]! };
};
/** What was complained about: the line after the history itself, or the one after the number of the step. */
const complaintOf = (output: string): string =>
  /\{"isPair".*\n[+\s]*(?:after step \d+\n[+\s]*)?(.*)/.exec(output)?.[1]?.slice(0, 160) ?? '';

/** @returns whether it was noticed, and noticed again */
async function isCaught(mutant: Mutant): Promise<boolean> {
  const directory = await copyWith(mutant);
  try {
    const first = await histories(directory, { HISTORIES: String(mutant.histories), HISTORIES_SEED: '7' });
    const again = replayOf(first.output);
    const count = /histories: (\d+) of seed/.exec(first.output)?.[1];
    if (!first.isFailed || again === undefined) {
      console.log(`NOT CAUGHT  ${mutant.name}, in ${count} histories`);
      return false;
    }
    const replay = await histories(directory, again);
    const isReplayed = replay.isFailed && complaintOf(replay.output) === complaintOf(first.output);
    console.log(
      `${isReplayed ? 'caught' : 'NOT REPLAYED'}  ${mutant.name}, by history ${count}: ${complaintOf(first.output)}`,
    );
    return isReplayed;
  } finally {
    await rm(directory, { recursive: true });
  }
}

const asked = mutants.filter(({ name }) => name.includes(process.argv[2] ?? ''));
let caught = 0;
for (const mutant of asked) caught += Number(await isCaught(mutant));
console.log(`${caught} of ${asked.length} mutants caught`);
process.exitCode = caught === asked.length && asked.length > 0 ? 0 : 1;
