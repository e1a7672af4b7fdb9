// Compares two haproxy.cfg texts and says whether the Runtime API can turn one into the other: Octavia reloads on every
// change of a member, this is what avoids it. Pure.

import { documentsIn } from './lvs/documents.ts';

export interface Member {
  backend: string;
  name: string;
  /** Address and parameters as written, without `weight` and `disabled`. */
  parameters: string;
  weight: number;
  isDisabled: boolean;
}

export type MemberChange =
  | { kind: 'add'; member: Member; hasCookie: boolean }
  | { kind: 'remove'; member: Member }
  /** Same server, other weight or administrative state. */
  | { kind: 'set'; from: Member; member: Member };

export type Difference = { kind: 'none' } | { kind: 'members'; changes: MemberChange[] } | { kind: 'other' };

export interface Outline {
  /** Every line but the `server` lines of backends, in order: those the Runtime API cannot change. */
  fixed: string[];
  /** By `backend/name`. */
  members: Map<string, Member>;
  frontends: Set<string>;
  backends: Set<string>;
  /** Backends with `default-server`: the Runtime API would not apply it to an added server. */
  backendsWithDefaults: Set<string>;
  /** Backends in which HAProxy makes up a cookie for each member. */
  backendsWithCookies: Set<string>;
}

export const sections = new Set(
  'global defaults frontend backend listen peers resolvers userlist mailers program cache http-errors ring'.split(' '),
);
const defaultWeight = 1;

/** Proxies between a PROMETHEUS listener and its metrics: nobody's listeners and pools. */
export const isInternal = (proxy: string): boolean => proxy.startsWith('prometheus-exporter-internal');

export const memberKey = (member: { backend: string; name: string }) => `${member.backend}/${member.name}`;

/** Of HAProxy's part of what was pushed. */
export function outline(text: string): Outline {
  const result: Outline = {
    fixed: [],
    members: new Map(),
    frontends: new Set(),
    backends: new Set(),
    backendsWithDefaults: new Set(),
    backendsWithCookies: new Set(),
  };
  let section = '';
  let name = '';
  for (const raw of documentsIn(text).haproxy.split('\n')) {
    // White space is what HAProxy takes for it, not all that Unicode has.
    const line = raw.replace(/^[ \t]+|[ \t]+$/g, '');
    if (line === '' || line.startsWith('#')) continue;
    const words = line.split(/[ \t]+/);
    if (sections.has(words[0]!)) {
      section = words[0]!;
      name = words[1] ?? '';
      if (section === 'frontend' && !isInternal(name)) result.frontends.add(name);
      if (section === 'backend') result.backends.add(name);
    }
    if (section === 'backend' && words[0] === 'default-server') result.backendsWithDefaults.add(name);
    if (section === 'backend' && words[0] === 'cookie' && words.includes('dynamic'))
      result.backendsWithCookies.add(name);
    const member = section === 'backend' && words[0] === 'server' ? parseMember(name, words) : null;
    if (member) result.members.set(memberKey(member), member);
    else result.fixed.push(line);
  }
  return result;
}

function parseMember(backend: string, words: string[]): Member {
  const rest = words.slice(2);
  const isDisabled = rest.includes('disabled');
  const kept = rest.filter((word) => word !== 'disabled');
  const at = kept.indexOf('weight');
  const weight = at === -1 ? defaultWeight : Number(kept[at + 1]);
  if (at !== -1) kept.splice(at, 2);
  return { backend, name: words[1] ?? '', parameters: kept.join(' '), weight, isDisabled };
}

export function compare(current: Outline, next: Outline): Difference {
  if (current.fixed.length !== next.fixed.length) return { kind: 'other' };
  if (current.fixed.some((line, index) => line !== next.fixed[index])) return { kind: 'other' };
  const changes: MemberChange[] = [];
  for (const [key, member] of current.members) if (!next.members.has(key)) changes.push({ kind: 'remove', member });
  for (const [key, member] of next.members) {
    const from = current.members.get(key);
    if (!from) changes.push({ kind: 'add', member, hasCookie: next.backendsWithCookies.has(member.backend) });
    else if (!isSame(from, member)) changes.push({ kind: 'set', from, member });
  }
  if (changes.length === 0) return { kind: 'none' };
  if (!changes.every((change) => isForRuntime(change, next))) return { kind: 'other' };
  return { kind: 'members', changes: changes.sort((a, b) => turnOf(a) - turnOf(b)) };
}

/** Who serves first, who goes last: a pool whose members are all replaced has some at every moment. */
function turnOf({ kind, member }: MemberChange): number {
  const serves = !member.isDisabled && member.weight > 0;
  if (kind === 'remove') return 3;
  return serves ? 1 : 2;
}

export const isSame = (a: Member, b: Member) =>
  a.parameters === b.parameters && a.weight === b.weight && a.isDisabled === b.isDisabled;

/** The command line of the Runtime API unquotes by other rules than the file, and splits at semicolons. */
const isPlain = (text: string): boolean => !/["'\\;$#<]|[^ -~]/.test(text);

function isForRuntime(change: MemberChange, next: Outline): boolean {
  if (!isPlain(memberKey(change.member))) return false;
  if (change.kind === 'remove') return true;
  if (change.kind === 'set') return change.from.parameters === change.member.parameters;
  // HAProxy takes no cookie of its own for a member that comes later.
  const hasOwnCookie = change.member.parameters.split(' ').includes('cookie');
  return isPlain(change.member.parameters) && !hasOwnCookie && !next.backendsWithDefaults.has(change.member.backend);
}
