// The service as a user runs it: local/main.ts as a process, with a state directory, ports and loopback addresses of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { HostRow } from '../../lambdas/domain/host.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import type { Table } from '../../lambdas/drivers/table/table.ts';
import { readSpares } from '../../lambdas/repositories/amphorae.ts';
import { readHosts } from '../../lambdas/repositories/hosts.ts';
import { eventually } from './eventually.ts';
import { type Cloud, OctaviaClient } from './octavia-client.ts';
import { childrenOf, isRunning, type ProcessOfState, processesOf, sendSignal } from './processes.ts';

const root = new URL('../..', import.meta.url).pathname;

export interface RunOptions {
  temporary?: string;
  environment?: NodeJS.ProcessEnv;
  /** Ctrl-C as soon as this is so. */
  interruptWhen?: () => boolean;
}

/** Runs a program of local/ to its end. */
export async function runLocal(program: string, args: string[], options: RunOptions = {}) {
  const child = spawnLocal(program, args, { TMPDIR: options.temporary ?? tmpdir(), ...options.environment });
  const output = collected(child);
  const closed = once(child, 'close');
  if (options.interruptWhen) {
    await eventually('it is time for Ctrl-C', options.interruptWhen);
    child.kill('SIGINT');
  }
  const [code] = (await closed) as [number | null];
  return { code, ...output };
}

function spawnLocal(program: string, args: string[], environment: NodeJS.ProcessEnv = {}, uid?: number): ChildProcess {
  const file = join(root, 'local', program);
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
}

function collected(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]!.setEncoding('utf8').on('data', (chunk: string) => {
      output[name] += chunk;
    });
  }
  return output;
}

/** Two thousand amphorae and as many VIPs; which ones is left to chance, since tests run beside each other. */
function freeNetworks(): string[] {
  const network = () => `127.${randomInt(64, 120)}.${randomInt(0, 32) * 8}.0/21`;
  const [amphorae, vips] = [network(), network()];
  return amphorae === vips ? freeNetworks() : ['--amphora-cidr', amphorae, '--vip-cidr', vips];
}

export interface ServiceOptions {
  args?: string[];
  /** An ordinary user to run as. */
  uid?: number;
}

/** An amphora as its directory and /proc show it. */
export interface AmphoraOnDisk {
  id: string;
  directory: string;
  agent: number;
  haproxy: number;
}

export class LocalService implements AsyncDisposable {
  /** What is put into it is gone with the service. */
  readonly temporary = realpathSync(mkdtempSync(join(tmpdir(), 'octavia-service-test-')));
  readonly state = join(this.temporary, 'state');
  /** Everything the service has said, by line. */
  readonly lines: Record<string, unknown>[] = [];
  readonly #options: ServiceOptions;
  readonly #networks = freeNetworks();
  #child: ChildProcess | undefined;
  #ready: Cloud | undefined;
  #api: OctaviaClient | undefined;
  readyAfterMs = 0;

  private constructor(options: ServiceOptions) {
    this.#options = options;
    if (options.uid !== undefined) chownSync(this.temporary, options.uid, options.uid);
    // A test run that is broken off leaves nothing behind either.
    process.once('exit', () => this.#leaveNothing());
  }

  static async start(options: ServiceOptions = {}): Promise<LocalService> {
    const service = new LocalService(options);
    try {
      await service.restart();
      return service;
    } catch (error) {
      await service[Symbol.asyncDispose]();
      throw error;
    }
  }

  get ready(): Cloud {
    return this.#ready!;
  }

  get api(): OctaviaClient {
    return this.#api!;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** The command line it was started with. */
  args(extra: string[] = []): string[] {
    return ['--port', '0', '--json', '--state', this.state, ...this.#networks, ...(this.#options.args ?? []), ...extra];
  }

  /** On the state that is there. @throws Error with what the service said when it ends instead of being ready */
  async restart(extra: string[] = []): Promise<void> {
    const since = performance.now();
    const child = spawnLocal('main.ts', this.args(extra), { TMPDIR: this.temporary }, this.#options.uid);
    this.#child = child;
    this.#ready = await this.#readiness(child);
    this.#api = new OctaviaClient(this.#ready);
    this.readyAfterMs = Math.round(performance.now() - since);
  }

  #readiness(child: ChildProcess): Promise<Cloud> {
    const output = collected(child);
    return new Promise((resolve, reject) => {
      createInterface({ input: child.stdout! }).on('line', (line) => {
        const said = JSON.parse(line);
        this.lines.push(said);
        if (said.event === 'ready') resolve(said);
      });
      child.once('exit', () => reject(new Error(`the service ended: ${output.stderr}`)));
    });
  }

  /** kill -9 of the service alone. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** Ctrl-C. */
  interrupt(): Promise<void> {
    return this.#end('SIGINT');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child!;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /** kill -9 of the service, every agent and every HAProxy. */
  async killAll(): Promise<void> {
    await this.kill();
    await eventually('nothing runs', () => this.#killEverything().length === 0);
  }

  /** An agent that is being killed may have started another HAProxy. */
  #leaveNothing(): void {
    for (let looks = 0; looks < 500 && this.#killEverything().length > 0; looks++)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    rmSync(this.temporary, { recursive: true, force: true, maxRetries: 3 });
  }

  #killEverything(): ProcessOfState[] {
    const running = this.processes();
    for (const { pid } of running) sendSignal(pid, 'SIGKILL');
    return running;
  }

  /** The service, agents and HAProxies of this state directory, whoever started them. */
  processes(): ProcessOfState[] {
    return processesOf(this.temporary);
  }

  /** Ids of amphorae, with a load balancer or without. */
  amphoraIds(): string[] {
    const directory = join(this.state, 'amphorae');
    return existsSync(directory) ? readdirSync(directory) : [];
  }

  /** Ids of amphorae that hold a configuration of the load balancer. */
  amphoraeWith(loadBalancerId: string): string[] {
    return this.amphoraIds().filter((id) =>
      existsSync(join(this.state, 'amphorae', id, 'run', loadBalancerId, 'haproxy.cfg')),
    );
  }

  /** Those whose HAProxy serves it. */
  amphorae(loadBalancerId: string): AmphoraOnDisk[] {
    return this.amphoraeWith(loadBalancerId).map((id) => this.#amphora(id, loadBalancerId));
  }

  #amphora(id: string, loadBalancerId: string): AmphoraOnDisk {
    const directory = join(this.state, 'amphorae', id);
    const agent = Number(JSON.parse(readFileSync(join(directory, 'process.json'), 'utf8')).pid);
    const haproxy = Number(readFileSync(join(directory, 'run', loadBalancerId, 'haproxy.pid'), 'utf8'));
    return { id, directory, agent, haproxy };
  }

  /** The one of a load balancer with topology SINGLE, once it runs. */
  amphora(loadBalancerId: string): Promise<AmphoraOnDisk> {
    return eventually('the load balancer has one amphora', () => {
      const [only, ...others] = this.amphorae(loadBalancerId);
      return others.length === 0 && only && isRunning(only.agent) && isRunning(only.haproxy) ? only : undefined;
    });
  }

  /** Pids of the workers of its HAProxy: others after a reload. */
  async workers(loadBalancerId: string): Promise<number[]> {
    return childrenOf((await this.amphora(loadBalancerId)).haproxy);
  }

  configuration(amphora: AmphoraOnDisk, loadBalancerId: string): string {
    return readFileSync(join(amphora.directory, 'run', loadBalancerId, 'haproxy.cfg'), 'utf8');
  }

  /** Ids of the amphorae that wait for a load balancer. */
  async spares(): Promise<string[]> {
    return (await this.#read(readSpares)).map(({ id }) => id);
  }

  /** Machines that amphorae share. */
  hosts(): Promise<HostRow[]> {
    return this.#read(readHosts);
  }

  async #read<T>(rows: (table: Table) => Promise<T>): Promise<T> {
    const table = new SqliteTable({ path: join(this.state, 'table.sqlite') });
    try {
      return await rows(table);
    } finally {
      await table.close();
    }
  }

  spare(): Promise<string> {
    return eventually('a spare is ready', async () => (await this.spares())[0]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child) await this.killAll();
    rmSync(this.temporary, { recursive: true, force: true, maxRetries: 3 });
  }
}
