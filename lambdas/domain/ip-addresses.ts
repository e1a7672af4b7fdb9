// Arithmetic on IP addresses of both families: as numbers, in one spelling each, and as networks.
import { isIP, SocketAddress } from 'node:net';
import { kind } from './attribute-kind.ts';

/** @param address an IP address of either family */
export function toNumber(address: string): bigint {
  const groups =
    isIP(address) === 4
      ? address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))
      : expand(address);
  return BigInt(`0x${groups.join('')}`);
}

/** In the shortest spelling (RFC 5952). */
export function toAddress(number: bigint, ipVersion: 4 | 6): string {
  const hex = number.toString(16).padStart(ipVersion === 4 ? 8 : 32, '0');
  if (ipVersion === 4)
    return hex
      .match(/../g)!
      .map((part) => Number.parseInt(part, 16))
      .join('.');
  return new SocketAddress({ address: hex.match(/.{4}/g)!.join(':'), family: 'ipv6' }).address;
}

export const versionOf = (address: string): 4 | 6 => (address.includes(':') ? 6 : 4);

/** One spelling per address, so that an address is never taken for two. */
export const canonical = (address: string): string => toAddress(toNumber(address), versionOf(address));

/** The eight groups of an IPv6 address, four digits each. */
function expand(address: string): string[] {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  const plain = dotted
    ? dotted[1] +
      toNumber(dotted[2]!)
        .toString(16)
        .padStart(8, '0')
        .replace(/(.{4})$/, ':$1')
    : address;
  const [head = '', tail] = plain.split('::');
  const before = head.split(':').filter(Boolean);
  const after = (tail ?? '').split(':').filter(Boolean);
  const between = new Array<string>(8 - before.length - after.length).fill('0');
  return [...before, ...between, ...after].map((group) => group.padStart(4, '0'));
}

/** The network an address with a prefix is in; without a prefix, the address alone. undefined for what is neither. */
function network(text: string): string | undefined {
  const [address = '', prefix, ...more] = text.split('/');
  if (more.length > 0 || isIP(address) === 0 || address.includes('%')) return undefined;
  const bits = versionOf(address) === 4 ? 32 : 128;
  if (prefix !== undefined && !/^\d{1,3}$/.test(prefix)) return undefined;
  const length = Number(prefix ?? bits);
  if (length > bits) return undefined;
  const hostBits = BigInt(bits - length);
  return `${toAddress((toNumber(address) >> hostBits) << hostBits, versionOf(address))}/${length}`;
}

/** A CIDR, brought to the network it is in: `10.0.0.1/24` is `10.0.0.0/24`. */
export const cidr = () =>
  kind(
    (value, refused): string => {
      const found = typeof value === 'string' ? network(value) : undefined;
      if (found !== undefined) return found;
      return refused('Value should be IPv4 or IPv6 CIDR format');
    },
    { type: 'string', description: 'an IP address, with or without the length of a prefix' },
  );
