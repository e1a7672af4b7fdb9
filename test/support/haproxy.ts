// The real HAProxy, for tests of what is rendered for it.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { manifestLine } from '../../amphora/agent-api.ts';

/** Another one than the system's where the environment names it, as the service does. */
export const haproxyPath = process.env['OCTAVIA_HAPROXY'] ?? '/usr/sbin/haproxy';

/** What `haproxy -c` says of one text. */
export interface Verdict {
  isValid: boolean;
  output: string;
  /** Lines at fault, from 1. */
  lines: number[];
}

export class HaproxyDirectory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'haproxy-test-'));
  #count = 0;

  constructor() {
    writeFileSync(join(this.path, 'servers-state'), '1\n');
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** As the agent does it: each slot of the text's manifest with its contents. */
  layOut(text: string, files: readonly { digest: string; contents: string }[]): void {
    mkdirSync(join(this.path, 'slots'), { recursive: true });
    const contents = new Map(files.map((file) => [file.digest, file.contents]));
    for (const line of text.split('\n')) {
      const [, slot, digest] = manifestLine.exec(line) ?? [];
      if (slot !== undefined) writeFileSync(join(this.path, 'slots', slot), contents.get(digest!)!);
    }
  }

  /** As the agent does it: placeholders filled in. */
  write(text: string): string {
    const file = join(this.path, `${++this.#count}.cfg`);
    writeFileSync(file, text.replaceAll('{{DIRECTORY}}', this.path));
    return file;
  }

  async check(text: string, program = haproxyPath): Promise<Verdict> {
    const file = this.write(text);
    return new Promise((resolve, reject) => {
      execFile(program, ['-c', '-f', file], (error, stdout, stderr) => {
        if (error && typeof error.code !== 'number') {
          reject(new Error('these tests need HAProxy, which is not installed', { cause: error }));
          return;
        }
        const output = stdout + stderr;
        const lines = [...output.matchAll(/\[[^\]]*\.cfg:(\d+)\]/g)].map(([, line]) => Number(line));
        resolve({ isValid: error === null, output, lines });
      });
    });
  }

  /** Starts HAProxy and waits until its stats socket answers. */
  async start(text: string): Promise<RunningHaproxy> {
    const child = spawn(haproxyPath, ['-db', '-f', this.write(text)], { stdio: 'ignore' });
    await once(child, 'spawn');
    const running = new RunningHaproxy(child, join(this.path, 'haproxy.sock'));
    await until('HAProxy answers', async () => (await running.ask('show info').catch(() => '')) !== '');
    return running;
  }
}

export class RunningHaproxy implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #socketPath: string;

  constructor(child: ChildProcess, socketPath: string) {
    this.#child = child;
    this.#socketPath = socketPath;
  }

  async ask(command: string): Promise<string> {
    const socket = connect(this.#socketPath);
    await once(socket, 'connect');
    socket.write(`${command}\n`);
    return (await readAll(socket)).trim();
  }

  /** `status` and `check_status` of a server, as `show stat` has them. */
  async stateOf(server: string): Promise<string> {
    const [header = '', ...rows] = (await this.ask('show stat')).split('\n').map((line) => line.split(','));
    const columns = Array.isArray(header) ? header : [header];
    const found = rows.find((row) => row[1] === server) ?? [];
    return `${found[columns.indexOf('status')]} ${found[columns.indexOf('check_status')]}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

export async function until(what: string, isSo: () => Promise<boolean>, withinMs = 5_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(50);
  }
}
