// The OpenAPI document and the page made of it say what the API does, because they are made of what it is made of.
import { beforeAll, describe, expect, it } from 'vitest';
import { apiHandler, octaviaService } from '../../lambdas/api/handler.ts';
import { type OpenApi, type Operation, openApiOf } from '../../lambdas/api/http/openapi.ts';
import { listener } from '../../lambdas/domain/listener.ts';
import { parseCreate } from '../../lambdas/domain/resource.ts';
import { httpEvent } from '../support/http.ts';
import { InProcessApi } from '../support/in-process-api.ts';

const api = new InProcessApi();
let document: OpenApi;
let page: string;

async function unauthenticated(path: string) {
  const { statusCode, body, headers } = (await apiHandler(api.services)(httpEvent({ path }), {} as never)) as {
    statusCode: number;
    body: string;
    headers: Record<string, string>;
  };
  return { status: statusCode, body, headers };
}

beforeAll(async () => {
  document = JSON.parse((await unauthenticated('/openapi.json')).body);
  page = (await unauthenticated('/docs')).body;
});

const operation = (method: string, path: string): Operation => document.paths[path]![method]!;
const properties = (name: string) => document.components.schemas[name]!['properties'] as Record<string, object>;

/** Every `$ref` of the document. */
const references = (value: unknown): string[] =>
  typeof value !== 'object' || value === null
    ? []
    : [...('$ref' in value ? [String(value.$ref)] : []), ...Object.values(value).flatMap(references)];

describe('the OpenAPI document', () => {
  it('has every route of the API, and no other', () => {
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.toSorted()).toEqual(Object.keys(octaviaService.routes).toSorted());
  });

  it('is OpenAPI 3.1: references lead somewhere, ids of operations differ, parameters of paths are there', () => {
    expect(document.openapi).toBe('3.1.0');
    for (const reference of new Set(references(document)))
      expect(document.components.schemas).toHaveProperty(reference.replace('#/components/schemas/', ''));
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.values(methods).map((one) => ({ path, one })),
    );
    expect(new Set(operations.map(({ one }) => one.operationId)).size).toBe(operations.length);
    for (const { path, one } of operations) {
      const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(one.parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name)).toEqual(named);
      const names = one.parameters.map((parameter) => `${parameter.in} ${parameter.name}`);
      expect(new Set(names).size).toBe(names.length);
      expect(Object.keys(one.responses).length).toBeGreaterThan(1);
    }
  });

  it('states attributes as the domain does', () => {
    expect(properties('listener_create')).toMatchObject({
      protocol_port: { type: 'integer', minimum: 1, maximum: 65_535 },
      name: { type: ['string', 'null'], maxLength: 255, default: '' },
      loadbalancer_id: { type: 'string', format: 'uuid' },
      tags: { type: ['array', 'null'], items: { type: 'string', maxLength: 255 } },
    });
    expect(document.components.schemas['listener_create']!['required']).toEqual([
      'loadbalancer_id',
      'protocol',
      'protocol_port',
    ]);
    expect(Object.keys(properties('listener_update'))).not.toContain('protocol_port');
    expect(properties('member_create')['weight']).toMatchObject({ minimum: 0, maximum: 256, default: 1 });
    expect(properties('quota_update')['load_balancer']).toMatchObject({ minimum: -1, maximum: 2_000_000_000 });
  });

  it('takes in a new attribute by itself', () => {
    const { type } = listener.attributes.name;
    const extended = { ...listener, attributes: { colour: { type, on: 'create+update' as const } } };
    const made = openApiOf(['GET /v2.0/lbaas/listeners'], [extended], () => false);
    expect(made.components.schemas['listener_create']).toMatchObject({ properties: { colour: {} } });
    expect(made.paths['/v2.0/lbaas/listeners']!['get']!.parameters.map(({ name }) => name)).toContain('colour');
  });

  it('marks attributes beyond Octavia, in what is sent and in what is shown, with what is in them', () => {
    for (const name of ['listener', 'listener_create', 'listener_update'])
      expect(properties(name)['rate_limit']).toMatchObject({
        'x-octavia-extension': true,
        properties: { requests: { type: 'integer', minimum: 1 } },
        additionalProperties: false,
        required: ['requests', 'period'],
      });
    expect(properties('pool_update')['retries']).toHaveProperty('x-octavia-extension', true);
    expect(properties('member_create')['connection_limit']).toHaveProperty('x-octavia-extension', true);
    expect(properties('listener_create')['connection_limit']).not.toHaveProperty('x-octavia-extension');
    expect(page).toContain('<td>beyond Octavia</td>');
  });

  it('says what is sent and answered', () => {
    const create = operation('post', '/v2.0/lbaas/listeners');
    expect(JSON.stringify(create.requestBody)).toContain('#/components/schemas/listener_create');
    expect(Object.keys(create.responses)).toEqual(['201', '4XX']);
    expect(create.parameters.map(({ name }) => name)).toEqual(['dry_run', 'Idempotency-Key']);
    expect(create.operationId).toBe('os_load-balancer_api:listener:post');
    expect(Object.keys(operation('put', '/v2.0/lbaas/quotas/{project_id}').responses)).toContain('202');
    expect(Object.keys(operation('put', '/v2.0/lbaas/pools/{pool_id}/members').responses)).toContain('202');
    expect(operation('get', '/healthcheck').security).toEqual([]);
  });

  it('names filters that the API takes, and as required what it requires', async () => {
    const { parameters } = operation('get', '/v2.0/lbaas/loadbalancers');
    const filters = parameters.filter(({ description }) => description === 'Filter.');
    expect(filters.length).toBeGreaterThan(10);
    for (const { name } of filters)
      expect([name, (await api.get(`loadbalancers?${name}=1`)).status]).toEqual([name, 200]);
    expect(() => parseCreate(listener, {})).toThrow('Mandatory field missing');
  });
});

describe('the page of it', () => {
  it('is HTML that loads nothing and runs nothing', async () => {
    const { status, headers } = await unauthenticated('/docs');
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).not.toMatch(/<script|src=|url\(|https?:/);
    expect(headers['content-security-policy']).toContain("default-src 'none'");
  });

  it('has every route and its attributes', () => {
    for (const route of Object.keys(octaviaService.routes)) expect(page).toContain(`</b> ${route.split(' ')[1]}`);
    expect(page).toContain('<th>timeout_tcp_inspect</th>');
    expect(page).toContain('1 to 65535');
  });
});
