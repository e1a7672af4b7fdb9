// The header of the PROXY protocol as a member reads it, in its first and second version.
import { isIPv6 } from 'node:net';

export interface ProxyHeader {
  version: 1 | 2;
  source: string;
  sourcePort: number;
  destination: string;
  destinationPort: number;
  /** What follows the header. */
  rest: Buffer;
}

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

/** @throws Error for anything that is no such header */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  return bytes.subarray(0, 12).equals(signature) ? readBinary(bytes) : readText(bytes);
}

function readText(bytes: Buffer): ProxyHeader {
  const end = bytes.indexOf('\r\n');
  const line = bytes.subarray(0, end).toString('latin1');
  const [, family, source, destination, from, to] = /^PROXY (TCP[46]) (\S+) (\S+) (\d+) (\d+)$/.exec(line) ?? [];
  if (family === undefined || (family === 'TCP6') !== isIPv6(source!)) throw new Error(`no PROXY header: ${line}`);
  const rest = bytes.subarray(end + 2);
  return {
    version: 1,
    source: source!,
    destination: destination!,
    sourcePort: Number(from),
    destinationPort: Number(to),
    rest,
  };
}

function readBinary(bytes: Buffer): ProxyHeader {
  const [command, family, length] = [bytes[12], bytes[13], bytes.readUInt16BE(14)];
  if (command !== 0x21 || (family !== 0x11 && family !== 0x21)) throw new Error(`PROXYV2 of ${command} ${family}`);
  const size = family === 0x11 ? 4 : 16;
  const addresses = bytes.subarray(16);
  return {
    version: 2,
    source: spelled(addresses.subarray(0, size)),
    destination: spelled(addresses.subarray(size, 2 * size)),
    sourcePort: addresses.readUInt16BE(2 * size),
    destinationPort: addresses.readUInt16BE(2 * size + 2),
    rest: bytes.subarray(16 + length),
  };
}

function spelled(address: Buffer): string {
  if (address.length === 4) return address.join('.');
  const groups = Array.from({ length: 8 }, (_, index) => address.readUInt16BE(2 * index).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
