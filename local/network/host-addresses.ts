// IPv6 addresses of VIPs on this machine's loopback interface, where each has to be put: of IPv4 all of 127.0.0.0/8 is there. What
// was put there is written down, so that it is put there again after the machine has been off.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** @returns why this machine can have no IPv6 VIPs; undefined when it can */
export function obstacleToHostAddresses(): string | undefined {
  if (process.platform !== 'linux') return 'only Linux lets a program add addresses to the loopback interface';
  if (process.getuid?.() !== 0) return 'only root may add addresses to the loopback interface';
  try {
    if (/inet6 ::1/.test(execFileSync('ip', ['-6', 'address', 'show', 'dev', 'lo'], { encoding: 'utf8' })))
      return undefined;
    return 'this machine has no IPv6';
  } catch (cause) {
    return `the program ip is needed: ${(cause as Error).message}`;
  }
}

export class HostAddresses {
  readonly #file: string;
  readonly #held: Set<string>;

  /** @param file that remembers them */
  constructor(file: string) {
    this.#file = file;
    this.#held = new Set(existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as string[]) : []);
  }

  /** After a start of the service. */
  async restore(): Promise<void> {
    for (const address of this.#held) await this.#put(address);
  }

  /** Those of IPv4 are there already. */
  async add(addresses: string[]): Promise<void> {
    for (const address of addresses.filter(isVersion6)) {
      // Written down first: what is on the interface is always known.
      this.#held.add(address);
      this.#save();
      await this.#put(address);
    }
  }

  async remove(addresses: string[]): Promise<void> {
    for (const address of addresses.filter((one) => this.#held.has(one))) {
      // Gone already, as after the machine has been off.
      await run('ip', ['-6', 'address', 'delete', `${address}/128`, 'dev', 'lo']).catch(() => {});
      this.#held.delete(address);
      this.#save();
    }
  }

  async #put(address: string): Promise<void> {
    await run('ip', ['-6', 'address', 'replace', `${address}/128`, 'dev', 'lo', 'nodad']);
  }

  #save(): void {
    writeFileSync(`${this.#file}.new`, JSON.stringify([...this.#held]), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }
}

const isVersion6 = (address: string): boolean => address.includes(':');
