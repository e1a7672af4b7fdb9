// Session persistence as IPVS has it: clients of one address, or of one network, keep their member for a while.
import { isIP } from 'node:net';
import { toNumber, versionOf } from '../domain/ip-addresses.ts';
import type { PoolRow } from '../domain/pool.ts';
import { Unrenderable } from '../domain/unrenderable.ts';
import { address, number, type Statement, statement } from './config.ts';

/** Octavia's defaults: six minutes, and each address for itself. */
const timeoutSeconds = 360;
const wholeAddress = { 4: '255.255.255.255', 6: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff' };

/** @throws Unrenderable for a mask of IPv6 that is no prefix */
export function persistenceStatements({ id, session_persistence }: PoolRow, ipVersion: 4 | 6): Statement[] {
  if (session_persistence?.type !== 'SOURCE_IP') return [];
  const { persistence_timeout, persistence_granularity: given } = session_persistence;
  const isOfFamily = given !== null && isIP(given) !== 0 && versionOf(given) === ipVersion;
  const mask = isOfFamily ? given : wholeAddress[ipVersion];
  return [
    statement(id, 'persistence_timeout', [number(persistence_timeout || timeoutSeconds)]),
    statement(id, 'persistence_granularity', [ipVersion === 4 ? address(mask) : number(prefixOf(mask, id))]),
  ];
}

/** keepalived wants the length of the prefix for IPv6, Octavia's API takes a mask. */
function prefixOf(mask: string, poolId: string): number {
  const [, ones = ''] = /^(1+)0*$/.exec(toNumber(mask).toString(2).padStart(128, '0')) ?? [];
  if (ones !== '') return ones.length;
  throw new Unrenderable(poolId, `${JSON.stringify(mask)} is not the mask of a prefix`);
}
