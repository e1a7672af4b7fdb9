// A short run of chaos: processes of a running service killed and stopped at random under traffic and writes. `npm run chaos` is longer.
import { expect, test } from 'vitest';
import { Chaos } from '../chaos/run.ts';

const durationMs = 15_000;

test('breaks no promise while processes are killed and stopped', async () => {
  const seed = Number(process.env['OCTAVIA_TEST_SEED'] ?? Math.floor(Math.random() * 1e9));
  process.stdout.write(`  seed: ${seed}, to be told to npm run chaos\n`);
  const account = await Chaos.run({ seed, durationMs, say: (line) => void process.stdout.write(`  ${line}\n`) });
  expect(account.broken).toEqual([]);
  expect(account.looks).toBeGreaterThan(0);
}, 600_000);
