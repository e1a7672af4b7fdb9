// Cuts between addresses of one network namespace: what goes from one to the other is dropped without a word, as a network that is cut
// does it. Amphorae and the control plane share a loopback, but each agent speaks from its amphora's own address.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of the control plane, of clients and of HAProxies that call members. */
const ours = '127.0.0.1';
/** HAProxy calls itself there when it is reloaded, which no network is between. */
const peersPort = 1025;

/** What is dropped, in nft's words. */
export type Cut = string[];

export const addressOf = (amphoraDirectory: string): string =>
  JSON.parse(readFileSync(join(amphoraDirectory, 'machine.json'), 'utf8')).lb_network_ip;

export const controlPlaneFrom = (amphora: string): Cut => [
  `ip saddr ${ours} ip daddr ${amphora} tcp dport != ${peersPort} drop`,
  `ip saddr ${amphora} ip daddr ${ours} tcp sport != ${peersPort} drop`,
];

export const eachOther = (one: string, other: string): Cut => [
  `ip saddr ${one} ip daddr ${other} drop`,
  `ip saddr ${other} ip daddr ${one} drop`,
];

/** @param addresses one, or a network */
export const everybodyFrom = (addresses: string): Cut => [`ip daddr ${addresses} drop`, `ip saddr ${addresses} drop`];

export class Partitions {
  readonly #cuts = new Set<Cut>();

  /** In a namespace of nobody else's. */
  constructor() {
    this.#nft('add table ip chaos; add chain ip chaos input { type filter hook input priority 0; }');
  }

  /** @returns what heals it */
  cut(cut: Cut): () => void {
    this.#cuts.add(cut);
    this.#write();
    return () => {
      this.#cuts.delete(cut);
      this.#write();
    };
  }

  healAll(): void {
    this.#cuts.clear();
    this.#write();
  }

  /** All at once, so that there is no moment without the other cuts. */
  #write(): void {
    const rules = [...this.#cuts].flat().map((rule) => `add rule ip chaos input ${rule}`);
    this.#nft(['flush chain ip chaos input', ...rules].join('\n'));
  }

  #nft(commands: string): void {
    execFileSync('nft', ['-f', '-'], { input: `${commands}\n` });
  }
}
