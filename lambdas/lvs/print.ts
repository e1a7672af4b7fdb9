// Prints a configuration of keepalived: the only place that writes its syntax. Nothing is ever quoted: quotes of keepalived's do not
// stop its `$` and `~`, so each kind of argument has a set of characters without meaning, and is refused or encoded beyond it.
import { isIP } from 'node:net';
import { canonical } from '../domain/ip-addresses.ts';
import { Unrenderable } from '../domain/unrenderable.ts';
import type { Argument, Statement } from './config.ts';

export interface RenderedConfiguration {
  text: string;
  /** Of each line of the text, the id of the resource it came from. */
  origins: (string | null)[];
}

/** @throws Unrenderable naming the resource whose text cannot be printed */
export function print(statements: Statement[]): RenderedConfiguration {
  const lines: string[] = [];
  const origins: (string | null)[] = [];
  const add = (text: string, origin: string | null) => {
    lines.push(text);
    origins.push(origin);
  };
  const addAll = (block: Statement[], indent: string) => {
    for (const { origin, keyword, arguments: given, block: inner } of block) {
      const words = [...(keyword === null ? [] : [keyword]), ...given.map((argument) => printed(argument, origin))];
      add(`${indent}${words.join(' ')}${inner ? ' {' : ''}`, origin);
      if (inner === undefined) continue;
      addAll(inner, `${indent}    `);
      add(`${indent}}`, origin);
    }
  };
  addAll(statements, '');
  add('', null);
  return { text: lines.join('\n'), origins };
}

function printed(argument: Argument, origin: string | null): string {
  switch (argument.kind) {
    case 'word':
      return argument.text;
    case 'number':
      return String(argument.value);
    case 'name':
      return matching(/^[\w-]+$/, argument.text, 'a name', origin) + argument.after;
    case 'address':
      return ipAddress(argument.text, origin);
    case 'host':
      return matching(/^[\w.-]+$/, argument.text, 'the name of a host', origin);
    case 'path':
      return urlPath(argument.text, origin);
    case 'codes':
      return statusCodes(argument.text, origin);
  }
}

function matching(pattern: RegExp, text: string, what: string, origin: string | null): string {
  if (pattern.test(text)) return text;
  throw new Unrenderable(origin, `${JSON.stringify(text)} is not ${what} that keepalived could be told`);
}

/** In one spelling, so that the agent finds it among the kernel's. Node takes `fe80::1%eth0`; keepalived's zones are not ours. */
function ipAddress(text: string, origin: string | null): string {
  if (isIP(text) !== 0 && !text.includes('%')) return canonical(text);
  throw new Unrenderable(origin, `${JSON.stringify(text)} is not an IP address`);
}

/** keepalived cuts longer lines, and takes the rest for a keyword. */
const longestPath = 900;

/** What has a meaning in keepalived's files (`"'\`, `$`, `~`, `!`, `#`, braces, space) means the same to a server as percents. */
function urlPath(text: string, origin: string | null): string {
  if (!text.startsWith('/')) throw new Unrenderable(origin, `${JSON.stringify(text)} is not the path of a URL`);
  const encoded = [...Buffer.from(text, 'utf8')].map(encodedByte).join('');
  if (encoded.length <= longestPath) return encoded;
  throw new Unrenderable(origin, `a path of more than ${longestPath} characters`);
}

const encodedByte = (byte: number): string => {
  const character = String.fromCharCode(byte);
  return /[\w./%?=&+:,;@-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
};

/** `200`, `200, 202` and `200-204`; keepalived knows ranges. */
function statusCodes(text: string, origin: string | null): string {
  const parts = text.split(',').map((part) => part.trim());
  const isCode = (part: string) => {
    const [, first, last = first] = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(part) ?? [];
    return first !== undefined && Number(last) >= Number(first);
  };
  if (parts.every(isCode)) return parts.join(' ');
  throw new Unrenderable(origin, `${JSON.stringify(text)} is neither an HTTP status nor a range of them`);
}
