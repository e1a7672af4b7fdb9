// `npm run check`: format, lint, types and the quick tests, in the order in which they fail fastest.
import { spawnSync } from 'node:child_process';

const steps: [string, string[]][] = [
  ['biome', ['check', '.']],
  ['tsc', ['--project', '.']],
  ['vitest', ['run', 'test/unit', 'test/architecture.test.ts']],
];

for (const [program, args] of steps) {
  process.stdout.write(`\n> ${program} ${args.join(' ')}\n`);
  const { status } = spawnSync(program, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
