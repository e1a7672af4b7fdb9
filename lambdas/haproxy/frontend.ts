// Listeners as HAProxy's frontends.
import type { ListenerRow } from '../domain/listener.ts';
import { vipAddresses } from '../domain/listener-rules.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import type { PoolRow } from '../domain/pool.ts';
import { compressionLines } from './compression.ts';
import {
  type Argument,
  address,
  cidr,
  linesOf,
  name,
  type Section,
  section,
  Unrenderable,
  wordFor,
  words,
} from './config.ts';
import { errorPageLines } from './error-pages.ts';
import { headerChangeLines, keptLines } from './headers.ts';
import { l7Lines, type PolicyParts } from './l7.ts';
import { trafficLines } from './logging.ts';
import { metricsLines } from './metrics.ts';
import { connectionsOf, type RenderOptions } from './process.ts';
import { connectionRateLines, requestRateLines } from './rate-limit.ts';
import { clientTimeoutLines } from './timeouts.ts';

export type Mode = 'http' | 'tcp';

const modes: Record<string, Mode> = { HTTP: 'http', HTTPS: 'tcp', TCP: 'tcp', PROMETHEUS: 'http' };

/** Rather no listener than one that serves in the clear what was to be encrypted, or nothing at all. */
const unserved: Record<string, string> = {
  TERMINATED_HTTPS:
    'amphorae do not end TLS: no TERMINATED_HTTPS listener is served, rather than one without encryption',
  UDP: 'amphorae do not pass on datagrams: no UDP listener is served',
  SCTP: 'amphorae do not pass on SCTP: no SCTP listener is served',
};

/** @throws Unrenderable for a protocol that amphorae do not serve */
export function modeOf({ id, protocol }: ListenerRow): Mode {
  const reason = unserved[protocol];
  if (reason !== undefined) throw new Unrenderable(id, reason);
  return wordFor(modes, protocol, id);
}

export const modeLine = (mode: Mode): Argument[] => (mode === 'http' ? words`mode http` : words`mode tcp`);

/** A pool is a backend of its own for each listener, whose timeouts it takes: `<pool>:<listener>`. */
export const backendName = (pool: PoolRow, listener: ListenerRow): Argument => name(`${pool.id}:${listener.id}`);

/** HAProxy takes 64 words a line at most. */
const cidrsPerLine = 32;

/** Connections from elsewhere end before anything is read of them. */
const admission = ({ allowed_cidrs, denied_cidrs }: ListenerRow): Argument[][] => [
  ...sources(words`acl allowed_cidrs src`, allowed_cidrs, words`tcp-request connection reject unless allowed_cidrs`),
  ...sources(words`acl denied_cidrs src`, denied_cidrs ?? [], words`tcp-request connection reject if denied_cidrs`),
];

/** Lines of one ACL's name add up. */
function sources(acl: Argument[], cidrs: string[], rule: Argument[]): Argument[][] {
  if (cidrs.length === 0) return [];
  const lines: Argument[][] = [];
  for (let start = 0; start < cidrs.length; start += cidrsPerLine) {
    lines.push([...acl, ...cidrs.slice(start, start + cidrsPerLine).map(cidr)]);
  }
  return [...lines, rule];
}

/** What is asked of a request before any policy. */
const requestLines = (listener: ListenerRow): Argument[][] => [
  ...(listener.http2 === false ? [words`option disable-h2-upgrade`] : []),
  ...errorPageLines(listener),
  ...compressionLines(listener),
  ...keptLines(listener),
  ...requestRateLines(listener),
];

/** @param pool the default pool, when there is one and it is enabled */
export function frontend(
  loadBalancer: LoadBalancerRow,
  listener: ListenerRow,
  pool: PoolRow | undefined,
  options: RenderOptions,
  policies: PolicyParts[] = [],
): Section {
  const inspectMs = listener.timeout_tcp_inspect ?? 0;
  const mode = modeOf(listener);
  return section(listener.id, words`frontend ${name(listener.id)}`, [
    ...linesOf(
      listener.id,
      words`maxconn ${connectionsOf(listener, options)}`,
      ...vipAddresses(loadBalancer).map((vip) => words`bind ${address(vip, listener.protocol_port)}`),
      modeLine(mode),
      ...admission(listener),
      ...connectionRateLines(listener),
      ...(mode === 'http' ? requestLines(listener) : []),
    ),
    ...(mode === 'http' ? l7Lines(listener, policies) : []),
    ...linesOf(
      listener.id,
      ...(mode === 'http' ? headerChangeLines(listener) : []),
      ...metricsLines(listener),
      ...(pool ? [words`default_backend ${backendName(pool, listener)}`] : []),
      words`timeout client ${listener.timeout_client_data ?? 50_000}`,
      ...clientTimeoutLines(listener, mode),
      ...(inspectMs > 0 ? [words`tcp-request inspect-delay ${inspectMs}`] : []),
    ),
    ...trafficLines(loadBalancer, listener, mode, options.logging),
  ]);
}
