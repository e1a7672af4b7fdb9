// How often clients may ask or connect: a table of counters per listener, and the rules that turn away who is over the limit.
import type { ListenerRow } from '../domain/listener.ts';
import type { RateLimit } from '../domain/rate-limits.ts';
import { type Argument, content, fetch, linesOf, name, type Section, section, value, words } from './config.ts';

/** Unlike pools', these names have no colon: the agent tells backends of pools by it. */
const requestTable = ({ id }: ListenerRow): Argument => name(`request-rate.${id}`);
const connectionTable = ({ id }: ListenerRow): Argument => name(`connection-rate.${id}`);

/** 20 MB when it is full, nothing before; when there are more, those unused longest are forgotten. */
const entries = words`size 100k`;

/** The one place that defines such a table. A counter reaches two periods back, and must be remembered as long. */
const table = (listener: ListenerRow, label: Argument, key: Argument[], period: number): Section =>
  section(
    listener.id,
    words`backend ${label}`,
    linesOf(listener.id, [
      ...words`stick-table type`,
      ...key,
      ...entries,
      ...words`expire ${2 * period * 1_000} store ${name(`${period * 1_000}`, 'gpc0_rate(', ')')}`,
    ]),
  );

/** Sections that stand beside the frontend. */
export function rateTables(listener: ListenerRow): Section[] {
  const { rate_limit, connection_rate_limit } = listener;
  return [
    // Whatever is counted, by its digest: values of headers are of any length, and secrets as often as not.
    ...(rate_limit ? [table(listener, requestTable(listener), words`binary len 20`, rate_limit.period)] : []),
    ...(connection_rate_limit
      ? [table(listener, connectionTable(listener), words`ipv6`, connection_rate_limit.period)]
      : []),
  ];
}

/** Who has an IPv6 address has 2^64 of them. */
const client = words`src,ipmask(32,64)`;

/**
 * Asked before it is counted, so that who is over the limit gets back in while he goes on asking; asked again after, because
 * several threads may have been let in by the first question.
 */
interface Gate {
  atLeast: number;
  moreThan: number;
  times: number;
}

/** Of a single event of the last period HAProxy does not forget a part: one each period would be one in two, if not counted double. */
function gateOf(limit: number): Gate {
  const times = limit === 1 ? 2 : 1;
  return { atLeast: times * (limit - 1) + 1, moreThan: times * limit, times };
}

export function connectionRateLines(listener: ListenerRow): Argument[][] {
  const limit = listener.connection_rate_limit;
  if (!limit) return [];
  const { atLeast, moreThan, times } = gateOf(limit.connections);
  return [
    [...words`tcp-request connection track-sc1`, ...client, ...words`table ${connectionTable(listener)}`],
    words`tcp-request connection reject if { sc_gpc0_rate(1) ge ${atLeast} }`,
    ...Array(times).fill(words`tcp-request connection sc-inc-gpc0(1)`),
    words`tcp-request connection reject if { sc_gpc0_rate(1) gt ${moreThan} }`,
  ];
}

export function requestRateLines(listener: ListenerRow): Argument[][] {
  const limit = listener.rate_limit;
  if (!limit) return [];
  const label = requestTable(listener);
  const denial = tooManyRequests(listener, limit);
  const { atLeast, moreThan, times } = gateOf(limit.requests);
  return [
    ...(limit.key === null
      ? []
      : [words`http-request track-sc0 ${fetch('req.fhdr', limit.key, ',sha1')} table ${label}`]),
    // Tracked already, this has no effect: without the header an address counts, or leaving it out would lift the limit.
    words`http-request track-sc0 src,ipmask(32,64),sha1 table ${label}`,
    [...denial, ...words`if { sc_gpc0_rate(0) ge ${atLeast} }`],
    ...Array(times).fill(words`http-request sc-inc-gpc0(0)`),
    [...denial, ...words`if { sc_gpc0_rate(0) gt ${moreThan} }`],
  ];
}

function tooManyRequests({ error_pages }: ListenerRow, { requests, period }: RateLimit): Argument[] {
  const { content_type, body } = error_pages?.['429'] ?? {
    content_type: 'text/plain',
    body: '429 Too Many Requests\n',
  };
  // The first of several comes free after a period at the latest; the only one of a period when half of the next is over.
  const retryAfter = requests === 1 ? Math.ceil(1.5 * period) : period;
  return [
    ...words`http-request deny status 429 content-type ${value(content_type)} string ${content(body)}`,
    ...words`hdr Retry-After ${retryAfter} hdr Cache-Control no-cache`,
  ];
}
