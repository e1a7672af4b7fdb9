// Pools as HAProxy's backends, and their members as its servers.
import type { HealthMonitorRow } from '../domain/health-monitor.ts';
import type { ListenerRow } from '../domain/listener.ts';
import type { MemberRow } from '../domain/member.ts';
import type { PoolRow } from '../domain/pool.ts';
import { type Argument, address, type Line, linesOf, name, type Section, section, wordFor, words } from './config.ts';
import { backendName, type Mode, modeLine, modeOf } from './frontend.ts';
import { checkArguments, checkLines } from './health-check.ts';
import { headerLines } from './insert-headers.ts';
import { persistenceArguments, persistenceLines } from './persistence.ts';
import { connectionsOf, type RenderOptions } from './process.ts';
import { retryLines } from './retries.ts';
import { tunnelTimeoutLines } from './timeouts.ts';
import { tlsArguments } from './tls.ts';

const algorithms: Record<string, Argument[][]> = {
  ROUND_ROBIN: [words`balance roundrobin`],
  LEAST_CONNECTIONS: [words`balance leastconn`],
  // With the default, map-based hash the Runtime API refuses to add servers.
  SOURCE_IP: [words`balance source`, words`hash-type consistent`],
};

/** PROXY and PROXYV2 say how a connection begins; what follows is as the listener has it. */
const modes: Record<string, Mode | 'as the listener'> = {
  HTTP: 'http',
  HTTPS: 'tcp',
  TCP: 'tcp',
  PROXY: 'as the listener',
  PROXYV2: 'as the listener',
};

/** A pool with what hangs on it, members in the order they are rendered. */
export interface PoolParts {
  pool: PoolRow;
  /** None when disabled. */
  healthMonitor: HealthMonitorRow | undefined;
  members: MemberRow[];
}

export function backend(listener: ListenerRow, parts: PoolParts, options: RenderOptions): Section {
  const { pool, healthMonitor, members } = parts;
  const ofPool = wordFor(modes, pool.protocol, pool.id);
  const mode = ofPool === 'as the listener' ? modeOf(listener) : ofPool;
  return section(pool.id, words`backend ${backendName(pool, listener)}`, [
    ...linesOf(
      pool.id,
      modeLine(mode),
      ...(ofPool === 'http' ? [words`http-reuse safe`] : []),
      ...wordFor(algorithms, pool.lb_algorithm, pool.id),
      ...persistenceLines(pool, mode),
      ...retryLines(pool, mode),
    ),
    ...(mode === 'http' ? linesOf(listener.id, ...headerLines(listener, pool)) : []),
    ...linesOf(listener.id, words`fullconn ${connectionsOf(listener, options)}`),
    ...linesOf(pool.id, words`option allbackups`, words`load-server-state-from-file global`),
    ...linesOf(
      listener.id,
      words`timeout connect ${listener.timeout_member_connect ?? 5_000}`,
      words`timeout server ${listener.timeout_member_data ?? 50_000}`,
      ...tunnelTimeoutLines(listener),
    ),
    ...(healthMonitor ? checkLines(healthMonitor, pool) : []),
    ...members.map((member) => server(member, parts, mode)),
  ]);
}

/** Everything on the line, nothing by `default-server`: the agent adds members to a running HAProxy word for word. */
function server(member: MemberRow, { pool, healthMonitor }: PoolParts, mode: Mode): Line {
  return {
    origin: member.id,
    arguments: [
      ...words`server ${name(member.id)} ${address(member.address, member.protocol_port)} weight ${member.weight ?? 1}`,
      ...(healthMonitor ? checkArguments(healthMonitor, member, pool) : []),
      ...(healthMonitor && pool.slow_start ? words`slowstart ${pool.slow_start * 1_000}` : []),
      ...(member.connection_limit ? words`maxconn ${member.connection_limit}` : []),
      ...persistenceArguments(pool, member, mode),
      ...(pool.protocol === 'PROXY' ? words`send-proxy` : []),
      ...(pool.protocol === 'PROXYV2' ? words`send-proxy-v2` : []),
      ...tlsArguments(pool),
      ...(member.backup ? words`backup` : []),
      ...(member.admin_state_up === false ? words`disabled` : []),
    ],
  };
}
