// Every endpoint there is: what it answers, under which names, to whom, and to clients that say nothing or the wrong thing.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { octaviaService } from '../../lambdas/api/handler.ts';
import { readTree } from '../../lambdas/repositories/trees.ts';
import { administer } from '../support/administration-samples.ts';
import { ControlPlane } from '../support/control-plane.ts';
import type { Asked } from '../support/octavia-api.ts';
import { type Persona, personas, projects, tokenOf } from '../support/personas.ts';
import { createSite, methodOf, pathOf, type Rule, type Site, samples } from '../support/route-samples.ts';

const versionRoutes = ['GET /', 'GET /v2.0', 'GET /v2.0/lbaas', 'GET /v2.0/octavia'];
/** What is beside Octavia's API, for anybody. */
const ownRoutes = ['GET /healthcheck', 'HEAD /healthcheck', 'GET /openapi.json', 'GET /docs'];
const routes = Object.keys(samples);

let plane: ControlPlane;
let site: Site;
const start = async () => {
  plane = await ControlPlane.start();
  site = await createSite(plane.as());
  await plane.settle();
  site.ids = await administer(plane.as('admin'), plane.services as never, site.lb, site.listener);
};
const stop = () => plane[Symbol.asyncDispose]();

const ask = (route: string, persona: Persona, asked: Asked = {}) => {
  const api = plane.as(persona);
  return api.ask(methodOf(route), pathOf(route, site), samples[route]!.body?.(site, api), asked);
};

it('has a sample of every route', () => {
  expect(Object.keys(octaviaService.routes).toSorted()).toEqual([...versionRoutes, ...ownRoutes, ...routes].toSorted());
});

/** Attributes of an answer as Octavia's API reference lists them. */
const owned = ['project_id', 'tenant_id', 'created_at', 'updated_at', 'tags', 'name', 'admin_state_up'];
const both = ['id', 'provisioning_status', 'operating_status', ...owned];
const tls = ['tls_ciphers', 'tls_versions', 'alpn_protocols'];
const shapes: Record<string, string[]> = {
  loadbalancer: [
    ...both,
    ...[
      'description',
      'vip_address',
      'vip_port_id',
      'vip_subnet_id',
      'vip_network_id',
      'vip_sg_ids',
      'additional_vips',
    ],
    ...['listeners', 'pools', 'provider', 'flavor_id', 'vip_qos_policy_id', 'availability_zone', 'vip_vnic_type'],
  ],
  listener: [
    ...both,
    ...['description', 'protocol', 'protocol_port', 'connection_limit', 'default_tls_container_ref'],
    ...['sni_container_refs', 'default_pool_id', 'l7policies', 'insert_headers', 'loadbalancers'],
    ...['timeout_client_data', 'timeout_member_connect', 'timeout_member_data', 'timeout_tcp_inspect'],
    ...['client_ca_tls_container_ref', 'client_authentication', 'client_crl_container_ref', 'allowed_cidrs', ...tls],
    ...['hsts_max_age', 'hsts_include_subdomains', 'hsts_preload'],
  ],
  pool: [
    ...both,
    ...['description', 'protocol', 'lb_algorithm', 'session_persistence', 'loadbalancers', 'listeners', 'members'],
    ...['tls_container_ref', 'ca_tls_container_ref', 'crl_container_ref', 'tls_enabled', ...tls],
  ],
  member: [
    ...both,
    ...['address', 'protocol_port', 'weight', 'backup', 'subnet_id', 'monitor_address', 'monitor_port', 'vnic_type'],
  ],
  healthmonitor: [
    ...both,
    ...['type', 'delay', 'timeout', 'max_retries', 'max_retries_down', 'http_method', 'url_path', 'expected_codes'],
    ...['pools', 'http_version', 'domain_name'],
  ],
  l7policy: [
    ...both,
    ...['description', 'action', 'listener_id', 'redirect_pool_id', 'redirect_url', 'redirect_prefix', 'position'],
    ...['rules', 'redirect_http_code'],
  ],
  rule: [...both.filter((name) => name !== 'name'), ...['type', 'compare_type', 'key', 'value', 'invert']],
  stats: ['bytes_in', 'bytes_out', 'active_connections', 'total_connections', 'request_errors'],
};

describe('to a member of the project', () => {
  beforeAll(start);
  afterAll(stop);

  it.each(routes)('%s', async (route) => {
    const { success, root, rule } = samples[route]!;
    const persona =
      rule === 'admin' ? 'admin' : rule === 'list quotas' || rule === 'write quota' ? 'quota admin' : 'member';
    const { status, headers, body } = await ask(route, persona);
    expect([status, Object.keys(body ?? {}).filter((key) => !key.endsWith('_links'))]).toEqual([
      success,
      root === undefined ? [] : [root],
    ]);
    expect(headers['x-openstack-request-id']).toMatch(/^req-[\w-]+$/);
    const shape = shapes[root ?? ''];
    if (shape) expect(Object.keys(body[root!])).toEqual(expect.arrayContaining(shape));
    if (shape) expect(Object.values(body[root!])).not.toContain(undefined);
    const plural = shapes[root?.slice(0, -1) ?? ''];
    if (plural) expect(body[`${root}_links`]).toEqual([]);
    if (plural) for (const one of body[root!]) expect(Object.keys(one)).toEqual(expect.arrayContaining(plural));
    await plane.settle();
  });
});

describe('names', () => {
  beforeAll(start);
  afterAll(stop);
  const get = (path: string, asked?: Asked) => plane.as().ask('GET', path, undefined, asked);

  it.each(['/v2', '/v2.0'])(
    '%s has every resource with and without /lbaas, with and without a slash',
    async (version) => {
      const { id } = site.listener;
      for (const path of [`lbaas/listeners/${id}`, `listeners/${id}`, `lbaas/listeners/${id}/`, `listeners/${id}/`]) {
        const { status, body } = await get(`${version}/${path}`);
        expect([path, status, body.listener?.id]).toEqual([path, 200, id]);
      }
      for (const path of ['lbaas/pools', 'pools', 'lbaas/pools/', 'pools/']) {
        const { status, body } = await get(`${version}/${path}`);
        expect([path, status, body.pools.length]).toEqual([path, 200, 1]);
      }
      for (const path of ['', '/', '/lbaas', '/octavia']) expect((await get(`${version}${path}`)).body).toBe('v2');
    },
  );

  it('are listed by version, oldest first, up to v2.30, to anybody', async () => {
    const { status, body } = await get('/', { token: null });
    const ids = body.versions.map(({ id }: { id: string }) => id);
    expect(status).toBe(200);
    expect(ids).toEqual(Array.from({ length: 31 }, (_, minor) => `v2.${minor}`));
    const statuses = body.versions.map((one: { status: string }) => one.status);
    expect(statuses).toEqual([...Array(30).fill('SUPPORTED'), 'CURRENT']);
    expect(body.versions[0].links).toEqual([{ href: `${plane.endpoint}/v2`, rel: 'self' }]);
  });

  it.each([
    ['GET', '/v2.0/lbaas/nothing', 404],
    ['GET', '/v3', 404],
    ['GET', '/v2.0/lbaas/listeners/a/b/c', 404],
    ['PATCH', '/v2.0/lbaas/listeners', 405],
    ['PATCH', '/v2.0/lbaas/loadbalancers/some-id', 405],
    ['POST', '/v2.0/lbaas/pools/some-id', 405],
  ])('%s %s is answered with the fault of routing', async (method, path, status) => {
    const answer = await plane.as().ask(method, path);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ code: status, title: status === 404 ? 'Not Found' : 'Method Not Allowed' });
    expect(answer.headers['x-openstack-request-id']).toBeDefined();
  });

  it('an HEAD of a resource is 405', async () => {
    const path = `${plane.endpoint}/v2.0/lbaas/listeners`;
    const headers = { 'x-auth-token': (await tokenOf(plane.services)).member };
    expect((await fetch(path, { method: 'HEAD', headers })).status).toBe(405);
  });
});

describe('content', () => {
  beforeAll(start);
  afterAll(stop);

  it.each(['*/*', 'application/json', 'text/html, application/json;q=0.9', 'nonsense', ''])(
    'is JSON for who accepts "%s"',
    async (accept) => {
      const { status } = await plane.as().ask('GET', '/v2.0/lbaas/pools', undefined, { headers: { accept } });
      expect(status).toBe(200);
    },
  );

  it('of any other kind is 406', async () => {
    const { status, body } = await plane.as().ask('GET', '/v2.0/lbaas/pools', undefined, {
      headers: { accept: 'text/html' },
    });
    expect(status).toBe(406);
    expect(body).toEqual({
      code: 406,
      title: 'Not Acceptable',
      description: 'Only content type application/json is accepted.',
    });
  });

  it('sent as another kind is 415', async () => {
    const { status, body } = await plane
      .as()
      .ask('POST', '/v2.0/lbaas/pools', 'pool: 1', { headers: { 'content-type': 'text/plain' } });
    expect([status, body.faultstring]).toEqual([415, 'Unknown mimetype: text/plain']);
  });

  it.each([1_200_000, 11_000_000])('of %s bytes is 413', async (size) => {
    const body = { listener: { description: 'x'.repeat(size) } };
    expect((await plane.as().ask('POST', '/v2.0/lbaas/listeners', body)).status).toBe(413);
  });
});

describe('without a token that holds', () => {
  beforeAll(start);
  afterAll(stop);

  it.each([...routes, 'GET /v2.0', 'GET /v2.0/lbaas', 'GET /nothing'])('%s is 401', async (route) => {
    const expired = (await tokenOf(plane.services, -3600)).member;
    for (const token of [null, 'gAAAAAB-nonsense', `${(await tokenOf(plane.services)).member}x`, expired]) {
      const { status, headers, body } = await plane
        .as()
        .ask(methodOf(route), pathOf(route, site), undefined, { token });
      expect([route, status, body.error.title]).toEqual([route, 401, 'Unauthorized']);
      expect(headers['www-authenticate']).toMatch(/^Keystone uri="/);
    }
  });
});

/** Who satisfies a rule for what belongs to the project of the tests. */
const readers: Persona[] = [
  'admin',
  'member',
  'reader',
  'load balancer member',
  'load balancer observer',
  'global observer',
];
const allowed: Record<Rule, Persona[]> = {
  read: readers,
  'read own': [...readers, 'member of another project'],
  list: readers,
  'read members': [...readers, 'service'],
  write: ['admin', 'member', 'load balancer member'],
  admin: ['admin'],
  'read quota': [...readers, 'quota admin'],
  'list quotas': [...readers, 'quota admin'],
  'write quota': ['admin', 'quota admin'],
};

describe('by the default policies', () => {
  beforeAll(start);
  afterAll(stop);

  const everybody = Object.keys(personas) as Persona[];
  const snapshot = async () => ({
    tree: await readTree(plane.services.table, site.lb['id']),
    inUse: await plane.inUse(projects.own),
    vips: await plane.services.network.listVips(),
    idle: plane.queue.isIdle,
  });
  const asked = (route: string, persona: Persona) => {
    const isList = samples[route]!.rule.startsWith('list');
    const path = `${pathOf(route, site)}${isList ? `?project_id=${projects.own}` : ''}`;
    const api = plane.as(persona);
    return api.ask(methodOf(route), path, samples[route]!.body?.(site, api));
  };

  it.each(routes)('%s is forbidden to everybody else, tells nothing and changes nothing', async (route) => {
    const before = await snapshot();
    for (const persona of everybody.filter((one) => !allowed[samples[route]!.rule].includes(one))) {
      const { status, body } = await asked(route, persona);
      expect([persona, status]).toEqual([persona, 403]);
      const faultstring = 'Policy does not allow this request to be performed.';
      expect(body).toEqual({ faultcode: 'Client', faultstring, debuginfo: null });
    }
    expect(await snapshot()).toEqual(before);
  });

  it.each(routes.filter((route) => route.startsWith('GET ')))('%s is open to those who may', async (route) => {
    for (const persona of allowed[samples[route]!.rule])
      expect([persona, (await asked(route, persona)).status]).toEqual([persona, 200]);
  });

  it.each(routes.filter((route) => samples[route]!.rule === 'list'))(
    '%s shows others only what is theirs',
    async (route) => {
      const kind = samples[route]!.root!;
      const shownTo = async (persona: Persona) => (await ask(route, persona)).body[kind].length;
      expect(await shownTo('member of another project')).toBe(0);
      expect(await shownTo('member')).toBe(1);
      expect(await shownTo('admin')).toBe(1);
    },
  );

  it('a load balancer of another project is made by an administrator alone', async () => {
    const body = (persona: Persona) => plane.as(persona).loadBalancer({ tenant_id: projects.other });
    expect((await plane.as('member').post('loadbalancers', body('member'))).status).toBe(403);
    const made = await plane.as('admin').expect(201, plane.as('admin').post('loadbalancers', body('admin')));
    expect(made).toMatchObject({ project_id: projects.other, tenant_id: projects.other });
    await plane.settle();
  });
});
