// The log of one kind that is being written: closed when it is large or old, and bounded with everything that was closed before.
// Octavia leaves rotation to logrotate, which bounds nothing between its runs.
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import type { LogArchive, LogLimits } from '../../agent-api.ts';
import { Archives } from './archives.ts';

interface OpenLog {
  name: string;
  /** Load balancer, or amphora. */
  owner: string;
  descriptor: number;
  bytes: number;
  openedAt: number;
}

const lineEnd = Buffer.from('\n');

export class LogFile {
  readonly archives: Archives;
  readonly #kind: LogArchive['kind'];
  readonly #directory: string;
  readonly #limits: LogLimits;
  #open: OpenLog | null = null;
  #dropped = 0;

  constructor(kind: LogArchive['kind'], directory: string, limits: LogLimits) {
    this.#kind = kind;
    this.#directory = directory;
    this.#limits = limits;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.archives = new Archives(directory);
    this.archives.recover();
  }

  /** Lines there was no room for. */
  get dropped(): number {
    return this.#dropped;
  }

  get bytes(): number {
    return this.archives.bytes + (this.#open?.bytes ?? 0);
  }

  /** In one write, which a kill cannot take back: the page cache outlives the agent. */
  append(owner: string, lines: Buffer[]): void {
    if (lines.length === 0) return;
    const text = Buffer.concat(lines.flatMap((line) => [line, lineEnd]));
    if (this.bytes + text.length > this.#limits.budget_bytes || !this.#write(owner, text)) {
      this.#dropped += lines.length;
      // Whatever there is may be shipped, and make room.
      this.close();
    } else if (this.#open!.bytes >= this.#limits.chunk_bytes) this.close();
  }

  closeIfOld(now: number): void {
    if (this.#open && now - this.#open.openedAt >= this.#limits.chunk_age_ms) this.close();
  }

  close(): void {
    if (this.#open === null) return;
    const { name, descriptor } = this.#open;
    this.#open = null;
    closeSync(descriptor);
    this.archives.close(name);
  }

  /** False when the disk does not take it, whoever filled it. */
  #write(owner: string, text: Buffer): boolean {
    if (this.#open !== null && this.#open.owner !== owner) this.close();
    try {
      this.#open ??= this.#begin(owner);
      writeFileSync(this.#open.descriptor, text);
      this.#open.bytes += text.length;
      return true;
    } catch {
      return false;
    }
  }

  #begin(owner: string): OpenLog {
    const begun = new Date();
    const stamp = begun.toISOString().replace(/[-:]|\.\d+/g, '');
    const name = `${this.#kind}-${owner}-${stamp}-${randomBytes(4).toString('hex')}`;
    const descriptor = openSync(`${this.#directory}/${name}.open`, 'wx', 0o600);
    return { name, owner, descriptor, bytes: 0, openedAt: begun.getTime() };
  }
}
