// The documents in the one text of a push, and what keepalived's says of listeners and members in its comments. Pure.
import { keepalivedBegins } from '../../agent-api.ts';

export interface Documents {
  haproxy: string;
  /** Empty when there is nothing for keepalived to do. */
  keepalived: string;
  /** Lines of the push before keepalived's first. */
  linesBefore: number;
}

export function documentsIn(text: string): Documents {
  const at = `\n${text}`.indexOf(`\n${keepalivedBegins}\n`);
  if (at === -1) return { haproxy: text, keepalived: '', linesBefore: 0 };
  const haproxy = text.slice(0, at);
  const keepalived = text.slice(at + keepalivedBegins.length + 1);
  return { haproxy, keepalived, linesBefore: haproxy.split('\n').length };
}

export interface Place {
  address: string;
  port: number;
}

export interface LvsMember extends Place {
  id: string;
  role: 'disabled' | 'backup' | 'server';
}

export interface LvsListener {
  id: string;
  protocol: 'UDP' | 'SCTP';
  /** Line of its first word in the document, from 1. */
  line: number;
  /** Where it is served; none without members. */
  places: Place[];
  pool: { id: string; isMonitored: boolean; members: LvsMember[] } | null;
}

const lineKinds = {
  listener: /^# listener (\S+) (UDP|SCTP)$/,
  pool: /^# pool (\S+)( monitored)?$/,
  member: /^# member (\S+) (\S+) (\d+)(?: (disabled|backup))?$/,
  /** Only lines of groups are an address and a port and nothing else. */
  place: /^\s+([\da-f.:]+) (\d+)$/,
};

export function lvsListeners(keepalived: string): LvsListener[] {
  const listeners: LvsListener[] = [];
  keepalived.split('\n').forEach((text, index) => {
    const [, id, protocol] = lineKinds.listener.exec(text) ?? [];
    if (id) {
      listeners.push({ id, protocol: protocol as LvsListener['protocol'], line: index + 1, places: [], pool: null });
    }
    const listener = listeners.at(-1);
    if (listener !== undefined) addTo(listener, text);
  });
  return listeners;
}

function addTo(listener: LvsListener, text: string): void {
  const [, pool, monitored] = lineKinds.pool.exec(text) ?? [];
  if (pool) listener.pool = { id: pool, isMonitored: monitored !== undefined, members: [] };
  const [, id, memberAddress = '', memberPort, role = 'server'] = lineKinds.member.exec(text) ?? [];
  if (id) {
    const member = { id, address: memberAddress, port: Number(memberPort), role: role as LvsMember['role'] };
    listener.pool?.members.push(member);
  }
  const [, address, port] = lineKinds.place.exec(text) ?? [];
  if (address) listener.places.push({ address, port: Number(port) });
}
