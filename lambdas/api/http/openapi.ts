// The OpenAPI 3.1 document of the API, derived: paths from the route table, bodies and filters from the one statement of each
// attribute in domain/. Nothing about an attribute is said here.
import { schemaOf } from '../../domain/attribute-kind.ts';
import type { Attribute } from '../../domain/resource.ts';
import { scalarNames } from './names.ts';
import { type AnyResource, fault, isOwned, isQuota, type Schema, schemasOf, shownAlways } from './openapi-schemas.ts';
import { policyOfRoute } from './policy.ts';

interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required?: true;
  description?: string;
  schema: Schema;
}
export interface Operation {
  operationId: string;
  summary: string;
  tags: string[];
  parameters: Parameter[];
  requestBody?: Schema;
  responses: Record<string, Schema>;
  security?: Schema[];
}
export interface OpenApi {
  openapi: '3.1.0';
  info: { title: string; version: string; description: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; securitySchemes: Schema };
  security: Schema[];
}

const reference = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: Schema): Schema => ({ content: { 'application/json': { schema } } });

const query = (name: string, schema: Schema, description: string): Parameter => ({
  name,
  in: 'query',
  schema,
  description,
});
const text = { type: 'string' };
const listParameters = [
  query('limit', { type: 'integer' }, 'Rows of a page; 0: all.'),
  query('marker', text, 'Id of the last row of the page before.'),
  query('page_reverse', { type: 'string', enum: ['True'] }, 'Rows before the marker.'),
  query('sort', text, '`key:asc` or `key:desc`, several separated by commas.'),
  query('sort_key', text, 'Keys separated by commas.'),
  query('sort_dir', text, 'Directions of sort_key.'),
  query('project_id', text, 'Of this project; administrators see all without it.'),
];
const tagParameters = ['tags', 'tags-any', 'not-tags', 'not-tags-any'].map((name) =>
  query(name, text, 'Tags separated by commas.'),
);
const fields = query('fields', { type: 'array', items: text }, 'Only these attributes; repeated for several.');
const dryRun = query('dry_run', { type: 'boolean' }, 'Judge the write and show its effect; change nothing.');
const key: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  schema: { type: 'string', maxLength: 255 },
  description: 'The same key again within a day is the same resource.',
};

function filtersOf(resource: AnyResource): Parameter[] {
  const taken = new Set(listParameters.map(({ name }) => name));
  const names = (isOwned(resource) ? scalarNames(resource) : Object.keys(resource.attributes)).filter(
    (name) => !taken.has(name),
  );
  const filters = names.map((name) => {
    const attribute = (resource.attributes as Record<string, Attribute>)[name];
    return query(name, (attribute ? schemaOf(attribute.type) : undefined) ?? shownAlways[name] ?? text, 'Filter.');
  });
  return 'tags' in resource.attributes ? [...filters, ...tagParameters] : filters;
}

interface Route {
  method: string;
  path: string;
  /** The last collection in the path, and what comes after its id. */
  resource: AnyResource | undefined;
  isCollection: boolean;
  tail: string | undefined;
}

function routeOf(route: string, byPlural: ReadonlyMap<string, AnyResource>): Route {
  const [method = '', path = ''] = route.split(' ');
  const segments = path.split('/').filter(Boolean);
  const at = segments.findLastIndex((segment) => byPlural.has(segment));
  const rest = at < 0 ? [] : segments.slice(at + 1);
  const resource = at < 0 ? undefined : byPlural.get(segments[at]!);
  const tail = rest.find((segment) => !segment.startsWith('{'));
  return { method, path, resource, isCollection: at >= 0 && rest.length === 0, tail };
}

function parametersOf({ method, path, resource, isCollection, tail }: Route): Parameter[] {
  const ids = [...path.matchAll(/\{(\w+)\}/g)].map(
    ([, name]): Parameter => ({ name: name!, in: 'path', required: true, schema: text }),
  );
  if (resource === undefined) return ids;
  if (method === 'POST') return [...ids, dryRun, key];
  if (method !== 'GET') return [...ids, dryRun];
  if (isCollection) return [...ids, ...listParameters, ...filtersOf(resource), fields];
  return tail === undefined || tail === 'default' ? [...ids, fields] : ids;
}

const wrapped = (root: string, schema: Schema): Schema => ({
  type: 'object',
  properties: { [root]: schema },
  required: [root],
});

const listSchema = ({ root, plural }: AnyResource): Schema => ({
  type: 'object',
  properties: {
    [plural]: { type: 'array', items: reference(root) },
    [plural.endsWith('profiles') ? `${root}_links` : `${plural}_links`]: {
      type: 'array',
      items: { type: 'object', properties: { rel: { enum: ['next', 'previous'] }, href: { type: 'string' } } },
    },
  },
});

function requestOf({ method, resource, isCollection, tail }: Route): Schema | undefined {
  if (resource === undefined || tail !== undefined || (method !== 'POST' && method !== 'PUT')) return undefined;
  const { root, plural } = resource;
  // A PUT of a collection is a batch: all there is to be.
  const isBatch = method === 'PUT' && isCollection;
  const body = isBatch
    ? wrapped(plural, { type: 'array', items: reference(`${root}_create`) })
    : wrapped(root, reference(`${root}_${method === 'POST' ? 'create' : 'update'}`));
  return { required: true, ...json(body) };
}

function responsesOf({ method, resource, isCollection, tail }: Route): Record<string, Schema> {
  const refused = { '4XX': { description: 'Refused.', ...json(reference('fault')) } };
  const answer = (status: string, schema?: Schema) => ({
    [status]: { description: schema ? 'Done.' : 'Accepted.', ...(schema ? json(schema) : {}) },
    ...refused,
  });
  if (resource === undefined || (tail !== undefined && method === 'GET' && tail !== 'default'))
    return answer('200', { type: 'object' });
  if (tail !== undefined && method !== 'GET') return answer('202');
  const { root } = resource;
  if (method === 'DELETE') return answer(isQuota(resource) ? '202' : '204');
  if (method === 'POST') return answer('201', wrapped(root, reference(root)));
  if (method === 'PUT' && isCollection) return answer('202');
  if (method === 'PUT') return answer(isQuota(resource) ? '202' : '200', wrapped(root, reference(root)));
  return answer('200', isCollection ? listSchema(resource) : wrapped(root, reference(root)));
}

function operationOf(route: string, parts: Route, isPublic: boolean): Operation {
  const request = requestOf(parts);
  return {
    operationId: isPublic || parts.resource === undefined ? route : policyOfRoute(route),
    summary: summaryOf(parts),
    tags: [parts.resource?.plural ?? 'service'],
    parameters: parametersOf(parts),
    ...(request ? { requestBody: request } : {}),
    responses: responsesOf(parts),
    ...(isPublic ? { security: [] } : {}),
  };
}

const verbs: Record<string, string> = { GET: 'Show', POST: 'Create', PUT: 'Change', DELETE: 'Delete', HEAD: 'Look at' };
const article = (title: string): string =>
  /^[AEIOUL]/.test(title) && title !== 'Load Balancer' && title !== 'Listener' ? 'an' : 'a';

function summaryOf({ method, path, resource, isCollection, tail }: Route): string {
  if (resource === undefined) return path === '/' ? 'Versions' : path;
  const title = resource.title;
  if (tail !== undefined) return `${method === 'GET' ? 'Show' : 'Ask for'} ${tail} of ${article(title)} ${title}`;
  if (isCollection && method === 'GET') return `List ${resource.plural}`;
  if (isCollection && method === 'PUT') return `Replace ${resource.plural}`;
  return `${verbs[method] ?? method} ${article(title)} ${title}`;
}

/** @param routes `GET /v2.0/lbaas/listeners` and so on @param isPublic routes that need no token */
export function openApiOf(
  routes: readonly string[],
  resources: readonly AnyResource[],
  isPublic: (route: string) => boolean,
): OpenApi {
  const byPlural = new Map(resources.map((resource) => [resource.plural.replaceAll('_', ''), resource]));
  const paths: OpenApi['paths'] = {};
  const taken = new Set<string>();
  for (const route of routes) {
    const parts = routeOf(route, byPlural);
    const operation = operationOf(route, parts, isPublic(route));
    // Two paths may ask for one policy, and ids of operations must differ.
    if (taken.has(operation.operationId)) operation.operationId = route;
    taken.add(operation.operationId);
    paths[parts.path] = { ...paths[parts.path], [parts.method.toLowerCase()]: operation };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Octavia',
      version: '2.30',
      description:
        "OpenStack Octavia's load balancer API. Every path below /v2.0 may be asked for below /v2, and without /lbaas.",
    },
    paths,
    components: {
      schemas: { fault, ...Object.assign({}, ...resources.map(schemasOf)) },
      securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } },
    },
    security: [{ token: [] }],
  };
}
