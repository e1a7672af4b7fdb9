// Closed logs of one kind on disk: gzipped, found again after a kill, and kept until they are shipped. A name goes through
// `.open` (written to), `.log` (closed) and `.log.gz` (ready), each step a rename, so that nothing is lost or doubled between.
import { createHash } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { archiveName, type LogArchive } from '../../agent-api.ts';
import { log, textOf } from '../log.ts';

/** A disk that is full for others may have room again. */
const retryMs = 60_000;

export class Archives {
  readonly #directory: string;
  readonly #ready = new Map<string, LogArchive>();
  /** Bytes of closed files, gzipped or not yet. */
  #bytes = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(directory: string) {
    this.#directory = directory;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Oldest first. */
  get ready(): LogArchive[] {
    return [...this.#ready.values()].sort((a, b) => (a.from < b.from ? -1 : 1));
  }

  /** Takes up what an agent before this one left, in whatever state. */
  recover(): void {
    const files = readdirSync(this.#directory);
    for (const file of files.filter((one) => one.endsWith('.new'))) rmSync(this.#path(file));
    for (const file of files.filter((one) => one.endsWith('.log.gz'))) {
      // Killed between the rename of the one and the removal of the other.
      rmSync(this.#path(file.slice(0, -'.gz'.length)), { force: true });
      this.#bytes += statSync(this.#path(file)).size;
      this.#describe(file.slice(0, -'.log.gz'.length));
    }
    for (const file of readdirSync(this.#directory)) {
      if (file.endsWith('.log')) this.#take(file.slice(0, -'.log'.length));
      if (file.endsWith('.open')) this.close(file.slice(0, -'.open'.length));
    }
  }

  /** What was written to `<name>.open` becomes an archive; nothing becomes nothing. */
  close(name: string): void {
    const open = this.#path(`${name}.open`);
    if (statSync(open).size === 0) {
      rmSync(open);
    } else {
      renameSync(open, this.#path(`${name}.log`));
      this.#take(name);
    }
  }

  path(name: string): string | undefined {
    return this.#ready.has(name) ? this.#path(`${name}.log.gz`) : undefined;
  }

  get(name: string): LogArchive | undefined {
    return this.#ready.get(name);
  }

  /** It is where it was to go. */
  remove(name: string): void {
    const archive = this.#ready.get(name);
    if (!archive) return;
    rmSync(this.#path(`${name}.log.gz`), { force: true });
    this.#bytes -= archive.bytes;
    this.#ready.delete(name);
  }

  /** Ends when everything closed so far is gzipped. */
  settled(): Promise<void> {
    return this.#last;
  }

  #take(name: string): void {
    this.#bytes += statSync(this.#path(`${name}.log`)).size;
    this.#gzipInTurn(name);
  }

  /** One at a time: a second core is not the log's to take. */
  #gzipInTurn(name: string): void {
    this.#last = this.#last
      .then(() => this.#gzip(name))
      .catch((error) => {
        log('a log is not gzipped', { name, error: textOf(error) });
        setTimeout(() => this.#gzipInTurn(name), retryMs).unref();
      });
  }

  async #gzip(name: string): Promise<void> {
    const [plain, gzipped] = [this.#path(`${name}.log`), this.#path(`${name}.log.gz`)];
    const { size, mtime } = statSync(plain);
    await pipeline(createReadStream(plain), createGzip(), createWriteStream(`${gzipped}.new`, { mode: 0o600 }));
    // Its last line is as old as it was.
    utimesSync(`${gzipped}.new`, mtime, mtime);
    renameSync(`${gzipped}.new`, gzipped);
    rmSync(plain);
    this.#bytes += statSync(gzipped).size - size;
    this.#describe(name);
  }

  #describe(name: string): void {
    const file = this.#path(`${name}.log.gz`);
    const { kind, begun } = archiveName.exec(name)?.groups ?? {};
    if (kind === undefined || begun === undefined) return;
    const content = readFileSync(file);
    this.#ready.set(name, {
      name,
      kind: kind as LogArchive['kind'],
      bytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
      from: begun.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'),
      to: statSync(file).mtime.toISOString(),
    });
  }

  #path(file: string): string {
    return `${this.#directory}/${file}`;
  }
}
