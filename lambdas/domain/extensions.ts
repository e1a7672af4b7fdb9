// Attributes beyond Octavia's: opt-in, stated like all others, and shown only where they are set, so that a client that checks the
// shape of answers never meets one it does not know.
import { kind, schemaOf } from './attribute-kind.ts';
import { invalid } from './errors.ts';
import { type Attribute, type Attributes, type Created, parseCreate, type Resource } from './resource.ts';

/** An object with attributes of its own; what is absent in it has its default. @throws ApiError 400 naming what is wrong in it */
export const part = <A extends Attributes>(resource: Resource<A>) =>
  kind((value): Created<A> => parseCreate(resource, value), partSchema(resource.attributes));

function partSchema(attributes: Record<string, Attribute>) {
  const required = Object.keys(attributes).filter((name) => attributes[name]!.required);
  const properties = Object.entries(attributes).map(([name, one]) => [
    name,
    { ...schemaOf(one.type), ...(one.default === undefined ? {} : { default: one.default }) },
  ]);
  return {
    type: 'object',
    properties: Object.fromEntries(properties),
    additionalProperties: false,
    ...(required.length > 0 ? { required } : {}),
  } as const;
}

const isUnset = (value: unknown): boolean =>
  value === null || value === undefined || (Array.isArray(value) && value.length === 0);

/** Of a table of extensions, what is set on the row; rows written before an extension was stated do not have it. */
export const shownExtensions = (attributes: Attributes, row: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.keys(attributes)
      .map((name) => [name, (row as Record<string, unknown>)[name]] as const)
      .filter(([, value]) => !isUnset(value)),
  );

/** @param allowed by extension, the protocols it is for @throws ApiError 400 for one that is set on another */
export function checkProtocols<P extends string>(
  noun: 'listeners' | 'pools',
  allowed: Readonly<Record<string, readonly P[]>>,
  row: { protocol: P },
): void {
  for (const [name, protocols] of Object.entries(allowed)) {
    if (isUnset((row as Record<string, unknown>)[name]) || protocols.includes(row.protocol)) continue;
    const list = protocols.join(', ').replace(/, (\w+)$/, ' or $1');
    throw invalid(`${name} can only be used for ${noun} using the ${list} protocol.`);
  }
}
