// Health monitors as keepalived's checkers.
import type { HealthMonitorRow } from '../domain/health-monitor.ts';
import type { MemberRow } from '../domain/member.ts';
import { Unrenderable } from '../domain/unrenderable.ts';
import { address, codes, host, number, path, type Statement, statement, word } from './config.ts';

/**
 * The checker of one member. keepalived sends datagrams itself (down is who answers with ICMP "port unreachable"), which spares a
 * program for each check, and the privileges it would need. One answer brings a member up again: there is nothing for max_retries.
 * @throws Unrenderable for what keepalived does not do
 */
export function checker(monitor: HealthMonitorRow, member: MemberRow): Statement {
  const { id, type } = monitor;
  const where = [
    statement(id, 'connect_ip', [address(member.monitor_address ?? member.address)]),
    statement(id, 'connect_port', [number(member.monitor_port ?? member.protocol_port)]),
    statement(id, 'connect_timeout', [number(monitor.timeout)]),
    // It counts the tries after the first.
    statement(id, 'retry', [number(Math.max((monitor.max_retries_down ?? 3) - 1, 0))]),
    statement(id, 'delay_before_retry', [number(delayOf(monitor))]),
  ];
  if (type === 'UDP-CONNECT') return statement(id, 'UDP_CHECK', [], where);
  if (type === 'TCP') return statement(id, 'TCP_CHECK', [], where);
  if (type === 'HTTP') return statement(id, 'HTTP_GET', [], [...where, ...httpRequest(monitor)]);
  // Octavia has a program of its own for the INIT chunk, since neither keepalived nor a socket without SCTP can send one.
  if (type === 'SCTP') throw new Unrenderable(id, 'amphorae cannot send an SCTP INIT: members are not monitored');
  throw new Unrenderable(id, `keepalived has no health check of type ${type}: members are not monitored`);
}

/** keepalived refuses 0, which Octavia accepts. */
export const delayOf = ({ delay }: HealthMonitorRow): number => Math.max(delay, 0.001);

function httpRequest(monitor: HealthMonitorRow): Statement[] {
  const { id, http_version, domain_name } = monitor;
  if ((monitor.http_method ?? 'GET') !== 'GET') {
    throw new Unrenderable(
      id,
      `keepalived asks with GET and not with ${monitor.http_method}: members are not monitored`,
    );
  }
  const isNew = (http_version ?? 1.0) >= 1.1;
  return [
    statement(id, 'http_protocol', [word(isNew ? '1.1' : '1.0')]),
    ...(isNew && domain_name ? [statement(id, 'virtualhost', [host(domain_name)])] : []),
    statement(
      id,
      'url',
      [],
      [
        statement(id, 'path', [path(monitor.url_path ?? '/')]),
        statement(id, 'status_code', [codes(monitor.expected_codes ?? '200')]),
      ],
    ),
  ];
}
