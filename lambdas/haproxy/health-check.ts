// Health monitors as HAProxy's checks.
import type { HealthMonitorRow } from '../domain/health-monitor.ts';
import type { MemberRow } from '../domain/member.ts';
import { type Argument, address, format, type Line, linesOf, Unrenderable, value, wordFor, words } from './config.ts';

const checks: Record<string, (monitor: HealthMonitorRow) => Argument[][]> = {
  HTTP: httpCheck,
  HTTPS: httpCheck,
  TCP: () => [],
  // Octavia connects and no more; this sends a hello and wants an answer of TLS, be it an alert.
  'TLS-HELLO': () => [words`option ssl-hello-chk`],
};

/** What the check does, once per backend. @throws Unrenderable for what amphorae cannot do */
export function checkLines(monitor: HealthMonitorRow): Line[] {
  if (monitor.type === 'PING') {
    // HAProxy would start a program for each check, which needs privileges that amphorae do not give it.
    throw new Unrenderable(monitor.id, 'amphorae cannot ping without privileges: members are not monitored');
  }
  const check = wordFor(checks, monitor.type, monitor.id);
  return linesOf(monitor.id, words`timeout check ${monitor.timeout * 1_000}`, ...check(monitor));
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
export function checkArguments(monitor: HealthMonitorRow, member: MemberRow): Argument[] {
  return [
    ...words`check`,
    ...(monitor.type === 'HTTPS' ? words`check-ssl verify none` : []),
    // HAProxy refuses `inter 0`; Octavia accepts a delay of 0. Newer HAProxies warn of so few without a unit.
    ...(monitor.delay > 0 ? words`inter ${monitor.delay * 1_000}` : words`inter 1ms`),
    ...words`fall ${monitor.max_retries_down ?? 3} rise ${monitor.max_retries}`,
    ...(member.monitor_address ? words`addr ${address(member.monitor_address)}` : []),
    ...(member.monitor_port ? words`port ${member.monitor_port}` : []),
  ];
}
