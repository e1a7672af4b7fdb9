// A short run of chaos, as `npm run chaos` runs it: processes killed and stopped, and cut from each other where that can be done, under
// traffic and writes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, expect, test } from 'vitest';
import { obstacleToPartitions } from '../chaos/own-network.ts';
import { processesOf } from '../support/processes.ts';

const temporary = realpathSync(mkdtempSync(join(tmpdir(), 'octavia-chaos-test-')));
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

/** @param until Ctrl-C when it says this */
async function run(given: string[], until?: string): Promise<{ code: number | null; lines: string[] }> {
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

const seed = process.env['OCTAVIA_TEST_SEED'] ?? String(Math.floor(Math.random() * 1e9));
const chaos = (minutes: number, until?: string) => run(['--minutes', String(minutes), '--seed', seed], until);

test('breaks no promise while processes are killed, stopped and cut from each other', async () => {
  const { code, lines } = await chaos(0.13);
  expect(lines.filter((line) => line.startsWith('BROKEN'))).toEqual([]);
  expect(lines).toContain('dual owners 0, lost writes 0, orphans 0');
  expect(code).toBe(0);
}, 600_000);

test('leaves nothing behind when it is broken off', async () => {
  const { code } = await chaos(5, '(');
  expect(code).toBe(130);
  expect([processesOf(temporary), readdirSync(temporary)]).toEqual([[], []]);
}, 120_000);

const obstacle = obstacleToPartitions();
if (obstacle !== undefined) process.stdout.write(`  cuts of the network are not tested: ${obstacle}\n`);

test.skipIf(obstacle !== undefined)(
  'who is cut off is replaced once and fenced, who is cut from others than the control plane stays',
  async () => {
    const { code, lines } = await run(['--cases']);
    expect(lines.filter((line) => line.startsWith('BROKEN'))).toEqual([]);
    expect(lines.filter((line) => line.endsWith('replaced, once'))).toHaveLength(3);
    expect(lines.filter((line) => line.endsWith('nobody replaced'))).toHaveLength(3);
    expect(lines.at(-1)).toMatch(/^[1-9]\d+ looks at who owns the VIPs, 0 saw two owners$/);
    expect(code).toBe(0);
  },
  300_000,
);
