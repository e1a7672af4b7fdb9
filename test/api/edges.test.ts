// The edges of the API: the health check, content that is not JSON, methods a path does not have, and ids of requests.
import { describe, expect, it } from 'vitest';
import { apiHandler } from '../../lambdas/api/handler.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { TableUnavailable } from '../../lambdas/drivers/table/table.ts';
import { silentLogger } from '../../lambdas/runtime/logger.ts';
import { httpEvent } from '../support/http.ts';
import { InProcessApi, member } from '../support/in-process-api.ts';

class SilentTable extends SqliteTable {
  override async get(): Promise<undefined> {
    throw new TableUnavailable('no answer');
  }
}

/** The answer as it is, not read as JSON; without a token. */
async function raw(api: InProcessApi, method: string, path: string, headers = {}) {
  const {
    statusCode,
    body,
    headers: sent,
  } = (await apiHandler(api.services)(httpEvent({ method, path, headers }), {} as never)) as {
    statusCode: number;
    body?: string;
    headers: Record<string, string>;
  };
  return { status: statusCode, body, type: sent['content-type'] };
}

describe('the health check', () => {
  const open = () => new InProcessApi({ config: { healthcheck_enabled: true } });

  it('is not there by default', async () => {
    for (const method of ['GET', 'HEAD'])
      expect((await raw(new InProcessApi(), method, '/healthcheck')).status).toBe(404);
  });

  it('answers anybody, in text or JSON', async () => {
    expect(await raw(open(), 'GET', '/healthcheck')).toEqual({
      status: 200,
      body: 'OK',
      type: 'text/plain; charset=UTF-8',
    });
    expect((await raw(open(), 'GET', '/healthcheck', { accept: 'text/html' })).status).toBe(200);
    const json = await raw(open(), 'GET', '/healthcheck', { accept: 'application/json' });
    expect(JSON.parse(json.body!)).toEqual({ detailed: false, reasons: ['OK'] });
    expect(await raw(open(), 'HEAD', '/healthcheck')).toMatchObject({ status: 204, body: undefined });
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH'])('has no %s', async (method) => {
    expect((await raw(open(), method, '/healthcheck')).status).toBe(405);
  });

  it('is 503 when the table does not answer', async () => {
    const config = { healthcheck_enabled: true };
    const api = new InProcessApi({ config, table: new SilentTable({ path: ':memory:' }) });
    expect((await raw(api, 'GET', '/healthcheck')).status).toBe(503);
    expect((await raw(api, 'HEAD', '/healthcheck')).status).toBe(503);
  });
});

describe('a method a path does not have', () => {
  it.each([
    ['HEAD', 'listeners', 405],
    ['PATCH', 'listeners', 405],
    ['PATCH', 'loadbalancers/x', 405],
    ['POST', 'pools/x', 405],
  ])('%s %s is 405', async (method, path, status) => {
    const answer = await new InProcessApi().ask(method, path);
    expect(answer).toMatchObject({ status, body: { code: status, title: 'Method Not Allowed' } });
  });

  it.each([
    ['PUT', 'listeners', 'id'],
    ['DELETE', 'loadbalancers', 'id'],
    ['DELETE', 'pools/x/members', 'id'],
    ['PUT', 'quotas', 'project_id'],
  ])('%s %s lacks its argument', async (method, path, argument) => {
    const { status, body } = await new InProcessApi().ask(method, path);
    expect([status, body.faultstring]).toEqual([400, `Missing argument: "${argument}"`]);
  });

  it('of a path nobody has is 404, the prefix of some deployments included', async () => {
    for (const path of ['/v2.0/lbaas/nothing', '/load-balancer/v2.0/lbaas/pools', '/v3'])
      expect((await new InProcessApi().get(path)).status).toBe(404);
  });
});

describe('content', () => {
  it.each(['', '*/*', 'application/*', 'text/html, application/json;q=0.1', 'nonsense'])(
    'accepted as "%s" is JSON',
    async (accept) => {
      expect((await new InProcessApi().ask('GET', 'pools', undefined, { headers: { accept } })).status).toBe(200);
    },
  );

  it('accepted as nothing else is 406', async () => {
    const answer = await new InProcessApi().ask('GET', 'pools', undefined, { headers: { accept: 'text/html' } });
    expect(answer).toMatchObject({
      status: 406,
      body: { code: 406, title: 'Not Acceptable', description: 'Only content type application/json is accepted.' },
    });
  });

  it('of another kind is 415', async () => {
    const headers = { 'content-type': 'text/plain; charset=utf-8' };
    const { status, body } = await new InProcessApi().ask('POST', 'pools', 'pool: 1', { headers });
    expect([status, body.faultstring]).toEqual([415, 'Unknown mimetype: text/plain']);
  });
});

it('an answer has an id of its own; the one a client asked under is logged beside it', async () => {
  const logged: unknown[] = [];
  const logger = { ...silentLogger, error: (_message: string, detail?: unknown) => logged.push(detail) };
  const api = new InProcessApi({ logger, table: new SilentTable({ path: ':memory:' }) });
  const global = 'req-0b3a3b3e-1f0a-4b6e-9d0e-2f2c3d4e5f60';
  const { status, headers } = await api.ask('GET', 'listeners/x', undefined, {
    caller: member,
    headers: { 'X-Openstack-Request-Id': global },
  });
  expect(status).toBe(503);
  expect(headers['x-openstack-request-id']).toMatch(/^req-/);
  expect(headers['x-openstack-request-id']).not.toBe(global);
  expect(logged).toMatchObject([{ global_request_id: global }]);
});
