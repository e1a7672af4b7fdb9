// The state directory: one service at a time, its keys and its credentials.
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from './options.ts';

/** Whole or not at all, and readable by the owner alone. */
export function writePrivate(file: string, content: string): void {
  const half = `${file}.${process.pid}.new`;
  writeFileSync(half, content, { mode: 0o600 });
  renameSync(half, file);
}

/** Start time in clock ticks tells a process from a later one with its number; undefined when there is none. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

export interface Running {
  pid: number;
  start: string;
  endpoint: string;
}

export interface Credentials {
  admin_password: string;
  demo_password: string;
}

export class StateDirectory {
  readonly path: string;
  readonly #isEphemeral: boolean;

  constructor(path: string, isEphemeral: boolean) {
    this.path = isEphemeral ? mkdtempSync(join(tmpdir(), 'octavia-')) : path;
    this.#isEphemeral = isEphemeral;
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    // One that was there before may be open to others; what lies in it is not for them.
    chmodSync(this.path, 0o700);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** @throws UsageError when another service works on it */
  lock(endpoint: string): void {
    const running = readRunning(this.path);
    if (running) {
      throw new UsageError(
        `${this.path} is in use by the service at ${running.endpoint} (process ${running.pid}).\nStop that one, or give this one its own directory: --state DIR`,
      );
    }
    this.note(endpoint);
  }

  /** Writes down who works here and where it answers. */
  note(endpoint: string): void {
    const mine: Running = { pid: process.pid, start: startOf(process.pid) ?? '', endpoint };
    writePrivate(this.file('service.json'), JSON.stringify(mine));
  }

  release(): void {
    rmSync(this.file('service.json'), { force: true });
    if (this.#isEphemeral) rmSync(this.path, { recursive: true, force: true });
  }

  /** Made once, read afterwards. */
  #kept<T>(name: string, make: () => T): T {
    const file = this.file(name);
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as T;
    const made = make();
    writePrivate(file, JSON.stringify(made, null, 2));
    return made;
  }

  sealingKey(): Buffer {
    return Buffer.from(
      this.#kept('sealing-key.json', () => ({ key: randomBytes(32).toString('base64') })).key,
      'base64',
    );
  }

  credentials(): Credentials {
    const password = () => randomBytes(10).toString('hex');
    return this.#kept('credentials.json', () => ({ admin_password: password(), demo_password: password() }));
  }

  /** Amphorae outlive the service and go on reporting to the same port; below the range systems give out by themselves. */
  queuePort(): number {
    return this.#kept('ports.json', () => ({ queue: 20_000 + (randomBytes(2).readUInt16BE() % 12_000) })).queue;
  }
}

/** The service that works on a state directory now. */
export function readRunning(path: string): Running | undefined {
  try {
    const noted = JSON.parse(readFileSync(join(path, 'service.json'), 'utf8')) as Running;
    return noted.pid !== process.pid && startOf(noted.pid) === noted.start ? noted : undefined;
  } catch {
    return undefined;
  }
}
