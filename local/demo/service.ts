// The service to talk to: one that runs already, found by its state directory, or one of our own in a child process.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stableId } from '../../lambdas/drivers/network/subnets.ts';
import { type Credentials, readRunning } from '../state-directory.ts';
import type { Cloud } from './client.ts';

/** A line of the service's output: an event of Octavia's, a log line, or that it is ready. */
export type Line = { event: string } & Record<string, unknown>;

export interface Service {
  cloud: Cloud;
  /** Its state directory; undefined when it is on another machine. */
  state: string | undefined;
  /** Does nothing to a service that ran before. */
  stop(): Promise<void>;
}

export interface OwnService extends Service {
  state: string;
  pid: number;
  /** From the start of the process to the line that says it is ready. */
  readyMs: number;
  /** Called for every line of its output. */
  onLine(listener: (line: Line) => void): void;
}

/** Ids of subnets are made from their names, so every service of one machine has this one. */
export const localSubnetId = stableId('subnet:vip-subnet');

/** The service that works on the state directory, if one does. */
export function runningService(state: string): Service | undefined {
  const running = readRunning(state);
  if (running === undefined) return undefined;
  const { admin_password } = JSON.parse(readFileSync(join(state, 'credentials.json'), 'utf8')) as Credentials;
  const cloud = {
    endpoint: running.endpoint,
    auth_url: `${running.endpoint}/identity/v3`,
    username: 'admin',
    password: admin_password,
    project_name: 'admin',
    subnet_id: localSubnetId,
  };
  return { cloud, state, stop: async () => {} };
}

/** Two loopback networks of its own, or two services on one machine might give out the same address. */
function ownNetworks(): string[] {
  const second = 64 + 2 * Math.floor(Math.random() * 28);
  return ['--amphora-cidr', `127.${second}.0.0/16`, '--vip-cidr', `127.${second + 1}.0.0/16`];
}

/** What `npm start` gives Node. */
const nodeArguments = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=4'];
const main = fileURLToPath(new URL('../main.ts', import.meta.url));
const stopTimeoutMs = 15_000;

/**
 * Starts a service whose state and amphorae end with it, unless told otherwise.
 * @throws Error with what it printed when it does not come up
 */
export async function startService(
  args: string[] = ['--ephemeral'],
  nodeOptions: string[] = [],
  program = main,
): Promise<OwnService> {
  const started = performance.now();
  const words = [...nodeArguments, ...nodeOptions, program, '--json', '--port', '0', ...ownNetworks(), ...args];
  // A session of its own: Ctrl-C reaches us, and we end it when we have cleaned up.
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  // However we end: it cleans up after itself.
  const endWithUs = () => void child.kill('SIGTERM');
  process.once('exit', endWithUs);
  child.once('exit', () => process.off('exit', endWithUs));
  const listeners = new Set<(line: Line) => void>();
  const ready = await firstLine(child, listeners);
  const readyMs = performance.now() - started;
  return {
    cloud: ready as unknown as Cloud,
    state: String(ready['state']),
    pid: child.pid!,
    readyMs,
    onLine: (listener) => void listeners.add(listener),
    stop: () => stopped(child),
  };
}

async function firstLine(child: ChildProcess, listeners: Set<(line: Line) => void>): Promise<Line> {
  let complaint = '';
  child.stderr?.on('data', (part) => {
    complaint = `${complaint}${part}`.slice(-4_000);
  });
  const lines = createInterface({ input: child.stdout! });
  const first = new Promise<Line>((resolve, reject) => {
    lines.once('line', (text) => resolve(JSON.parse(text) as Line));
    child.once('error', reject);
    child.once('close', () => reject(new Error(`the service did not start: ${complaint}`)));
  });
  lines.on('line', (text) => {
    if (listeners.size === 0) return;
    const line = JSON.parse(text) as Line;
    for (const listener of listeners) listener(line);
  });
  return first;
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const late = new AbortController();
  await Promise.race([gone, sleep(stopTimeoutMs, undefined, { signal: late.signal }).catch(() => {})]);
  late.abort();
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
}
