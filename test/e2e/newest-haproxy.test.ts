// All that the agent asks of HAProxy, asked of the newest there is: the tests of the agent and of traffic once more, with that program.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { newestHaproxy } from '../support/newest-haproxy.ts';

const newest = await newestHaproxy();
if ('reason' in newest) process.stdout.write(`  without the newest HAProxy: ${newest.reason}\n`);

const root = new URL('../..', import.meta.url).pathname;
const vitest = new URL('../../node_modules/vitest/vitest.mjs', import.meta.url).pathname;

async function run(files: string[], haproxy: string): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [vitest, 'run', '--maxWorkers=1', ...files], {
    cwd: root,
    env: { ...process.env, OCTAVIA_HAPROXY: haproxy, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [code, ...said] = await Promise.all([
    new Promise<number | null>((resolve) => child.once('close', resolve)),
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code, output: said.join('\n') };
}

test.skipIf('reason' in newest)(
  'agents and traffic do on the newest HAProxy what they do on the installed one',
  async () => {
    const files = ['agent', 'service-traffic', 'service-churn'].map((name) => `test/e2e/${name}.test.ts`);
    const { code, output } = await run(files, 'path' in newest ? newest.path : '');
    expect(output).toMatch(/Test Files {2}3 passed/);
    expect(code, output).toBe(0);
  },
  600_000,
);
