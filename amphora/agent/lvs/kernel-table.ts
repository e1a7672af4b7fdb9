// Reads what the kernel's IPVS has: virtual services and members from /proc/net/ip_vs, traffic as ipvsadm prints it, which is the only
// way to it short of netlink (/proc/net/ip_vs_stats has the sum of all). Pure.
import { SocketAddress } from 'node:net';
import type { Place } from './documents.ts';

export interface KernelMember extends Place {
  weight: number;
  connections: number;
}

export interface KernelService extends Place {
  protocol: string;
  members: KernelMember[];
}

/** `IP:port` in hexadecimal, addresses of IPv6 in brackets. */
const service = /^(UDP|SCTP|TCP)\s+(\S+):([0-9A-F]{4})\s/;
const member = /^\s+->\s+(\S+):([0-9A-F]{4})\s+\S+\s+(-?\d+)\s+(\d+)\s+(\d+)/;

export function readServices(table: string): KernelService[] {
  const services: KernelService[] = [];
  for (const line of table.split('\n')) {
    const [, protocol, address = '', port = ''] = service.exec(line) ?? [];
    if (protocol) {
      services.push({ protocol, address: addressOf(address), port: Number.parseInt(port, 16), members: [] });
    }
    const [, at, memberPort = '', weight, active, inactive] = member.exec(line) ?? [];
    if (at) {
      services.at(-1)?.members.push({
        address: addressOf(at),
        port: Number.parseInt(memberPort, 16),
        weight: Number(weight),
        // IPVS calls what it has heard nothing of for a moment inactive, which is all of UDP.
        connections: Number(active) + Number(inactive),
      });
    }
  }
  return services;
}

function addressOf(hex: string): string {
  if (hex.startsWith('[')) return canonical(hex.slice(1, -1));
  const octets = hex.match(/../g) ?? [];
  return octets.map((octet) => Number.parseInt(octet, 16)).join('.');
}

/** In the spelling the configuration has. */
const canonical = (address: string) => new SocketAddress({ address, family: 'ipv6' }).address;

export interface ServiceTraffic extends Place {
  protocol: string;
  connections: number;
  bytesIn: number;
  bytesOut: number;
}

/** Of `ipvsadm -Ln --stats --exact`; lines of members are left out. */
export function readTraffic(output: string): ServiceTraffic[] {
  return output.split('\n').flatMap((line) => {
    const [, protocol, host, port, numbers = ''] = /^(UDP|SCTP|TCP)\s+(\S+):(\d+)\s+([\d\s]+)$/.exec(line) ?? [];
    if (!protocol || !host) return [];
    const [connections = 0, , , bytesIn = 0, bytesOut = 0] = numbers.trim().split(/\s+/).map(Number);
    const address = host.startsWith('[') ? canonical(host.slice(1, -1)) : host;
    return [{ protocol, address, port: Number(port), connections, bytesIn, bytesOut }];
  });
}

export const isAt = (a: Place, b: Place): boolean => a.address === b.address && a.port === b.port;
