// Paths and templates of a flow: how a task gets what it requires and where what it provides is kept. Reference paths only
// (`$.a.b[0]`), no wildcards or filters; both sides are compiled once, when the flow is loaded.
import { randomUUID } from 'node:crypto';
import { runtimeFailure } from './failures.ts';
import { type Place, refuse } from './refusal.ts';

type Segment = string | number;
/** What a path is read from: the state's data, and the context object behind `$$`. */
export interface Source {
  data: unknown;
  context: Record<string, unknown>;
}
export type Read = (source: Source) => unknown;

/** The context the interpreter keeps; anything else behind `$$` is refused. */
const contextPaths =
  /^\$\$\.(Execution\.(Id|Name|StartTime|Input([.[].*)?)|State\.(Name|RetryCount)|Map\.Item\.(Index|Value([.[].*)?))$/;
const segmentPattern = /\.([A-Za-z_][\w-]*)|\['([^'\\]+)'\]|\[(\d+)\]/y;

function parseSegments(place: Place, field: string, path: string): Segment[] {
  const segments: Segment[] = [];
  segmentPattern.lastIndex = 1;
  let end = 1;
  while (end < path.length) {
    const match = segmentPattern.exec(path);
    if (!match) refuse(place, field, `path ${path} is not supported: only names and indexes are`);
    segments.push(match[1] ?? match[2] ?? Number(match[3]));
    end = segmentPattern.lastIndex;
  }
  return segments;
}

function lookUp(root: unknown, segments: Segment[]): unknown {
  let value = root;
  for (const segment of segments) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, segment)) return undefined;
    value = (value as Record<Segment, unknown>)[segment];
  }
  return value;
}

/** Like compilePath, but a missing value is undefined instead of a failure: for IsPresent. */
export function compileOptionalPath(place: Place, field: string, path: unknown): Read {
  if (typeof path !== 'string' || !path.startsWith('$')) refuse(place, field, 'must be a path that starts with $');
  if (!path.startsWith('$$')) {
    const segments = parseSegments(place, field, path);
    return (source) => lookUp(source.data, segments);
  }
  if (!contextPaths.test(path)) refuse(place, field, `context ${path} is not supported`);
  if (path.startsWith('$$.Map.') && !field.startsWith('ItemSelector')) {
    refuse(place, field, `context ${path} is supported in ItemSelector only`);
  }
  const segments = parseSegments(place, field, path.slice(1));
  return (source) => lookUp(source.context, segments);
}

export function compilePath(place: Place, field: string, path: unknown): Read {
  const read = compileOptionalPath(place, field, path);
  return (source) => {
    const value = read(source);
    if (value === undefined) throw runtimeFailure(`The path '${path}' of field '${field}' was not found in the input`);
    return value;
  };
}

export type Write = (data: unknown, result: unknown) => unknown;

/** ResultPath: absent replaces the data, null keeps it, a path adds to a copy of it. */
export function compileResultPath(place: Place, path: unknown): Write {
  if (path === undefined || path === '$') return (_data, result) => result;
  if (path === null) return (data) => data;
  if (typeof path !== 'string' || !path.startsWith('$') || path.startsWith('$$')) {
    refuse(place, 'ResultPath', 'must be null or a path into the data');
  }
  const segments = parseSegments(place, 'ResultPath', path);
  if (segments.some((segment) => typeof segment === 'number')) {
    refuse(place, 'ResultPath', `path ${path} is not supported: only names are`);
  }
  return (data, result) => insert(data, segments as string[], result);
}

function insert(data: unknown, segments: string[], result: unknown): unknown {
  const [first, ...rest] = segments;
  if (first === undefined) return result;
  if (data === null || typeof data !== 'object' || Array.isArray(data)) {
    throw runtimeFailure('ResultPath: the input is not an object that a result could be added to');
  }
  const child = (data as Record<string, unknown>)[first];
  return { ...data, [first]: insert(rest.length > 0 ? (child ?? {}) : child, rest, result) };
}

/** Parameters, ItemSelector, ResultSelector: names that end in `.$` hold a path or an intrinsic function. */
export function compileTemplate(place: Place, field: string, template: unknown): Read {
  if (Array.isArray(template)) {
    const entries = template.map((entry, index) => compileTemplate(place, `${field}[${index}]`, entry));
    return (source) => entries.map((entry) => entry(source));
  }
  if (template === null || typeof template !== 'object') return () => template;
  const members = Object.entries(template).map(([key, value]): [string, Read] =>
    key.endsWith('.$')
      ? [key.slice(0, -2), compileExpression(place, `${field}.${key}`, value)]
      : [key, compileTemplate(place, `${field}.${key}`, value)],
  );
  return (source) => Object.fromEntries(members.map(([key, read]) => [key, read(source)]));
}

function compileExpression(place: Place, field: string, text: unknown): Read {
  if (typeof text !== 'string') refuse(place, field, 'must be a path or an intrinsic function');
  return text.startsWith('$') ? compilePath(place, field, text) : compileIntrinsic(place, field, text);
}

const argumentPattern = /\s*('(?:[^'\\]|\\['\\{}])*'|\$[^,()\s]*|-?\d+(?:\.\d+)?|true|false|null)\s*(?:,|$)/y;

function compileIntrinsic(place: Place, field: string, text: string): Read {
  const call = /^States\.(Format|UUID|Array|JsonToString)\((.*)\)$/.exec(text);
  if (!call) refuse(place, field, `${text} is not supported`);
  const [, name, list = ''] = call;
  const args = compileArguments(place, field, list);
  if (name === 'UUID' && args.length === 0) return () => randomUUID();
  if (name === 'Array') return (source) => args.map((arg) => arg(source));
  if (name === 'JsonToString' && args.length === 1) return (source) => JSON.stringify(args[0]?.(source));
  if (name === 'Format' && args.length > 0) return (source) => format(args.map((arg) => arg(source)));
  return refuse(place, field, `${text} has the wrong number of arguments`);
}

function compileArguments(place: Place, field: string, list: string): Read[] {
  const args: Read[] = [];
  argumentPattern.lastIndex = 0;
  while (argumentPattern.lastIndex < list.trimEnd().length) {
    const text = argumentPattern.exec(list)?.[1];
    if (text === undefined) refuse(place, field, `arguments ${list} are not supported`);
    if (text.startsWith('$')) args.push(compilePath(place, field, text));
    else {
      const value: unknown = text.startsWith("'") ? text.slice(1, -1).replace(/\\(.)/g, '$1') : JSON.parse(text);
      args.push(() => value);
    }
  }
  return args;
}

function format([template, ...values]: unknown[]): string {
  let next = 0;
  return String(template).replace(/\{\}/g, () => {
    if (next >= values.length) throw runtimeFailure('States.Format: fewer arguments than {}');
    const value = values[next++];
    return typeof value === 'string' ? value : JSON.stringify(value);
  });
}
