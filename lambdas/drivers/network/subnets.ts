// The subnets a network driver without Neutron or a VPC offers: arithmetic on addresses of both families, and ids that
// are the same on every machine and after every restart.
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { toNumber } from '../../domain/ip-addresses.ts';
import type { Subnet } from './network-driver.ts';

/** What an operator sets. */
export interface SubnetSettings {
  name: string;
  network_name: string;
  cidr: string;
  /** What its id is made of, where names are not fixed. */
  key?: string;
  /** Where addresses are handed out from; absent: all of it, null: nowhere. */
  range?: string | null;
  /** Its addresses are for machines of this zone alone. */
  availability_zone?: string;
}

/** Addresses as numbers; the first and the last that may be handed out. */
export interface AddressRange {
  first: bigint;
  last: bigint;
  ip_version: 4 | 6;
}

/** Namespace of the ids made here; any fixed UUID does. */
const namespace = Buffer.from('5ab0c1e24f0d4c7a9d3e8f6b7a215c90', 'hex');

/** UUID version 5 (RFC 9562): the same name has the same id everywhere. */
export function stableId(name: string): string {
  const bytes = createHash('sha1').update(namespace).update(name).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export function makeSubnet({ name, network_name, cidr, key = name, range, availability_zone }: SubnetSettings): Subnet {
  addressRange(range ?? cidr);
  const ip_version = cidr.includes(':') ? 6 : 4;
  return {
    id: stableId(`subnet:${key}`),
    name,
    network_id: stableId(`network:${network_name}`),
    network_name,
    cidr,
    ip_version,
    ...(range !== undefined && { range }),
    ...(availability_zone !== undefined && { availability_zone }),
  };
}

/** Of the addresses that may be handed out. */
export const handedOut = ({ cidr, range }: Pick<Subnet, 'cidr' | 'range'>): AddressRange =>
  range ? wholeRange(range) : addressRange(cidr);

/** Leaves out the address of the network and, in IPv4, that of broadcast. @throws TypeError for what is no CIDR */
export function addressRange(cidr: string): AddressRange {
  const { first, last, ip_version } = wholeRange(cidr);
  return { first: first + 1n, last: ip_version === 4 ? last - 1n : last, ip_version };
}

function wholeRange(cidr: string): AddressRange {
  const [address = '', prefix = ''] = cidr.split('/');
  const ip_version = isIP(address);
  const bits = ip_version === 4 ? 32 : 128;
  const length = Number(prefix);
  if (ip_version === 0 || !/^\d+$/.test(prefix) || length > bits - 2)
    throw new TypeError(`${cidr} is no subnet to allocate from`);
  const hostBits = BigInt(bits - length);
  const network = (toNumber(address) >> hostBits) << hostBits;
  return { first: network, last: network + (1n << hostBits) - 1n, ip_version: ip_version as 4 | 6 };
}

export function contains(subnet: Subnet, address: string): boolean {
  const version = isIP(address);
  if (version !== subnet.ip_version) return false;
  if (subnet.range === null) return false;
  const { first, last } = handedOut(subnet);
  const number = toNumber(address);
  return first <= number && number <= last;
}
