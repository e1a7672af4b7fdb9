// `npm run bench [NAME...] [--json FILE]`: measures everything, or what is named, and prints it beside targets and real
// Octavia's figures. No figure ever fails a run: machines differ, and so do their neighbours.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benches as api } from './api.ts';
import type { Bench, Row } from './bench.ts';
import { benches as churn } from './churn.ts';
import { benches as dataPlane } from './data-plane.ts';
import { benches as footprint } from './footprint.ts';
import { benches as heartbeats } from './heartbeats.ts';
import { benches as logging } from './logging.ts';
import { machineShape } from './machine.ts';
import { header, isMet, machineLines, ratio, rowLine } from './print.ts';
import { benches as provisioning } from './provisioning.ts';
import { benches as throughput } from './throughput.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'string' } } });

/** A program of its own, which prints its own table. */
const bundles: Bench = {
  name: 'bundles',
  title: 'Lambda bundles',
  run: async () => {
    const file = fileURLToPath(new URL('./bundles.ts', import.meta.url));
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file], { stdio: 'inherit' });
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`bundles.ts ended with ${code}`);
    return [];
  },
};

function chosen(): Bench[] {
  const all = [
    ...api,
    ...provisioning,
    ...heartbeats,
    ...footprint,
    ...dataPlane,
    ...logging,
    ...churn,
    ...throughput,
    bundles,
  ];
  const unknown = positionals.filter((name) => !all.some((bench) => bench.name === name));
  if (unknown.length === 0)
    return positionals.length === 0 ? all : all.filter(({ name }) => positionals.includes(name));
  say(`There is no benchmark ${unknown.join(', ')}. There are:\n`);
  for (const { name, title } of all) say(`  ${name.padEnd(18)} ${title}`);
  process.exit(1);
}

async function measured({ title, run }: Bench): Promise<{ rows: Row[]; error?: string }> {
  say(header(title));
  try {
    const rows = await run();
    for (const row of rows) say(rowLine(row));
    return { rows };
  } catch (error) {
    say(`could not be measured: ${(error as Error).message}`);
    return { rows: [], error: (error as Error).message };
  }
}

async function main(): Promise<void> {
  const machine = machineShape();
  const results = [];
  const benches = chosen();
  for (const line of machineLines(machine)) say(line);
  for (const bench of benches) {
    const { rows, ...rest } = await measured(bench);
    const judged = rows.map((row) => ({ ...row, ratio: ratio(row), is_met: isMet(row) }));
    results.push({ name: bench.name, title: bench.title, rows: judged, ...rest });
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ machine, results }, null, 2)}\n`);
  // What could not be measured at all is broken; what is slow is not.
  process.exitCode = results.some((result) => 'error' in result) ? 1 : 0;
}

// The services under measurement end when this process exits, not when it is killed by a signal.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
await main();
