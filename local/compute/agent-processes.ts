// Starts the agents of process amphorae, takes over those an earlier service left running, and tells when one ends.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { AmphoraDirectory } from './amphora-directory.ts';
import { findProcesses, identify, isAgentOf, isSame, type ProcessIdentity } from './processes.ts';

/** How often a process that is not our child is looked at. */
const watchIntervalMs = 1_000;

export interface AgentProgram {
  /** main.ts or a bundled file. */
  file: string;
  /** Of Node itself: memory limits. */
  execArgv: string[];
  environment: Record<string, string>;
  /** The agents end with this process, however it ends. */
  ephemeral: boolean;
}

export type ExitListener = (amphoraId: string) => void;

export class AgentProcesses {
  readonly #program: AgentProgram;
  readonly #listeners = new Set<ExitListener>();
  readonly #watched = new Map<string, AmphoraDirectory>();
  #timer: NodeJS.Timeout | undefined;

  constructor(program: AgentProgram) {
    this.#program = program;
  }

  onExit(listener: ExitListener): void {
    this.#listeners.add(listener);
  }

  /** The agent of the directory, if it runs. */
  find(directory: AmphoraDirectory): ProcessIdentity | undefined {
    const known = directory.process;
    if (!known || !isSame(known)) return undefined;
    return isAgentOf(directory.settingsFile, known.pid) ? known : undefined;
  }

  /** Takes over an agent that runs already, even one whose start was never noted. */
  adopt(directory: AmphoraDirectory): boolean {
    const running = this.find(directory) ?? this.#findUnnoted(directory);
    if (!running) return false;
    directory.process = running;
    this.#watch(directory);
    return true;
  }

  async start(directory: AmphoraDirectory): Promise<void> {
    const child = await this.#spawn(directory);
    const identity = identify(child.pid!);
    // Without one it ended at once; the exit event tells.
    if (identity) directory.process = identity;
    this.#watch(directory);
    child.once('exit', () => this.#ended(directory.amphoraId));
  }

  /** From now on the end of this agent is no news. */
  forget(amphoraId: string): void {
    this.#watched.delete(amphoraId);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #spawn(directory: AmphoraDirectory): Promise<ChildProcess> {
    const { file, execArgv, environment, ephemeral } = this.#program;
    const log = directory.openLog();
    // A session of its own: neither Ctrl-C nor a kill of the service reaches the data plane.
    const child = spawn(process.execPath, [...execArgv, file, '--config', directory.settingsFile], {
      cwd: directory.path,
      detached: true,
      stdio: [ephemeral ? 'pipe' : 'ignore', log, log],
      env: environment,
    });
    closeSync(log);
    child.unref();
    (child.stdin as Socket | null)?.unref();
    // An agent that ended closes its pipe; its exit says so already.
    child.stdin?.on('error', () => {});
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    return child;
  }

  #findUnnoted(directory: AmphoraDirectory): ProcessIdentity | undefined {
    return findProcesses((pid) => isAgentOf(directory.settingsFile, pid))[0];
  }

  #watch(directory: AmphoraDirectory): void {
    this.#watched.set(directory.amphoraId, directory);
    this.#timer ??= setInterval(() => this.#lookAround(), watchIntervalMs).unref();
  }

  #lookAround(): void {
    for (const [amphoraId, directory] of this.#watched) {
      if (this.find(directory)) directory.trimLog();
      else this.#ended(amphoraId);
    }
  }

  #ended(amphoraId: string): void {
    const directory = this.#watched.get(amphoraId);
    // Told before, or it was started again since.
    if (!directory || this.find(directory)) return;
    this.forget(amphoraId);
    for (const listener of this.#listeners) listener(amphoraId);
  }
}
