// Session persistence as HAProxy's stick tables and cookies.
import type { PoolRow } from '../domain/pool.ts';
import { type Argument, fetch, name, words } from './config.ts';
import type { Mode } from './frontend.ts';
import { hasPeers } from './peers.ts';
import type { RenderOptions } from './process.ts';

/** Cookies are seen only where requests are read; elsewhere Octavia accepts them too, and they have no effect. */
export function persistenceLines(pool: PoolRow, mode: Mode, options: RenderOptions): Argument[][] {
  if (pool.session_persistence === null) return [];
  const { type, cookie_name } = pool.session_persistence;
  const shared = hasPeers(options) ? words`peers ${name(pool.load_balancer_id)}` : [];
  // An IPv6 table holds IPv4 addresses too.
  if (type === 'SOURCE_IP') return [[...words`stick-table type ipv6 size 10k`, ...shared], words`stick on src`];
  if (mode !== 'http') return [];
  if (type === 'HTTP_COOKIE') return memberCookie(pool);
  // A digest: Octavia keeps the first 64 characters, which are the same in all tokens that begin alike. In digits, since the Runtime API
  // takes no binary keys.
  return [
    [...words`stick-table type string len 40 size 10k`, ...shared],
    words`stick store-response ${fetch('res.cook', cookie_name ?? '', ',sha1,hex')}`,
    words`stick match ${fetch('req.cook', cookie_name ?? '', ',sha1,hex')}`,
  ];
}

/**
 * Octavia's cookie has the member's id, which each member's line tells HAProxy; a line with a cookie cannot be added to a running
 * HAProxy. This one is a digest of the pool's id, which no client knows, with the member's address and port: the same on every
 * amphora and after every reload.
 */
const memberCookie = ({ id }: PoolRow): Argument[][] => [
  words`cookie SRV insert indirect nocache dynamic`,
  words`dynamic-cookie-key ${name(id)}`,
];
