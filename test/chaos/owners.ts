// Who listens on a VIP, as the kernel tells it: never HAProxies of two amphorae at once.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { LocalService } from '../support/local-service.ts';
import type { Place } from '../support/tls-traffic.ts';

const listening = '0A';

/** As /proc/net/tcp writes it: the address as a little-endian number. */
const asInKernel = ({ host, port }: Place): string => {
  const address = host.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  return `${address.reverse().join('')}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
};

function inodesOn(place: Place): string[] {
  const wanted = asInKernel(place);
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
  const columns = lines.map((line) => line.trim().split(/\s+/));
  return columns.filter(([, local, , state]) => local === wanted && state === listening).map((one) => one[9]!);
}

/** Sockets a process has open; none when it has ended. */
function socketsOf(pid: number): Set<string> {
  try {
    const names = readdirSync(`/proc/${pid}/fd`);
    const links = names.map((name) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${name}`);
      } catch {
        return '';
      }
    });
    return new Set(links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? ''));
  } catch {
    return new Set();
  }
}

export class Owners {
  looks = 0;
  readonly doubled: string[] = [];
  /** VIPs that somebody was seen to listen on: who sees nobody sees no two either. */
  readonly held = new Set<string>();
  /** Processes that had a socket of a VIP, at the last look. */
  listening = 0;
  readonly #service: Pick<LocalService, 'processes'>;

  constructor(service: Pick<LocalService, 'processes'>) {
    this.#service = service;
  }

  /** One look at every VIP. */
  look(places: Place[]): void {
    this.looks++;
    this.listening = 0;
    const processes = this.#service.processes().filter(({ kind }) => kind === 'haproxy');
    const sockets = processes.map(({ pid, command }) => ({
      amphora: amphoraOf(pid, command),
      sockets: socketsOf(pid),
    }));
    for (const place of places) {
      // Read last: what is not there any more now was not open at the same time.
      const inodes = inodesOn(place);
      const holders = sockets.filter((one) => inodes.some((inode) => one.sockets.has(inode)));
      this.listening += holders.length;
      const amphorae = new Set(holders.map(({ amphora }) => amphora));
      if (amphorae.size > 0) this.held.add(place.host);
      if (amphorae.size > 1) this.doubled.push(`${place.host}: ${[...amphorae].join(' and ')}`);
    }
  }
}

/** By its command line, or by where it works. */
export function amphoraOf(pid: number, command: string): string {
  let where = '';
  try {
    where = readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    // It has ended: it holds nothing any more.
  }
  return /\/amphorae\/([^/\s]+)/.exec(`${command} ${where}`)?.[1] ?? String(pid);
}
