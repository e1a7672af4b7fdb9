// UDP and SCTP listeners as keepalived's virtual servers, and the members of their default pools as its real servers.
import { versionOf } from '../domain/ip-addresses.ts';
import type { ListenerRow } from '../domain/listener.ts';
import { vipAddresses } from '../domain/listener-rules.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import type { MemberRow } from '../domain/member.ts';
import type { PoolParts } from '../domain/pool-parts.ts';
import { Unrenderable } from '../domain/unrenderable.ts';
import { checker, delayOf } from './checker.ts';
import { type Argument, address, name, number, type Statement, statement, type Word, word } from './config.ts';
import { persistenceStatements } from './persistence.ts';

type Protocol = 'UDP' | 'SCTP';

const algorithms: Record<string, Word> = { ROUND_ROBIN: 'wrr', LEAST_CONNECTIONS: 'lc', SOURCE_IP: 'sh' };

/** @param parts the default pool's, when there is one and it is enabled */
export function virtualServers(
  loadBalancer: LoadBalancerRow,
  listener: ListenerRow,
  protocol: Protocol,
  parts: PoolParts | undefined,
): Statement[] {
  const { id, allowed_cidrs } = listener;
  if (allowed_cidrs.length > 0) {
    // Octavia leaves it to security groups of the VIP's port; here nothing else stands before the kernel.
    throw new Unrenderable(id, `allowed_cidrs: LVS would let everybody in, so that no ${protocol} listener is served`);
  }
  const vips = Map.groupBy(vipAddresses(loadBalancer), versionOf);
  return [
    statement(id, '#', [word('listener'), name(id), word(protocol)]),
    ...(parts ? poolNotes(parts) : []),
    ...(parts ? [...vips].flatMap(([family, places]) => ofFamily(listener, protocol, parts, family, places)) : []),
  ];
}

/** What the agent needs for its report: which member is behind an address, and who is not to be expected in the kernel. */
function poolNotes({ pool, healthMonitor, members }: PoolParts): Statement[] {
  const monitored = healthMonitor ? [word('monitored')] : [];
  return [
    statement(pool.id, '#', [word('pool'), name(pool.id), ...monitored]),
    ...members.map((member) =>
      statement(member.id, '#', [word('member'), name(member.id), ...placeOf(member), ...roleOf(member)]),
    ),
  ];
}

const placeOf = ({ address: ip, protocol_port }: MemberRow): Argument[] => [address(ip), number(protocol_port)];
const isEnabled = ({ admin_state_up }: MemberRow): boolean => admin_state_up !== false;
const roleOf = (member: MemberRow): Argument[] =>
  isEnabled(member) ? (member.backup ? [word('backup')] : []) : [word('disabled')];

function ofFamily(
  listener: ListenerRow,
  protocol: Protocol,
  parts: PoolParts,
  family: 4 | 6,
  vips: string[],
): Statement[] {
  const { pool, healthMonitor } = parts;
  const { servers, sorry } = ranked(parts.members.filter((one) => isEnabled(one) && versionOf(one.address) === family));
  // keepalived takes a virtual server without members for a mistake.
  if (servers.length === 0) return [];
  const group = name(listener.id, `-ipv${family}`);
  const places = vips.map((vip) => statement(listener.id, null, [address(vip), number(listener.protocol_port)]));
  return [
    statement(listener.id, 'virtual_server_group', [group], places),
    statement(
      listener.id,
      'virtual_server',
      [word('group'), group],
      [
        statement(pool.id, 'lb_algo', [word(algorithmOf(pool.lb_algorithm, pool.id))]),
        statement(listener.id, 'lb_kind', [word('NAT')]),
        statement(listener.id, 'protocol', [word(protocol)]),
        ...persistenceStatements(pool, family),
        ...(healthMonitor ? [statement(healthMonitor.id, 'delay_loop', [number(delayOf(healthMonitor))])] : []),
        ...(sorry ? [statement(sorry.id, 'sorry_server', placeOf(sorry))] : []),
        ...servers.map((member) => realServer(listener, parts, member)),
      ],
    ),
  ];
}

function algorithmOf(wanted: string, poolId: string): Word {
  if (Object.hasOwn(algorithms, wanted)) return algorithms[wanted]!;
  throw new Unrenderable(poolId, `LVS has nothing for ${JSON.stringify(wanted)}`);
}

/**
 * A backup member is keepalived's sorry server, which is in use while no other is: there is room for one. Where no member but
 * backups can be in use, they are in use all of them, as with HAProxy.
 * @throws Unrenderable for the second
 */
function ranked(members: MemberRow[]): { servers: MemberRow[]; sorry?: MemberRow } {
  const [sorry, second] = members.filter(({ backup }) => backup);
  const servers = members.filter(({ backup }) => !backup);
  if (sorry === undefined || !servers.some(({ weight }) => (weight ?? 1) > 0)) return { servers: members };
  if (second === undefined) return { servers, sorry };
  throw new Unrenderable(second.id, 'LVS has room for one backup member in a pool, and there is one already');
}

function realServer(listener: ListenerRow, { healthMonitor }: PoolParts, member: MemberRow): Statement {
  const limit = listener.connection_limit ?? -1;
  return statement(member.id, 'real_server', placeOf(member), [
    statement(member.id, 'weight', [number(member.weight ?? 1)]),
    ...(limit > 0 ? [statement(listener.id, 'uthreshold', [number(limit)])] : []),
    ...(healthMonitor ? [checker(healthMonitor, member)] : []),
  ]);
}
