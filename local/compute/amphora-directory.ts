// What a machine of a process amphora has instead of a disk: its settings, its keys, its log and the note of its process.
// Everything the service must know after a kill -9 is read from here.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { AgentSettings } from '../../amphora/agent-api.ts';
import type { AmphoraBoot } from '../../lambdas/drivers/compute/compute-driver.ts';
import type { ProcessIdentity } from './processes.ts';

/** What is true of the machine from its first start to its end. */
export interface Machine {
  amphora_id: string;
  lb_network_ip: string;
  zone: string | null;
  server_group?: string | null;
  host_id?: string | null;
  /** What it was made of; none of machines from before images had a name. */
  image_id?: string;
}

const logLimitBytes = 1024 * 1024;

export class AmphoraDirectory {
  readonly path: string;
  readonly amphoraId: string;

  /** @param root absolute, without symbolic links, as /proc spells it */
  constructor(root: string, amphoraId: string) {
    // The id comes from a compute id: nothing that leads out of the root.
    if (!/^[\w-]+$/.test(amphoraId)) throw new TypeError(`${amphoraId} is no amphora id`);
    this.path = join(root, amphoraId);
    this.amphoraId = amphoraId;
  }

  static list(root: string): AmphoraDirectory[] {
    return readdirSync(root).map((amphoraId) => new AmphoraDirectory(root, amphoraId));
  }

  get settingsFile(): string {
    return join(this.path, 'settings.json');
  }

  /** Everything the agent and its HAProxy write. */
  get workingDirectory(): string {
    return join(this.path, 'run');
  }

  get exists(): boolean {
    return existsSync(this.path);
  }

  /** Undefined while the machine is not complete. */
  get machine(): Machine | undefined {
    return this.#readJson<Machine>('machine.json');
  }

  get process(): ProcessIdentity | undefined {
    return this.#readJson<ProcessIdentity>('process.json');
  }

  set process(identity: ProcessIdentity) {
    this.#write('process.json', JSON.stringify(identity));
  }

  make(): void {
    mkdirSync(this.workingDirectory, { recursive: true, mode: 0o700 });
  }

  /** The note of the machine is written last: with it everything else is there. */
  fill(boot: AmphoraBoot, machine: Machine, settings: AgentSettings): void {
    this.#write(settings.server_certificate_file, boot.server_certificate);
    this.#write(settings.server_private_key_file, boot.server_private_key);
    this.#write(settings.ca_certificate_file, boot.ca_certificate);
    this.writeSettings(settings);
    this.#write('machine.json', JSON.stringify(machine));
  }

  readSettings(): AgentSettings | undefined {
    return this.#readJson<AgentSettings>('settings.json');
  }

  writeSettings(settings: AgentSettings): void {
    this.#write('settings.json', JSON.stringify(settings));
  }

  /** A machine that lost its VIP to another one: it must never run again. */
  get isFenced(): boolean {
    return existsSync(join(this.path, 'fenced'));
  }

  writeFence(): void {
    this.#write('fenced', '');
  }

  openLog(): number {
    this.trimLog();
    return openSync(join(this.path, 'agent.log'), 'a', 0o600);
  }

  /** The agent appends to its log whatever happens: the older half of what is kept moves aside. */
  trimLog(): void {
    const log = join(this.path, 'agent.log');
    if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) <= logLimitBytes) return;
    copyFileSync(log, `${log}.1`);
    truncateSync(log);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true, maxRetries: 3 });
  }

  /** By renaming, so that a kill leaves the old file or the new one. */
  #write(name: string, text: string): void {
    const file = join(this.path, name);
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  #readJson<T>(name: string): T | undefined {
    try {
      return JSON.parse(readFileSync(join(this.path, name), 'utf8')) as T;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }
}
