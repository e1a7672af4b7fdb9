// The HAProxy of the load balancer: started, adopted, reloaded, watched and ended. Octavia leaves this to systemd; here
// HAProxy is a session of its own, so that traffic outlives a killed agent, and the next agent finds it by its pid file.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { log, textOf } from './log.ts';
import { endGroup, isAlive, signalGroup } from './process-group.ts';
import { type Processes, RuntimeApi } from './runtime-api.ts';
import type { TrafficMeter } from './traffic-meter.ts';

const startTimeoutMs = 10_000;
/** HAProxy tries for seconds to bind an address that is taken before it gives a reload up. */
const reloadTimeoutMs = 20_000;
const pollMs = 10;
const adoptedPollMs = 100;
const logLimitBytes = 1024 * 1024;
/** A process that lived this long starts with the shortest backoff again. */
const steadyAfterMs = 5_000;
const backoffMs = { first: 100, longest: 5_000 };

/** HAProxy did not start or did not take a new configuration; `output` is what it said. */
export class HaproxyFailed extends Error {
  override readonly name = 'HaproxyFailed';
  readonly output: string;
  constructor(message: string, output: string, options?: ErrorOptions) {
    super(message, options);
    this.output = output;
  }
}

export class HaproxyProcess {
  readonly runtime: RuntimeApi;
  readonly #haproxyPath: string;
  readonly #directory: string;
  readonly #traffic: TrafficMeter;
  readonly #onRestart: () => void;
  #pid: number | null = null;
  #isWanted = false;
  #isRetired = false;
  #starting: Promise<void> | null = null;
  #startedAt = 0;
  #backoffMs = backoffMs.first;

  /** `onRestart` is called when HAProxy ended without being told to and runs again. */
  constructor(haproxyPath: string, directory: string, traffic: TrafficMeter, onRestart: () => void) {
    this.#haproxyPath = haproxyPath;
    this.#traffic = traffic;
    this.#directory = directory;
    this.#onRestart = onRestart;
    this.runtime = new RuntimeApi(`${directory}/master.sock`);
  }

  /** Of the master; another one after HAProxy died, the same one after a reload. */
  get pid(): number | null {
    return this.#pid;
  }

  /** Ends when no start of the supervision is under way; true when HAProxy runs then. */
  async isRunning(): Promise<boolean> {
    await this.#starting?.catch(() => {});
    return this.#pid !== null && isAlive(this.#pid);
  }

  /** @throws HaproxyFailed; supervision goes on trying until stop() */
  async start(): Promise<void> {
    this.#isWanted = true;
    return this.#ensureRunning();
  }

  async #ensureRunning(): Promise<void> {
    if (await this.isRunning()) return;
    // A stop may have come while an earlier start was waited for.
    if (!this.#isWanted) throw new HaproxyFailed('HAProxy was told to stop', '');
    this.#starting ??= this.#spawn().finally(() => {
      this.#starting = null;
    });
    return this.#starting;
  }

  /** Takes over an HAProxy of this directory that an earlier agent left; false when there is none that answers. */
  async adopt(): Promise<boolean> {
    const pid = this.#findLeftProcess();
    if (pid === null) return false;
    const processes = await this.runtime.showProcesses().catch(() => null);
    if (processes?.master !== pid || processes.worker === null) {
      await endGroup(pid);
      return false;
    }
    this.#pid = pid;
    this.#isWanted = true;
    this.#startedAt = Date.now();
    this.#watchAdopted(pid);
    return true;
  }

  /** @throws HaproxyFailed when no new worker came up; the old one serves on */
  reload(): Promise<void> {
    return this.#traffic.acrossReload(this.runtime, `${this.#directory}/haproxy.sock`, () => this.#reload());
  }

  async #reload(): Promise<void> {
    const before = await this.runtime.showProcesses();
    const logStart = this.trimLog();
    const said = await this.runtime.reload().catch(textOf);
    const deadline = Date.now() + reloadTimeoutMs;
    while (Date.now() < deadline) {
      // While the master executes itself anew nobody answers on its socket.
      const now = await this.runtime.showProcesses().catch(() => null);
      if (now && (now.reloads > before.reloads || said.includes('Success='))) {
        const isAnother = now.failedReloads === 0 && now.worker !== before.worker && (await this.#answers(now));
        if (isAnother && (await this.#isLeft(now, before.worker))) return;
        if (now.failedReloads > 0 || said.includes('Success=0')) break;
      }
      if (this.#pid === null || !isAlive(this.#pid)) break;
      await sleep(pollMs);
    }
    throw new HaproxyFailed('HAProxy did not take the configuration', this.#readLog(logStart) || said);
  }

  /** Ends HAProxy with its workers, at once. */
  async stop(): Promise<void> {
    this.#isWanted = false;
    await this.#starting?.catch(() => {});
    const pid = this.#pid;
    this.#pid = null;
    if (pid !== null) await endGroup(pid);
    rmSync(this.#pidFile, { force: true });
  }

  /** Stops, and never starts again whatever is under way: the agent ends. */
  async retire(): Promise<void> {
    this.#isRetired = true;
    await this.stop();
  }

  /** HAProxy appends to its log for as long as it runs. Returns where the next line will be. */
  trimLog(): number {
    const size = statSync(this.#logFile, { throwIfNoEntry: false })?.size ?? 0;
    if (size <= logLimitBytes) return size;
    truncateSync(this.#logFile);
    return 0;
  }

  async #spawn(): Promise<void> {
    if (this.#isRetired) throw new HaproxyFailed('the agent ends', '');
    // The state of a reload that never ended must not overrule the configuration.
    rmSync(`${this.#directory}/servers-state`, { force: true });
    const logStart = this.trimLog();
    const child = this.#spawnChild();
    if (child.pid === undefined) {
      const [error] = await once(child, 'error');
      this.#startAgainLater();
      throw new HaproxyFailed(`HAProxy cannot be run: ${textOf(error)}`, textOf(error));
    }
    this.#pid = child.pid;
    writeFileSync(this.#pidFile, `${child.pid}\n`);
    this.#startedAt = Date.now();
    child.on('exit', (code, signal) => this.#ended(child.pid!, `code ${code}, signal ${signal}`));
    const deadline = Date.now() + startTimeoutMs;
    while (this.#pid === child.pid && Date.now() < deadline) {
      const processes = await this.runtime.showProcesses().catch(() => null);
      if (processes?.master === child.pid && (await this.#answers(processes))) return;
      await sleep(pollMs);
    }
    await endGroup(child.pid);
    throw new HaproxyFailed('HAProxy did not start', this.#readLog(logStart));
  }

  #spawnChild(): ChildProcess {
    // Standard error is a file: a pipe would end with the agent, and HAProxy with the pipe.
    const output = openSync(this.#logFile, 'a', 0o600);
    const options = ['-W', '-S', '/proc/self/cwd/master.sock', '-f', 'haproxy.cfg'];
    const child = spawn(this.#haproxyPath, options, {
      cwd: this.#directory,
      detached: true,
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    child.unref();
    return child;
  }

  async #answers(processes: Processes): Promise<boolean> {
    if (processes.worker === null) return false;
    const version = await this.runtime.ask(processes.worker, 'show version').catch(() => '');
    return /^\d/.test(version);
  }

  /** Until it was told to stop, the worker before takes connections too, and serves them as before. */
  async #isLeft({ oldWorkers }: Processes, worker: number | null): Promise<boolean> {
    if (worker === null || !oldWorkers.includes(worker)) return true;
    const info = await this.runtime.ask(worker, 'show info').catch(() => '');
    return !/^Stopping: 0$/m.test(info);
  }

  #ended(pid: number, how: string): void {
    if (this.#pid !== pid) return;
    this.#pid = null;
    // Workers end with their master, but not at the same moment: the port must be free for the next one.
    signalGroup(pid, 'SIGKILL');
    if (!this.#isWanted) return;
    log('HAProxy ended and is started again', { pid, how });
    this.#startAgainLater();
  }

  #startAgainLater(): void {
    const wasSteady = Date.now() - this.#startedAt > steadyAfterMs;
    if (wasSteady) this.#backoffMs = backoffMs.first;
    setTimeout(() => void this.#startAgain(), wasSteady ? 0 : this.#backoffMs);
    this.#backoffMs = Math.min(this.#backoffMs * 2, backoffMs.longest);
  }

  async #startAgain(): Promise<void> {
    if (!this.#isWanted) return;
    try {
      await this.#ensureRunning();
      this.#onRestart();
    } catch (error) {
      log('HAProxy does not start', { error: textOf(error) });
    }
  }

  /** Somebody else's child: its end is not announced. */
  #watchAdopted(pid: number): void {
    const timer = setInterval(() => {
      if (this.#pid === pid && isAlive(pid)) return;
      clearInterval(timer);
      this.#ended(pid, 'adopted');
    }, adoptedPollMs);
  }

  /** A pid may belong to another program by now: only a master in this very directory is ours. */
  #findLeftProcess(): number | null {
    try {
      const pid = Number(readFileSync(this.#pidFile, 'utf8'));
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      const isHere = readlinkSync(`/proc/${pid}/cwd`) === realpathSync(this.#directory);
      return isAlive(pid) && isHere && command.includes('/proc/self/cwd/master.sock') ? pid : null;
    } catch {
      return null;
    }
  }

  #readLog(from: number): string {
    return readFileSync(this.#logFile).subarray(from).toString('utf8');
  }

  get #pidFile(): string {
    return `${this.#directory}/haproxy.pid`;
  }

  get #logFile(): string {
    return `${this.#directory}/haproxy.log`;
  }
}
