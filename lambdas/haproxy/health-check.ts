// Health monitors as HAProxy's checks.
import type { HealthMonitorRow } from '../domain/health-monitor.ts';
import type { MemberRow } from '../domain/member.ts';
import type { PoolRow } from '../domain/pool.ts';
import { type Argument, address, format, type Line, linesOf, Unrenderable, value, wordFor, words } from './config.ts';

const checks: Record<string, (monitor: HealthMonitorRow, pool: PoolRow) => Argument[][]> = {
  HTTP: httpCheck,
  HTTPS: httpCheck,
  TCP: () => [],
  // Octavia connects and no more; this sends a hello and wants an answer of TLS, be it an alert. Where TLS is spoken to members
  // anyway, the check speaks it too, and a hello within would find nobody.
  'TLS-HELLO': (_monitor, pool) => (pool.tls_enabled ? [] : [words`option ssl-hello-chk`]),
  PING: () => [
    words`option external-check`,
    words`external-check path /usr/bin:/bin`,
    words`external-check command '{{DIRECTORY}}/../ping-check.sh'`,
  ],
};

/** HAProxy starts no programs unless its `global` section says so. */
export const globalCheckLines = (pools: { healthMonitor: HealthMonitorRow | undefined }[]): Argument[][] =>
  pools.some(({ healthMonitor }) => healthMonitor?.type === 'PING')
    ? [words`external-check`, words`insecure-fork-wanted`]
    : [];

/** What the check does, once per backend. @throws Unrenderable for what amphorae cannot do */
export function checkLines(monitor: HealthMonitorRow, pool: PoolRow): Line[] {
  const check = wordFor(checks, monitor.type, monitor.id);
  return linesOf(monitor.id, words`timeout check ${monitor.timeout * 1_000}`, ...check(monitor, pool));
}

function httpCheck(monitor: HealthMonitorRow): Argument[][] {
  const version = monitor.http_version ?? 1.0;
  const host = version >= 1.1 && monitor.domain_name ? words`hdr Host ${format(monitor.domain_name)}` : [];
  return [
    words`option httpchk`,
    [
      ...words`http-check send meth ${value(monitor.http_method ?? 'GET')} uri ${value(monitor.url_path ?? '/')}`,
      ...words`ver ${value(`HTTP/${version.toFixed(1)}`)}`,
      ...host,
    ],
    words`http-check expect rstatus ${value(expandedCodes(monitor).join('|'))}`,
  ];
}

/** `200`, `200, 202` and `200-204` as single codes. @throws Unrenderable for anything else */
function expandedCodes(monitor: HealthMonitorRow): string[] {
  const codes = (monitor.expected_codes ?? '200').split(',').flatMap((part) => {
    const [, first, last = first] = /^\s*(\d{3})(?:-(\d{3}))?\s*$/.exec(part) ?? [];
    if (first === undefined || Number(last) < Number(first)) {
      throw new Unrenderable(monitor.id, `${JSON.stringify(part)} is neither an HTTP status nor a range of them`);
    }
    return Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => Number(first) + index);
  });
  return codes.map((code) => String(code).padStart(3, '0'));
}

/** The check's part of a member's line. */
export function checkArguments(monitor: HealthMonitorRow, member: MemberRow, pool: PoolRow): Argument[] {
  return [
    ...words`check`,
    ...(monitor.type === 'HTTPS' ? words`check-ssl verify none` : []),
    // Said, because HAProxy takes an address or port of the monitor's own for one without TLS.
    ...(monitor.type === 'TLS-HELLO' && pool.tls_enabled ? words`check-ssl` : []),
    // HAProxy refuses `inter 0`; Octavia accepts a delay of 0. Newer HAProxies warn of so few without a unit.
    ...(monitor.delay > 0 ? words`inter ${monitor.delay * 1_000}` : words`inter 1ms`),
    ...words`fall ${monitor.max_retries_down ?? 3} rise ${monitor.max_retries}`,
    ...(member.monitor_address ? words`addr ${address(member.monitor_address)}` : []),
    ...(member.monitor_port ? words`port ${member.monitor_port}` : []),
  ];
}
