// One statement of each attribute of a resource: its type, default, who may set it and what null means. The checks of create
// and update, the types and the documentation are derived from it.
import type { AttributeKind } from './attribute-kind.ts';
import { ApiError } from './errors.ts';

export interface Attribute<T = unknown> {
  type: AttributeKind<T>;
  /** Immutable attributes are given at creation only. */
  on: 'create' | 'create+update';
  required?: true;
  /** Stands in for an absent or null value; null on update resets to it. */
  default?: T;
  /** false: null on update is an error instead of a reset. */
  nullable?: false;
  /** Beyond Octavia: shown only where it is set, so that clients who know nothing of it never meet it. */
  extension?: true;
}
// biome-ignore lint/suspicious/noExplicitAny: a record of attributes of different types; each keeps its own in `Created`
export type Attributes = Record<string, Attribute<any>>;

type Output<A> = A extends { type: AttributeKind<infer T> } ? T : never;
type Stored<A> = A extends { required: true }
  ? Output<A>
  : A extends { default: unknown }
    ? Output<A>
    : Output<A> | null;
/** What a created row holds of the attributes. */
export type Created<A extends Attributes> = { [K in keyof A]: Stored<A[K]> };
/** What an update asks for: only what was given, and only what may change. */
export type Updated<A extends Attributes> = {
  [K in keyof A as A[K]['on'] extends 'create' ? never : K]?: Stored<A[K]>;
};

export interface Resource<A extends Attributes = Attributes> {
  /** Key of the body: `listener`. */
  root: string;
  /** Key of a list: `listeners`. */
  plural: string;
  /** Octavia's name of the argument in messages about unknown attributes. */
  argument: string;
  /** As in `Listener <id> not found.` */
  title: string;
  attributes: A;
}

export const resource = <const A extends Attributes>(definition: Resource<A>): Resource<A> => definition;

/** Python's spelling of a JSON value, which is what messages of Octavia quote. */
function quoted(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export const invalidAttribute = (name: string, value: unknown, reason: string) =>
  new ApiError(400, `Invalid input for field/attribute ${name}. Value: '${quoted(value).slice(0, 255)}'. ${reason}`);

function parsed(name: string, attribute: Attribute, value: unknown): unknown {
  const result = attribute.type.safeParse(value);
  if (result.success) return result.data;
  throw invalidAttribute(name, value, result.error.issues[0]?.message ?? 'Value is not valid');
}

/** project_id and tenant_id are one attribute in two spellings; the first given wins. */
function withoutTenant(body: Record<string, unknown>, attributes: Attributes): Record<string, unknown> {
  if (!('tenant_id' in body) || !('project_id' in attributes)) return body;
  const { tenant_id, ...rest } = body;
  return { ...rest, project_id: rest['project_id'] ?? tenant_id };
}

/** What a client sent comes back in messages, and not all of it. */
const shortened = (text: string): string => text.slice(0, 1_000);

function refuseUnknown(resource: Resource, body: Record<string, unknown>, known: (name: string) => boolean): void {
  const unknown = Object.keys(body).filter((name) => !known(name));
  if (unknown.length === 0) return;
  const noun = unknown.length > 1 ? 'attributes' : 'attribute';
  throw new ApiError(
    400,
    `Unknown ${noun} for argument ${resource.argument}.${resource.root}: ${shortened(unknown.join(', '))}`,
  );
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The object under the resource's root key of a request body. @throws ApiError 400 */
export function rootOf(resource: Resource, body: unknown): unknown {
  if (!isObject(body)) throw new ApiError(400, 'Request is not in valid JSON format');
  const others = Object.keys(body).filter((name) => name !== resource.root);
  if (others.length > 0) throw new ApiError(400, `Unknown argument: "${shortened(others.join('", "'))}"`);
  if (body[resource.root] === undefined) throw new ApiError(400, `Missing argument: "${resource.root}"`);
  return body[resource.root];
}

/** Checks what a client sent to create the resource and fills in defaults. @throws ApiError 400 */
export function parseCreate<A extends Attributes>(resource: Resource<A>, given: unknown): Created<A> {
  if (!isObject(given)) throw invalidAttribute(resource.root, given, 'Value should be an object');
  const body = withoutTenant(given, resource.attributes);
  refuseUnknown(resource, body, (name) => Object.hasOwn(resource.attributes, name));
  const created: Record<string, unknown> = {};
  for (const [name, attribute] of Object.entries(resource.attributes)) {
    const value = body[name] ?? null;
    if (value === null && attribute.required) throw invalidAttribute(name, null, 'Mandatory field missing.');
    created[name] = value === null ? nullOnCreate(name, body, attribute) : parsed(name, attribute, value);
  }
  return created as Created<A>;
}

/** admin_state_up sent as null means false in Octavia, whatever its default. */
const nullOnCreate = (name: string, body: Record<string, unknown>, attribute: Attribute): unknown =>
  name === 'admin_state_up' && body[name] === null ? false : (attribute.default ?? null);

/** Checks what a client sent to change the resource; null stands for the default. @throws ApiError 400 */
export function parseUpdate<A extends Attributes>(resource: Resource<A>, given: unknown): Updated<A> {
  if (!isObject(given)) throw invalidAttribute(resource.root, given, 'Value should be an object');
  const isMutable = (name: string) => resource.attributes[name]?.on === 'create+update';
  refuseUnknown(resource, given, isMutable);
  const updated: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const attribute = resource.attributes[name]!;
    if (value === null && attribute.nullable === false)
      throw invalidAttribute(name, null, 'Value is required and cannot be null');
    updated[name] = value === null ? nullOnCreate(name, given, attribute) : parsed(name, attribute, value);
  }
  return updated as Updated<A>;
}
