// Headers that a listener adds to requests on their way to members.
import type { ListenerRow } from '../domain/listener.ts';
import type { PoolRow } from '../domain/pool.ts';
import { type Argument, words } from './config.ts';

/** Members of a PROXY pool learn the client's address otherwise, so Octavia keeps these to HTTP pools. */
const ofHttpPools: Record<string, Argument[]> = {
  'X-Forwarded-For': words`option forwardfor`,
  'X-Forwarded-Port': words`http-request set-header X-Forwarded-Port %[dst_port]`,
};

/** The last three Octavia accepts and never sends. */
const ofAllPools: Record<string, Argument[]> = {
  'X-Forwarded-Proto': words`http-request set-header X-Forwarded-Proto http`,
  'X-Forwarded-IP': words`http-request set-header X-Forwarded-IP %[src]`,
  'X-Client-IP': words`http-request set-header X-Client-IP %[src]`,
  'X-Real-IP': words`http-request set-header X-Real-IP %[src]`,
};

/** In one order, whatever order they were given in: amphorae compare texts. */
export function headerLines({ insert_headers }: ListenerRow, { protocol }: PoolRow): Argument[][] {
  const known = protocol === 'HTTP' ? { ...ofHttpPools, ...ofAllPools } : ofAllPools;
  const isWished = (header: string) => insert_headers[header]?.toLowerCase() === 'true';
  return Object.entries(known)
    .filter(([header]) => isWished(header))
    .map(([, line]) => line);
}
