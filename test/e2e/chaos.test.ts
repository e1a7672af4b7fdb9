// A short run of chaos, as `npm run chaos` runs it: processes killed and stopped, and cut from each other where that can be done, under
// traffic and writes.
import { mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runChaos } from '../support/chaos-run.ts';
import { processesOf } from '../support/processes.ts';

const temporary = realpathSync(mkdtempSync(join(tmpdir(), 'octavia-chaos-test-')));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

const seed = process.env['OCTAVIA_TEST_SEED'] ?? String(Math.floor(Math.random() * 1e9));
const chaos = (minutes: number, until?: string) =>
  runChaos(['--minutes', String(minutes), '--seed', seed], temporary, until);

test('breaks no promise while processes are killed, stopped and cut from each other', async () => {
  const { code, lines } = await chaos(0.1);
  expect(lines.filter((line) => line.startsWith('BROKEN'))).toEqual([]);
  expect(lines).toContain('dual owners 0, lost writes 0, orphans 0');
  expect(code).toBe(0);
}, 600_000);

test('leaves nothing behind when it is broken off', async () => {
  const { code } = await chaos(5, '(');
  expect(code).toBe(130);
  expect([processesOf(temporary), readdirSync(temporary)]).toEqual([[], []]);
}, 120_000);
