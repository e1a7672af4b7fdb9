// PROMETHEUS listeners: HAProxy's exporter behind a proxy of the agent's, which tells it in Octavia's words. Several amphorae may
// share a host, so both ends are sockets in their directories where Octavia takes ports of the loopback interface.
import type { ListenerRow } from '../domain/listener.ts';
import { offersTls } from '../domain/listener-rules.ts';
import { type Argument, linesOf, type Section, section, Unrenderable, words } from './config.ts';

const isMetrics = ({ protocol }: ListenerRow): boolean => protocol === 'PROMETHEUS';

/**
 * What the user's own listener does with requests; nothing for listeners of other protocols.
 * @throws Unrenderable for one with a certificate: rather none than one that tells in the clear what was to be encrypted
 */
export function metricsLines(listener: ListenerRow): Argument[][] {
  if (!isMetrics(listener)) return [];
  if (offersTls(listener)) throw new Unrenderable(listener.id, 'amphorae do not end TLS on PROMETHEUS listeners');
  return [
    words`http-request deny deny_status 404 unless { path /metrics }`,
    words`default_backend prometheus-exporter-internal`,
  ];
}

/** A scrape of thousands of members is megabytes: a few at a time, and none that hangs. */
const scrapes = 4;
const timeoutMs = 5_000;

/** The agent knows these proxies by their names, and the sockets by theirs. @param served listeners that are rendered */
export function metricsSections(served: ListenerRow[]): Section[] {
  const listener = served.find(isMetrics);
  if (listener === undefined) return [];
  const toAgent = section(
    listener.id,
    words`backend prometheus-exporter-internal`,
    linesOf(
      listener.id,
      words`mode http`,
      words`no log`,
      words`timeout connect ${timeoutMs}`,
      words`timeout queue ${timeoutMs}`,
      words`timeout server ${timeoutMs}`,
      words`server prometheus-proxy 'unix@{{DIRECTORY}}/../metrics.sock' maxconn ${scrapes}`,
    ),
  );
  const exporter = section(
    listener.id,
    words`frontend prometheus-exporter-internal-endpoint`,
    linesOf(
      listener.id,
      words`bind 'unix@{{DIRECTORY}}/exporter.sock' mode 600`,
      words`mode http`,
      words`no log`,
      words`timeout client ${timeoutMs}`,
      words`http-request use-service prometheus-exporter if { path /metrics }`,
      words`http-request reject`,
    ),
  );
  return [toAgent, exporter];
}
