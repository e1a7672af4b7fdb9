// An address of 127.0.0.0/8 for every amphora, reserved on disk: a symbolic link per address, since the system makes a link
// only once and complete, so two can never reserve the same one and none is left without a name on it.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { toAddress } from '../../lambdas/domain/ip-addresses.ts';
import { addressRange } from '../../lambdas/drivers/network/subnets.ts';

export class LoopbackAddresses {
  readonly #directory: string;
  readonly #first: bigint;
  readonly #count: bigint;
  readonly #port: number;

  /** @param port of the agent: an address on which somebody else has it is left out */
  constructor(directory: string, cidr: string, port: number) {
    const { first, last } = addressRange(cidr);
    this.#directory = directory;
    this.#first = first;
    this.#count = last - first + 1n;
    this.#port = port;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** The address reserved for the amphora before, or one that is free. @throws Error when there is none */
  async reserve(amphoraId: string): Promise<string> {
    const [before] = this.#of(amphoraId);
    if (before) return before;
    // Every amphora starts looking elsewhere, so that the search is short and two services on a machine rarely meet.
    const start = BigInt(`0x${createHash('sha256').update(amphoraId).digest('hex').slice(0, 12)}`);
    for (let step = 0n; step < this.#count; step += 1n) {
      const address = toAddress(this.#first + ((start + step) % this.#count), 4);
      if (!this.#link(address, amphoraId)) continue;
      if (await canListen(address, this.#port)) return address;
      this.#unlink(address);
    }
    throw new Error('no loopback address is free for an amphora');
  }

  release(amphoraId: string): void {
    for (const address of this.#of(amphoraId)) this.#unlink(address);
  }

  /** Amphorae that have an address. */
  holders(): string[] {
    return this.#entries().map(([, amphoraId]) => amphoraId);
  }

  #of(amphoraId: string): string[] {
    const own = this.#entries().filter(([, holder]) => holder === amphoraId);
    return own.map(([address]) => address);
  }

  #entries(): [address: string, amphoraId: string][] {
    return readdirSync(this.#directory).flatMap((address): [string, string][] => {
      try {
        return [[address, readlinkSync(join(this.#directory, address))]];
      } catch {
        // Released since the directory was read.
        return [];
      }
    });
  }

  #link(address: string, amphoraId: string): boolean {
    try {
      symlinkSync(amphoraId, join(this.#directory, address));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  #unlink(address: string): void {
    rmSync(join(this.#directory, address), { force: true });
  }
}

async function canListen(address: string, port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ host: address, port, exclusive: true });
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
