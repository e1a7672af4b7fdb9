// Prints a configuration: the only place that writes HAProxy's syntax, and so the only one that quotes.
import { ipAddress } from '../domain/attribute-types.ts';
import { type Argument, type Configuration, type Line, Unrenderable } from './config.ts';

export interface RenderedConfiguration {
  text: string;
  /** Of each line of the text, the id of the resource it came from. */
  origins: (string | null)[];
}

/** @throws Unrenderable naming the resource whose text cannot be printed */
export function print(configuration: Configuration): RenderedConfiguration {
  const lines: string[] = [];
  const origins: (string | null)[] = [];
  const add = (line: Line, indent: string) => {
    lines.push(indent + line.arguments.map((argument) => printed(argument, line.origin)).join(' '));
    origins.push(line.origin);
  };
  for (const { header, lines: body } of configuration) {
    add(header, '');
    for (const line of body) add(line, '    ');
    lines.push('');
    origins.push(null);
  }
  return { text: lines.join('\n'), origins };
}

function printed(argument: Argument, origin: string | null): string {
  switch (argument.kind) {
    case 'word':
      return argument.text;
    case 'value':
      return quoted(argument.text, origin);
    case 'format':
      return quoted(literal(argument.text), origin);
    case 'template':
      return quoted(
        argument.parts.map((part) => ('text' in part ? literal(part.text) : `%[${part.sample}]`)).join(''),
        origin,
      );
    case 'content':
      return quotedLines(argument.text, origin);
    case 'name':
      return `${argument.before ?? ''}${checkedName(argument.text, origin)}${argument.after ?? ''}`;
    case 'fetch':
      return fetched(argument, origin);
    case 'address':
      return socketAddress(argument, origin);
    case 'cidr':
      return network(argument.text, origin);
  }
}

const needsNoQuotes = /^[\w.:,/|=@+%-]+$/;
const endsTheLine = /[\0\r\n]/;

/**
 * Quoted only where needed: the Runtime API, to which the agent hands the same words, does not take quotes. Between single
 * quotes HAProxy gives no character a meaning but the single quote, which therefore stands outside of them, escaped.
 */
function quoted(text: string, origin: string | null): string {
  if (text === '') throw new Unrenderable(origin, 'empty text, which HAProxy takes for the end of the line');
  if (endsTheLine.test(text)) throw new Unrenderable(origin, 'text with a line break or NUL, which no quotes can hold');
  if (needsNoQuotes.test(text)) return text;
  // The agent fills in {{DIRECTORY}}: two braces of a user's must not meet.
  return `'${text.replaceAll("'", "'\\''").replaceAll(/\{(?=\{)/g, "{''")}'`;
}

/** In a log format. */
const literal = (text: string): string => text.replaceAll('%', '%%');

const breaks = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
]);

/** Between quotes there is no line break, but outside of them HAProxy reads `\n` as one. */
function quotedLines(text: string, origin: string | null): string {
  if (text === '') return quoted(text, origin);
  const pieces = text.split(/([\r\n])/).filter((piece) => piece !== '');
  return pieces.map((piece) => breaks.get(piece) ?? quoted(piece, origin)).join('');
}

/** Inside of the parentheses HAProxy has a syntax of its own; of the characters names of headers may have it gives these no meaning. */
function fetched({ word, text, converters = '' }: Extract<Argument, { kind: 'fetch' }>, origin: string | null): string {
  if (/^[\w!#$%&*+.^`|~-]+$/.test(text)) return `'${word}(${text})${converters}'`;
  throw new Unrenderable(origin, `${JSON.stringify(text)} cannot be asked for in HAProxy`);
}

function checkedName(text: string, origin: string | null): string {
  if (/^[\w.:-]+$/.test(text)) return text;
  throw new Unrenderable(origin, `${JSON.stringify(text)} cannot be a name in HAProxy`);
}

const anyAddress = ipAddress();
/** Node takes `fe80::1%eth0` for an address; HAProxy does not know zones. */
const isAddress = (text: string) => anyAddress.safeParse(text).success && !text.includes('%');

/** HAProxy reads more than IP addresses here (`unix@`, `fd@`, `env@`, host names), so nothing else may pass. */
function socketAddress({ address, port }: Extract<Argument, { kind: 'address' }>, origin: string | null): string {
  if (!isAddress(address)) {
    throw new Unrenderable(origin, `${JSON.stringify(address)} is not an IP address`);
  }
  const host = address.includes(':') ? `[${address}]` : address;
  return port === undefined ? host : `${host}:${port}`;
}

/** Where a network is expected, HAProxy also takes names of files and flags. */
function network(text: string, origin: string | null): string {
  const [, address = '', prefix] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  if (prefix !== undefined && isAddress(address)) return text;
  throw new Unrenderable(origin, `${JSON.stringify(text)} is not a network`);
}
