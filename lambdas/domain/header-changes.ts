// Headers that a listener sets, adds and removes, on requests to members and on answers to clients. Values are texts with
// variables of a closed list, `${client_address}`; there is no other syntax in them.
import { kind, schemaOf } from './attribute-kind.ts';
import { listOf, pattern } from './attribute-types.ts';
import { invalid } from './errors.ts';
import { type Created, resource } from './resource.ts';

export const headerVariables = [
  'client_address',
  'client_port',
  'host',
  'listener_port',
  'protocol',
  'request_id',
] as const;
export type HeaderVariable = (typeof headerVariables)[number];

export type HeaderPart = { text: string } | { variable: HeaderVariable };

const isVariable = (name: string): name is HeaderVariable => (headerVariables as readonly string[]).includes(name);

/** The value taken apart; undefined when it refers to a variable there is not. */
export function headerParts(value: string): HeaderPart[] | undefined {
  const parts: HeaderPart[] = [];
  for (const piece of value.split(/(\$\{[^}]*\}?)/).filter(Boolean)) {
    const name = /^\$\{(\w+)\}$/.exec(piece)?.[1];
    if (name !== undefined && isVariable(name)) parts.push({ variable: name });
    else if (piece.startsWith('${')) return undefined;
    else parts.push({ text: piece });
  }
  return parts;
}

export const headerName = () =>
  pattern(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 128, 'Value should be the name of an HTTP header');

const headerValue = () =>
  pattern(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/, 1_024, 'Value should be printable ASCII without spaces around it');

/** Header names to values. */
const headerValues = () =>
  kind(
    (given, refused): Record<string, string> => {
      if (typeof given !== 'object' || given === null || Array.isArray(given))
        return refused('Value should be an object');
      for (const [name, value] of Object.entries(given)) {
        const issue = [headerName().safeParse(name), headerValue().safeParse(value)].find(({ success }) => !success);
        if (issue !== undefined) return refused(issue.error?.issues[0]?.message ?? 'Value is not valid');
        if (headerParts(value) === undefined) return refused(unknownVariable);
      }
      return given as Record<string, string>;
    },
    { type: 'object', additionalProperties: schemaOf(headerValue()) },
  );

const unknownVariable = `Value should refer to no other variables than: ${headerVariables.join(', ')}`;

export const headerChanges = (root: 'request_headers' | 'response_headers') =>
  resource({
    root,
    plural: root,
    argument: 'listener_.listener',
    title: 'Headers',
    attributes: {
      set: { type: headerValues(), on: 'create+update', default: {} },
      add: { type: headerValues(), on: 'create+update', default: {} },
      remove: { type: listOf(headerName()), on: 'create+update', default: [] },
    },
  });

export type HeaderChanges = Created<ReturnType<typeof headerChanges>['attributes']>;

/** What says where a message ends and how it is passed on is HAProxy's to write. */
const ofTheConnection = new Set([
  ...['connection', 'content-length', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding'],
  'upgrade',
]);
const atMost = 32;
/** HAProxy keeps 1 KB of its buffers free for headers that are added, and more where the message is smaller than them. */
const bytesAtMost = 2_048;

/** @throws ApiError 400 */
export function checkHeaderChanges(attribute: string, changes: HeaderChanges | null | undefined): void {
  if (!changes) return;
  const written = [...Object.entries(changes.set), ...Object.entries(changes.add)];
  const names = [...written.map(([name]) => name), ...changes.remove];
  if (names.length > atMost) throw invalid(`${attribute} may change ${atMost} headers at most.`);
  const untouchable = names.find((name) => ofTheConnection.has(name.toLowerCase()));
  if (untouchable !== undefined) throw invalid(`${attribute} may not change the header ${untouchable}.`);
  const host = [...Object.keys(changes.add), ...changes.remove].find((name) => name.toLowerCase() === 'host');
  if (host !== undefined) throw invalid(`${attribute} may set the header ${host}, but neither add nor remove it.`);
  const size = written.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
  if (size > bytesAtMost) throw invalid(`${attribute} may write ${bytesAtMost} bytes at most.`);
}
