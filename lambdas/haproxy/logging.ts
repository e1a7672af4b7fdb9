// What HAProxy logs and where to: Octavia's two log targets. Each has a ring of its own, which HAProxy empties into the
// agent's socket: traffic never waits for it, a ring that is full drops the newest and says how many, and none fills another.
import type { ListenerRow } from '../domain/listener.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import { type Argument, type Line, linesOf, type Section, section, value, words } from './config.ts';

export interface LoggingOptions {
  /** Octavia's `user_log_format`. */
  format: string;
  /** Whose traffic: of load balancers that say so, of all but those that say no, of none. */
  traffic: 'tagged' | 'on' | 'off';
}

/**
 * What a client's certificate says of its name, without what would end the field or the line: HAProxy escapes the text of requests
 * and not this.
 */
const clientName = String.raw`%{+Q}[ssl_c_s_dn,regsub("[[:cntrl:]\x22]",_,g)]`;

/** Octavia's default. The order of the fields is documented for tenants, and other programs read it. */
export const defaultLogFormat = `{{ project_id }} {{ lb_id }} %f %ci %cp %t %{+Q}r %ST %B %U %[ssl_c_verify] ${clientName} %b %s %Tt %tsc`;

/** A request line is cut at 1,024 bytes and each of its bytes may be written as three; what follows it must still fit. */
const lineBytes = 8_192;
/** Half a second of 10,000 requests each second, for as long as the agent is started anew. */
const tenantRingBytes = 1_048_576;
const adminRingBytes = 65_536;

const tag = 'connection_logging';

/** Any client can set tags, none knows of an attribute that Octavia has not. */
export function logsTraffic({ tags }: LoadBalancerRow, logging: LoggingOptions | undefined): boolean {
  if (logging === undefined || logging.traffic === 'off') return false;
  if (tags.includes(`${tag}=false`)) return false;
  return logging.traffic === 'on' || tags.includes(`${tag}=true`);
}

/** Of the section `global`. */
export const adminTarget = (logging: LoggingOptions | undefined): Argument[][] =>
  logging === undefined ? [] : [words`log ring@admin len ${lineBytes} local1 notice`];

/** Of the section `defaults`: backends tell operators about their members. */
export const proxyTarget = (logging: LoggingOptions | undefined): Argument[][] =>
  logging === undefined ? [] : [words`log global`];

/** The agent tells tenants' lines from HAProxy's own by the priority in front. */
export function rings(loadBalancer: LoadBalancerRow, logging: LoggingOptions | undefined): Section[] {
  if (logging === undefined) return [];
  const admin = ring(words`ring admin`, words`format rfc5424`, adminRingBytes);
  return logsTraffic(loadBalancer, logging)
    ? [ring(words`ring tenant`, words`format priority`, tenantRingBytes), admin]
    : [admin];
}

const ring = (header: Argument[], form: Argument[], bytes: number): Section =>
  section(
    null,
    header,
    linesOf(
      null,
      form,
      words`maxlen ${lineBytes}`,
      words`size ${bytes}`,
      words`timeout connect 1000`,
      words`timeout server 10000`,
      words`server agent 'unix@{{DIRECTORY}}/log.sock' log-proto octet-count`,
    ),
  );

/** A line per request or connection, or none, and then HAProxy does not make one up either. */
export function trafficLines(
  loadBalancer: LoadBalancerRow,
  listener: ListenerRow,
  mode: 'http' | 'tcp',
  logging: LoggingOptions | undefined,
): Line[] {
  if (logging === undefined) return [];
  // Takes back what `defaults` say: a frontend's line is the tenant's.
  const off = words`no log`;
  if (!logsTraffic(loadBalancer, logging)) return linesOf(listener.id, off);
  return linesOf(
    listener.id,
    off,
    words`log ring@tenant len ${lineBytes} local0`,
    words`log-format ${value(logFormat(loadBalancer, mode, logging.format))}`,
  );
}

/** There is no request in a TCP stream: HAProxy has nothing to log for one, and refuses some of the words. */
const ofRequests = ['%{+Q}r', '%r', '%{+Q}ST', '%ST'];

function logFormat({ project_id, id }: LoadBalancerRow, mode: 'http' | 'tcp', format: string): string {
  const fields = mode === 'http' ? format : ofRequests.reduce((text, word) => text.replaceAll(word, '-'), format);
  // A function, as `$&` in the text would mean something to replaceAll.
  return fields.replaceAll('{{ project_id }}', () => field(project_id)).replaceAll('{{ lb_id }}', () => field(id));
}

/** One field stays one field, and no part of it is a word of the format. */
const field = (text: string): string => text.replaceAll(/[^\w.-]/g, '_');
