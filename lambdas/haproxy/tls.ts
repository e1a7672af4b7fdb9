// TLS to members: the part of a member's line that says how it is spoken.
import type { PoolRow } from '../domain/pool.ts';
import { type Argument, Unrenderable, value, words } from './config.ts';

const forbidden: [version: string, word: Argument[]][] = [
  ['SSLv3', words`no-sslv3`],
  ['TLSv1', words`no-tlsv10`],
  ['TLSv1.1', words`no-tlsv11`],
  ['TLSv1.2', words`no-tlsv12`],
  ['TLSv1.3', words`no-tlsv13`],
];

/** @throws Unrenderable for a pool that needs certificates: better no traffic than such that nobody checked */
export function tlsArguments(pool: PoolRow): Argument[] {
  if (!pool.tls_enabled) return [];
  if ((pool.tls_container_ref ?? pool.ca_tls_container_ref) !== null) {
    throw new Unrenderable(pool.id, 'amphorae have no certificates of users: TLS to members works without them only');
  }
  const { tls_ciphers, tls_versions, alpn_protocols } = pool;
  return [
    ...words`ssl verify none`,
    ...(tls_ciphers === null ? [] : words`ciphers ${value(tls_ciphers)}`),
    ...forbidden.filter(([version]) => tls_versions?.includes(version) === false).flatMap(([, word]) => word),
    ...(alpn_protocols === null ? [] : words`alpn ${value(alpn_protocols.join(','))}`),
  ];
}
