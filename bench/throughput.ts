// Requests through a HAProxy with our rendered configuration, against one with a configuration tuned by hand, in turns on one machine: what
// the rendering itself costs. Clients are h2load, members a third HAProxy that answers by itself.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { materialise } from '../amphora/agent/configuration.ts';
import { renderConfiguration } from '../lambdas/haproxy/render.ts';
import { untilServed } from '../local/demo/traffic.ts';
import { freePort } from '../test/support/agent-process.ts';
import { aListener, aLoadBalancer, aMember, aPool, aTree, idOf } from '../test/support/builders.ts';
import type { Bench, Row } from './bench.ts';

const run = promisify(execFile);
const rounds = 7;
const roundSeconds = 2;
const connections = 32;
/** Of both, below what a machine without privileges has file descriptors for. */
const connectionLimit = 5_000;
const program = process.env['OCTAVIA_HAPROXY'] ?? '/usr/sbin/haproxy';
const address = '127.0.0.1';

const memberText = (port: number) => `global
    nbthread 1
defaults
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 5s
frontend member
    bind ${address}:${port}
    http-request return status 200 content-type text/plain string ok
`;

/** As somebody would write it who has nothing but speed in mind. */
const tunedText = (port: number, memberPort: number) => `global
    maxconn ${connectionLimit}
defaults
    mode http
    timeout client 50s
    timeout server 50s
    timeout connect 5s
    http-reuse always
frontend tuned
    bind ${address}:${port}
    default_backend members
backend members
    balance roundrobin
    server one ${address}:${memberPort}
`;

function ourText(port: number, memberPort: number): string {
  const tree = aTree({
    loadBalancer: aLoadBalancer({ vip_address: address }),
    listeners: [aListener({ protocol_port: port, default_pool_id: idOf('pool'), connection_limit: connectionLimit })],
    pools: [aPool()],
    members: [aMember({ address, protocol_port: memberPort })],
  });
  return materialise(renderConfiguration(tree, { amphora_id: idOf('other'), hardStopAfterMs: 1_000 }).text, null);
}

class Processes implements Disposable {
  readonly #root = mkdtempSync(join(tmpdir(), 'octavia-throughput-'));
  readonly #children: ChildProcess[] = [];

  start(name: string, text: string): void {
    const file = join(this.#root, name);
    writeFileSync(file, text);
    this.#children.push(spawn(program, ['-db', '-f', file], { cwd: this.#root, stdio: 'ignore' }));
  }

  /** @returns requests a second, and the 99th percentile of their times in milliseconds */
  async measure(port: number): Promise<{ perSecond: number; p99Ms: number }> {
    const log = join(this.#root, 'requests');
    rmSync(log, { force: true });
    const how = ['--h1', '-c', String(connections), '-t', '1', '-D', String(roundSeconds), '--warm-up-time', '1'];
    const { stdout } = await run('h2load', [...how, `--log-file=${log}`, `http://${address}:${port}/`]);
    const failed = Number(/(\d+) failed/.exec(stdout)?.[1] ?? 1);
    if (failed > 0) throw new Error(`${failed} requests failed`);
    const times = readFileSync(log, 'utf8').trimEnd().split('\n');
    const sorted = times.map((line) => Number(line.split('\t')[2])).sort((a, b) => a - b);
    const p99Ms = sorted[Math.floor(sorted.length * 0.99)]! / 1_000;
    return { perSecond: Number(/([\d.]+) req\/s/.exec(stdout)![1]), p99Ms };
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.#root, { recursive: true, force: true });
  }
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

async function compared(): Promise<Row[]> {
  using processes = new Processes();
  const [member, ours, tuned] = [await freePort(address), await freePort(address), await freePort(address)];
  processes.start('member.cfg', memberText(member));
  processes.start('ours.cfg', ourText(ours, member));
  processes.start('tuned.cfg', tunedText(tuned, member));
  for (const port of [ours, tuned]) await untilServed(`http://${address}:${port}/`);
  const seen = {
    ours: { perSecond: [] as number[], p99Ms: [] as number[] },
    tuned: { perSecond: [] as number[], p99Ms: [] as number[] },
  };
  for (let round = 0; round < rounds; round += 1) {
    // In turns, and each goes first every other time: neighbours on the machine come and go.
    const turns = round % 2 === 0 ? (['ours', 'tuned'] as const) : (['tuned', 'ours'] as const);
    for (const name of turns) {
      const { perSecond, p99Ms } = await processes.measure(name === 'ours' ? ours : tuned);
      seen[name].perSecond.push(perSecond);
      seen[name].p99Ms.push(p99Ms);
      await sleep(100);
    }
  }
  const note = `median of ${rounds} rounds, ${connections} connections`;
  const ratios = seen.ours.perSecond.map((perSecond, round) => perSecond / seen.tuned.perSecond[round]!);
  return [
    { what: 'as rendered', value: median(seen.ours.perSecond), unit: '/s', note },
    { what: 'tuned by hand', value: median(seen.tuned.perSecond), unit: '/s', note },
    {
      what: 'as rendered / tuned by hand, in percent',
      value: 100 * median(ratios),
      unit: '',
      note: 'target: 95 or more',
    },
    { what: 'as rendered: p99 of a request', value: median(seen.ours.p99Ms), unit: 'ms' },
    { what: 'tuned by hand: p99 of a request', value: median(seen.tuned.p99Ms), unit: 'ms' },
  ];
}

export const benches: Bench[] = [{ name: 'throughput', title: 'Requests through HAProxy (h2load)', run: compared }];
