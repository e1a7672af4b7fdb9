// Session persistence as HAProxy's stick tables and cookies.
import type { MemberRow } from '../domain/member.ts';
import type { PoolRow } from '../domain/pool.ts';
import { type Argument, fetch, name, words } from './config.ts';
import type { Mode } from './frontend.ts';

/** Cookies are seen only where requests are read; elsewhere Octavia accepts them too, and they have no effect. */
export function persistenceLines({ session_persistence }: PoolRow, mode: Mode): Argument[][] {
  if (session_persistence === null) return [];
  const { type, cookie_name } = session_persistence;
  // An IPv6 table holds IPv4 addresses too.
  if (type === 'SOURCE_IP') return [words`stick-table type ipv6 size 10k`, words`stick on src`];
  if (mode !== 'http') return [];
  if (type === 'HTTP_COOKIE') return [words`cookie SRV insert indirect nocache`];
  return [
    words`stick-table type string len 64 size 10k`,
    words`stick store-response ${fetch('res.cook', cookie_name ?? '')}`,
    words`stick match ${fetch('req.cook', cookie_name ?? '')}`,
  ];
}

/** What a member is known by in the cookie. */
export const persistenceArguments = (pool: PoolRow, member: MemberRow, mode: Mode): Argument[] =>
  pool.session_persistence?.type === 'HTTP_COOKIE' && mode === 'http' ? words`cookie ${name(member.id)}` : [];
