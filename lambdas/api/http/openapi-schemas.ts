// Schemas of the API's document: what may be sent of a resource and what is shown, made of the one statement of each attribute.
import { schemaOf } from '../../domain/attribute-kind.ts';
import type { Attribute, Resource } from '../../domain/resource.ts';

// biome-ignore lint/suspicious/noExplicitAny: any resource, whatever its attributes
export type AnyResource = Resource<any>;
export type Schema = Record<string, unknown>;

const timestampSchema = { type: 'string', examples: ['2026-01-01T00:00:00.000000'] };
/** What every resource is shown with and no client sets. */
export const shownAlways: Record<string, Schema> = {
  id: { type: 'string', format: 'uuid', readOnly: true },
  tenant_id: { type: 'string', readOnly: true },
  provisioning_status: { type: 'string', readOnly: true },
  operating_status: { type: 'string', readOnly: true },
  created_at: { ...timestampSchema, readOnly: true },
  updated_at: { ...timestampSchema, type: ['string', 'null'], readOnly: true },
};

const nullable = (schema: Schema): Schema =>
  typeof schema['type'] === 'string' && schema['enum'] === undefined
    ? { ...schema, type: [schema['type'], 'null'] }
    : { anyOf: [schema, { type: 'null' }] };

/** Beyond Octavia: a client that generates its types from this can tell. */
const mark = ({ extension }: Attribute): Schema => (extension ? { 'x-octavia-extension': true } : {});

/** An attribute as a client may send it. */
function sentSchema(attribute: Attribute): Schema {
  const schema = schemaOf(attribute.type);
  const mayBeNull = attribute.required !== true && attribute.nullable !== false;
  const standard = attribute.default === undefined ? {} : { default: attribute.default };
  return { ...(mayBeNull ? nullable(schema) : schema), ...standard, ...mark(attribute) };
}

const attributesOf = (resource: AnyResource): [string, Attribute][] =>
  Object.entries(resource.attributes as Record<string, Attribute>);

function createSchema(resource: AnyResource): Schema {
  const attributes = attributesOf(resource);
  const required = attributes.filter(([, one]) => one.required).map(([name]) => name);
  return {
    type: 'object',
    properties: Object.fromEntries(attributes.map(([name, one]) => [name, sentSchema(one)])),
    additionalProperties: false,
    ...(required.length > 0 ? { required } : {}),
  };
}

const updateSchema = (resource: AnyResource): Schema => ({
  type: 'object',
  properties: Object.fromEntries(
    attributesOf(resource)
      .filter(([, one]) => one.on === 'create+update')
      .map(([name, one]) => [name, sentSchema(one)]),
  ),
  additionalProperties: false,
});

/** Shown are the scalars that are set, lists as references by id, and more that only an answer has. */
const shownSchema = (resource: AnyResource): Schema => ({
  type: 'object',
  properties: {
    ...(isOwned(resource) ? shownAlways : {}),
    ...Object.fromEntries(
      attributesOf(resource).map(([name, one]) => [name, { ...nullable(schemaOf(one.type)), ...mark(one) }]),
    ),
  },
});

/** Owned by a project, and with statuses: what a load balancer is made of. */
export const isOwned = (resource: AnyResource): boolean => 'project_id' in resource.attributes;
export const isQuota = ({ root }: AnyResource): boolean => root === 'quota';

export function schemasOf(resource: AnyResource): Record<string, Schema> {
  const { root } = resource;
  return {
    [root]: shownSchema(resource),
    ...(isQuota(resource) ? {} : { [`${root}_create`]: createSchema(resource) }),
    [`${root}_update`]: updateSchema(resource),
  };
}

export const fault: Schema = {
  type: 'object',
  properties: {
    faultcode: { enum: ['Client', 'Server'] },
    faultstring: { type: 'string' },
    debuginfo: { type: ['string', 'null'] },
  },
};
