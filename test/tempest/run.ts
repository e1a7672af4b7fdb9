// OpenStack's own tests of the load balancer API, octavia-tempest-plugin's, against this service with noop drivers:
//   node local/bootstrap.mjs test/tempest/run.ts [--venv DIR] [--regex REGEX] [--roles advanced] [--ipv4] [--concurrency N] [--keep]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { startService } from '../../local/demo/service.ts';
import { type Choices, writeConfiguration } from './configuration.ts';
import { type Outcome, Outcomes } from './outcomes.ts';
import { Missing, type Python, python } from './python.ts';

const { values: options } = parseArgs({
  options: {
    venv: { type: 'string', default: join(tmpdir(), 'octavia-tempest') },
    regex: { type: 'string', default: 'octavia_tempest_plugin.tests.api' },
    roles: { type: 'string', default: 'keystone_default_roles' },
    ipv4: { type: 'boolean', default: false },
    concurrency: { type: 'string', default: '2' },
    keep: { type: 'boolean', default: false },
  },
});
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const shortened = (test: string): string => test.replace('octavia_tempest_plugin.tests.', '');

const seen = (tests: Outcome[]): string[] => {
  const byReason = Map.groupBy(tests, ({ reason }) => reason);
  const sorted = [...byReason].sort(([, one], [, other]) => other.length - one.length);
  return sorted.flatMap(([reason, all]) => [
    `  ${all.length} x ${reason.slice(0, 400)}`,
    ...all.map(({ test }) => `      ${shortened(test)}`),
  ]);
};

async function runTempest({ tempest }: Python, directory: string, configuration: string): Promise<Outcomes> {
  const args = ['run', '--config-file', configuration, '--regex', options.regex, '--concurrency', options.concurrency];
  const env = { ...process.env, PATH: `${dirname(tempest)}:${process.env['PATH']}`, HOME: directory };
  const child = spawn(tempest, args, { cwd: directory, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const outcomes = new Outcomes();
  const closed = once(child, 'close');
  for await (const line of createInterface({ input: child.stdout })) {
    const told = outcomes.read(line);
    if (told) print(`${told.outcome.padEnd(8)} ${shortened(told.test)}`);
  }
  await closed;
  return outcomes;
}

function report(outcomes: Outcomes): void {
  const [failed, skipped] = [outcomes.of('failed'), outcomes.of('skipped')];
  if (skipped.length > 0) print(['', 'Skipped, by reason:', ...seen(skipped)].join('\n'));
  if (failed.length > 0) print(['', 'Failed, by reason:', ...seen(failed)].join('\n'));
  const passed = outcomes.of('passed').length;
  print(`\n${outcomes.all.length} tests: ${passed} passed, ${failed.length} failed, ${skipped.length} skipped`);
}

async function main(): Promise<void> {
  const suite = python(options.venv);
  const directory = mkdtempSync(join(tmpdir(), 'octavia-tempest-run-'));
  const service = await startService(['--ephemeral', '--compute', 'noop', '--network', 'noop']);
  try {
    const choices: Choices = { roles: options.roles as Choices['roles'], ipVersion: options.ipv4 ? 4 : 6 };
    const configuration = writeConfiguration(directory, suite.discovery, service.cloud, choices);
    const outcomes = await runTempest(suite, directory, configuration);
    report(outcomes);
    process.exitCode = outcomes.all.length > 0 && outcomes.of('failed').length === 0 ? 0 : 1;
  } finally {
    await service.stop();
    if (options.keep) print(`Logs and results: ${directory}`);
    else rmSync(directory, { recursive: true, force: true });
  }
}

main().catch((error: Error) => {
  process.stderr.write(`${error instanceof Missing ? error.message : error.stack}\n`);
  process.exit(1);
});
