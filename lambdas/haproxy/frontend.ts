// Listeners as HAProxy's frontends.
import type { ListenerRow } from '../domain/listener.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import type { PoolRow } from '../domain/pool.ts';
import { type Argument, address, linesOf, name, type Section, section, wordFor, words } from './config.ts';
import { l7Lines, type PolicyParts } from './l7.ts';
import { connectionsOf, type RenderOptions } from './process.ts';

export type Mode = 'http' | 'tcp';

const modes: Record<string, Mode> = { HTTP: 'http', HTTPS: 'tcp', TCP: 'tcp' };
export const modeOf = (listener: ListenerRow): Mode => wordFor(modes, listener.protocol, listener.id);

export const modeLine = (mode: Mode): Argument[] => (mode === 'http' ? words`mode http` : words`mode tcp`);

/** A pool is a backend of its own for each listener, whose timeouts it takes: `<pool>:<listener>`. */
export const backendName = (pool: PoolRow, listener: ListenerRow): Argument => name(`${pool.id}:${listener.id}`);

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
      words`bind ${address(loadBalancer.vip_address, listener.protocol_port)}`,
      modeLine(mode),
    ),
    ...(mode === 'http' ? l7Lines(listener, policies) : []),
    ...linesOf(
      listener.id,
      ...(pool ? [words`default_backend ${backendName(pool, listener)}`] : []),
      words`timeout client ${listener.timeout_client_data ?? 50_000}`,
      ...(inspectMs > 0 ? [words`tcp-request inspect-delay ${inspectMs}`] : []),
    ),
  ]);
}
