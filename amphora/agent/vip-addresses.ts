// Addresses of VIPs on a machine whose network brings packets to them but whose kernel knows nothing of it, as on EC2: each is put
// on an interface while this amphora holds the VIP. Octavia's agent configures eth1 in the amphora's network namespace.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { AgentSettings } from '../agent-api.ts';
import type { ConfigurationStore } from './configuration.ts';

const bindLine = /^\s*bind \[?([0-9a-fA-F.:]+?)\]?:\d+(?:\s|$)/gm;
/** Of keepalived's groups of virtual servers: an address and a port alone on a line. */
const virtualServerLine = /^ {4}([0-9a-fA-F.:]+) \d+$/gm;

/** What the configuration listens on. */
export function addressesIn(text: string): string[] {
  const found = [bindLine, virtualServerLine].flatMap((pattern) => [...text.matchAll(pattern)]);
  return found.map(([, address]) => address!);
}

type Ip = (...words: string[]) => Promise<unknown>;
const ip: Ip = (...words) => promisify(execFile)('ip', words);

type Known = Pick<ConfigurationStore, 'vip' | 'current'>;

export class VipAddresses {
  readonly #interface: string | undefined;
  readonly #ip: Ip;
  #put = new Set<string>();

  constructor({ vip_interface }: Pick<AgentSettings, 'vip_interface'>, run: Ip = ip) {
    this.#interface = vip_interface;
    this.#ip = run;
  }

  /** Puts there what is missing, and takes away what it put there and nobody listens on any more. */
  async follow({ vip, current }: Known): Promise<void> {
    if (this.#interface === undefined) return;
    const text = current?.load_balancer_id === vip?.load_balancer_id ? (current?.text ?? '') : '';
    const wanted = new Set(vip === null ? [] : [vip.ip_address, ...addressesIn(text)]);
    for (const address of wanted.difference(this.#put)) {
      await this.#say('replace', address);
      this.#put.add(address);
    }
    for (const address of this.#put.difference(wanted)) {
      await this.#say('delete', address);
      this.#put.delete(address);
    }
  }

  /** Whether somebody else has it the network knows, not the neighbours: nobody is asked (`nodad`). */
  #say(verb: 'replace' | 'delete', address: string): Promise<unknown> {
    const isVersion6 = address.includes(':');
    const prefix = isVersion6 ? `${address}/128` : `${address}/32`;
    const more = isVersion6 && verb === 'replace' ? ['nodad'] : [];
    return this.#ip('address', verb, prefix, 'dev', this.#interface!, ...more);
  }
}
