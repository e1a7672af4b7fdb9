// Headers that users of a listener set, add and remove, beyond Octavia's insert_headers. What a value may refer to is the closed
// list of domain/header-changes.ts; here is what each of it is to HAProxy.
import { type HeaderChanges, type HeaderPart, type HeaderVariable, headerParts } from '../domain/header-changes.ts';
import type { ListenerRow } from '../domain/listener.ts';
import { type Argument, template, Unrenderable, value, words } from './config.ts';

const samples: Record<HeaderVariable, string> = {
  client_address: 'src',
  client_port: 'src_port',
  host: 'var(txn.host)',
  listener_port: 'dst_port',
  protocol: 'ssl_fc,iif(https,http)',
  request_id: 'var(txn.request_id)',
};

/** What is known only while the request is read has to be kept for the answer. */
const kept: Partial<Record<HeaderVariable, Argument[]>> = {
  host: words`http-request set-var(txn.host) req.fhdr(host)`,
  request_id: words`http-request set-var(txn.request_id) uuid()`,
};

interface Written {
  name: string;
  parts: HeaderPart[];
}

/** By name: the same headers are the same text, whatever order they came in. */
function written(values: Record<string, string>, listenerId: string): Written[] {
  const names = Object.keys(values).sort();
  return names.map((name) => {
    const parts = headerParts(values[name]!);
    if (parts === undefined) throw new Unrenderable(listenerId, `${name}: ${values[name]} has an unknown variable`);
    return { name, parts };
  });
}

const variablesOf = (parts: HeaderPart[]): HeaderVariable[] =>
  parts.flatMap((one) => ('variable' in one ? [one.variable] : []));

const printable = (parts: HeaderPart[]): Argument =>
  template(parts.map((one) => ('variable' in one ? { sample: samples[one.variable] } : one)));

/** Before anything may answer the request, so that error pages have the same request id as what members see. */
export function keptLines({ id, request_headers, response_headers }: ListenerRow): Argument[][] {
  const changes = [request_headers, response_headers].filter((one) => one != null);
  const all = changes.flatMap(({ set, add }) => [...written(set, id), ...written(add, id)]);
  const used = new Set(all.flatMap(({ parts }) => variablesOf(parts)));
  return Object.entries(kept).flatMap(([name, line]) => (used.has(name as HeaderVariable) ? [line] : []));
}

type Rule = (name: Argument, content: Argument) => Argument[];
interface Rules {
  set: Rule;
  add: Rule;
  remove: (name: Argument) => Argument[];
}

const ofRequests: Rules = {
  set: (name, content) => words`http-request set-header ${name} ${content}`,
  add: (name, content) => words`http-request add-header ${name} ${content}`,
  remove: (name) => words`http-request del-header ${name}`,
};
/** After-response rules see HAProxy's own answers too: redirects, rejections and error pages. */
const ofResponses: Rules = {
  set: (name, content) => words`http-after-response set-header ${name} ${content}`,
  add: (name, content) => words`http-after-response add-header ${name} ${content}`,
  remove: (name) => words`http-after-response del-header ${name}`,
};

function changeLines(changes: HeaderChanges | null | undefined, rules: Rules, listenerId: string): Argument[][] {
  if (!changes) return [];
  const lines = (values: Record<string, string>, rule: Rule) =>
    written(values, listenerId).map(({ name, parts }) => [...rule(value(name), printable(parts)), ...whenKept(parts)]);
  return [
    ...changes.remove.toSorted().map((name) => rules.remove(value(name))),
    ...lines(changes.set, rules.set),
    ...lines(changes.add, rules.add),
  ];
}

/** What HAProxy could not read as a request has neither host nor id: rather no header than half a one. */
function whenKept(parts: HeaderPart[]): Argument[] {
  const needed = Object.keys(kept).filter((name) => variablesOf(parts).includes(name as HeaderVariable));
  return needed.length === 0 ? [] : [...words`if`, ...needed.flatMap((name) => conditions[name] ?? [])];
}
const conditions: Record<string, Argument[]> = {
  host: words`{ var(txn.host) -m found }`,
  request_id: words`{ var(txn.request_id) -m found }`,
};

/** After L7 policies, which judge what the client sent; before insert_headers, which are of the backend. */
export const headerChangeLines = ({ id, request_headers, response_headers }: ListenerRow): Argument[][] => [
  ...changeLines(request_headers, ofRequests, id),
  ...changeLines(response_headers, ofResponses, id),
];
