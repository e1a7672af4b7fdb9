// An emulator of AWS in a process of its own (MiniStack, from PyPI): CloudFormation, and what our stacks are made of. It runs the
// functions' bundles with Node and the flows from their definitions. A machine that cannot fetch it goes without, and says why.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort } from '../agent-process.ts';
import { eventually } from '../eventually.ts';
import { pythonPackages } from '../python-packages.ts';

const { home, whyMissing } = pythonPackages(join(import.meta.dirname, 'requirements.txt'));

/** undefined once it is installed, else why it cannot be. */
export const whyNoEmulator = whyMissing;

export interface Emulator {
  url: string;
  /** Whatever it printed, for a test that failed. */
  output: () => string;
  stop: () => Promise<void>;
}

const program = join(import.meta.dirname, 'named-errors.py');

/** @param seenAs where functions reach it, when that is by way of somebody */
export async function startEmulator(seenAs?: (url: string) => Promise<string>): Promise<Emulator> {
  const port = await freePort('127.0.0.1');
  const url = `http://127.0.0.1:${port}`;
  const endpoint = seenAs ? await seenAs(url) : url;
  // It leaves behind what it unpacked.
  const temporary = mkdtempSync(join(tmpdir(), 'octavia-emulated-'));
  const env = {
    TMPDIR: temporary,
    // Functions run with the Node that runs this.
    PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
    PYTHONPATH: home,
    GATEWAY_PORT: String(port),
    BIND_HOST: '127.0.0.1',
    AWS_ENDPOINT_URL: endpoint,
    MINISTACK_REGION: 'eu-central-1',
  };
  const child = spawn('python3', [program], { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const printed: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => printed.push(chunk));
  const output = () => Buffer.concat(printed).toString();
  const stop = async () => {
    await stopped(child);
    rmSync(temporary, { recursive: true, force: true });
  };
  try {
    await eventually('the emulator answers', async () => {
      if (child.exitCode !== null) throw new Error(`the emulator ended:\n${output()}`);
      return (await fetch(`${url}/_localstack/health`)).ok;
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, output, stop };
}

/** With the functions it started, which are of its group. */
async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  process.kill(-child.pid, 'SIGKILL');
  await ended;
}
