// The one keepalived of the load balancer: started, adopted, reloaded, watched and ended. Octavia has a process per listener and restarts
// it on every change; a reload of one leaves what did not change as it is, health checks' findings included. It does no VRRP.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { log, textOf } from '../log.ts';
import { endGroup, isAlive } from '../process-group.ts';

const readyTimeoutMs = 10_000;
const pollMs = 20;
const adoptedPollMs = 100;
const logLimitBytes = 1024 * 1024;
const backoffMs = { first: 100, longest: 5_000 };

/** keepalived did not start or not do as it was told; the message is what it said. */
export class KeepalivedFailed extends Error {
  override readonly name = 'KeepalivedFailed';
}

export class KeepalivedProcess {
  readonly #path: string;
  readonly #directory: string;
  readonly #onRestart: () => void;
  #pid: number | null = null;
  #isWanted = false;
  #backoffMs = backoffMs.first;

  /** @param directory of the load balancer, with its keepalived.conf */
  constructor(path: string, directory: string, onRestart: () => void) {
    this.#path = path;
    // keepalived keeps no working directory to be found by.
    this.#directory = resolve(directory);
    this.#onRestart = onRestart;
  }

  get isRunning(): boolean {
    return this.#pid !== null && isAlive(this.#pid);
  }

  get file(): string {
    return `${this.#directory}/keepalived.conf`;
  }

  /** Goes on trying until stop(). @throws KeepalivedFailed when it is not ready in time */
  async start(isReady: () => boolean): Promise<void> {
    this.#isWanted = true;
    const logStart = this.#trimLog();
    if (!this.isRunning) await this.#spawn();
    await this.#await(isReady, logStart);
    this.#backoffMs = backoffMs.first;
  }

  /** @throws KeepalivedFailed */
  async reload(isReady: () => boolean): Promise<void> {
    const logStart = this.#trimLog();
    if (this.#pid === null) throw new KeepalivedFailed('keepalived does not run');
    process.kill(this.#pid, 'SIGHUP');
    const isReloaded = () => /Reload complete/.test(this.#readLog(logStart));
    await this.#await(() => isReloaded() && isReady(), logStart);
  }

  /** Ends it; it takes its virtual servers out of the kernel. */
  async stop(): Promise<void> {
    this.#isWanted = false;
    const pid = this.#pid;
    this.#pid = null;
    if (pid !== null) await endGroup(pid);
  }

  /** Takes over a keepalived with this very configuration file that an earlier agent left; false when there is none. */
  adopt(): boolean {
    const pid = this.#findLeftProcess();
    if (pid === null) return false;
    this.#pid = pid;
    this.#isWanted = true;
    const timer = setInterval(() => {
      if (this.#pid === pid && isAlive(pid)) return;
      clearInterval(timer);
      this.#ended(pid);
    }, adoptedPollMs);
    return true;
  }

  async #spawn(): Promise<void> {
    const output = openSync(this.#logFile, 'a', 0o600);
    const pids = ['-p', `${this.#directory}/keepalived.pid`, '-c', `${this.#directory}/checkers.pid`];
    // In the foreground, on a log of its own instead of the machine's, with nothing but its health checkers.
    const child = spawn(this.#path, ['-n', '-l', '-G', '-D', '-C', '-f', this.file, ...pids], {
      cwd: this.#directory,
      detached: true,
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    child.unref();
    if (child.pid === undefined) {
      const [error] = await once(child, 'error');
      throw new KeepalivedFailed(`keepalived cannot be run: ${textOf(error)}`, { cause: error });
    }
    this.#pid = child.pid;
    child.on('exit', () => this.#ended(child.pid!));
  }

  async #await(isReady: () => boolean, logStart: number): Promise<void> {
    const deadline = Date.now() + readyTimeoutMs;
    while (!isReady()) {
      if (!this.isRunning || Date.now() > deadline) throw new KeepalivedFailed(this.#complaint(logStart));
      await sleep(pollMs);
    }
  }

  #ended(pid: number): void {
    if (this.#pid !== pid) return;
    this.#pid = null;
    // Its checkers may outlive it for a moment, and take out of the kernel what the next one puts in.
    const isOver = endGroup(pid);
    if (!this.#isWanted) return;
    log('keepalived ended and is started again', { pid });
    setTimeout(() => void isOver.then(() => this.#startAgain()), this.#backoffMs);
    this.#backoffMs = Math.min(this.#backoffMs * 2, backoffMs.longest);
  }

  async #startAgain(): Promise<void> {
    if (!this.#isWanted || this.isRunning) return;
    try {
      await this.#spawn();
      this.#onRestart();
    } catch (error) {
      log('keepalived does not start', { error: textOf(error) });
    }
  }

  /** A pid may belong to another program by now. */
  #findLeftProcess(): number | null {
    try {
      const pid = Number(readFileSync(`${this.#directory}/keepalived.pid`, 'utf8'));
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return isAlive(pid) && command.includes(this.file) ? pid : null;
    } catch {
      return null;
    }
  }

  /** Of all it says when it ends, what says why. */
  #complaint(logStart: number): string {
    const said = this.#readLog(logStart)
      .split('\n')
      .map((line) => line.replace(/^.*? \d{4}: /, ''));
    const reason = said.find((line) => /can't|cannot|failed|error|unable|denied/i.test(line));
    return `keepalived: ${reason ?? said.filter(Boolean).at(-1) ?? 'it is not ready in time'}`;
  }

  /** keepalived appends to its log for as long as it runs. Returns where the next line will be. */
  #trimLog(): number {
    const size = statSync(this.#logFile, { throwIfNoEntry: false })?.size ?? 0;
    if (size <= logLimitBytes) return size;
    truncateSync(this.#logFile);
    return 0;
  }

  #readLog(from: number): string {
    return readFileSync(this.#logFile).subarray(from).toString('utf8');
  }

  get #logFile(): string {
    return `${this.#directory}/keepalived.log`;
  }
}
