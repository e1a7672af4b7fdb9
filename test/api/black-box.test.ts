// Octavia's API from outside, by nothing but its HTTP: the life of each resource, faults and lists. It runs against a control plane
// of its own, or against any deployment: see docs/octavia-parity.md.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memberAt, type OctaviaApi, type Shown } from '../support/octavia-api.ts';
import { active, gone, type OctaviaUnderTest, octaviaUnderTest } from '../support/octavia-under-test.ts';

const slow = { timeout: 900_000 };
/** Resources of this run are known by their names, whatever else the project has. */
const mark = `black-box-${randomUUID().slice(0, 8)}`;
const nowhere = '11111111-2222-4333-8444-555555555555';

let octavia: OctaviaUnderTest;
let api: OctaviaApi;
let lb: Shown;
const site: Record<string, Shown> = {};

beforeAll(async () => {
  octavia = await octaviaUnderTest();
  api = octavia.api;
  lb = await active(api, await api.createLoadBalancer({ name: mark }));
  const below = async (name: string, create: () => Promise<Shown>) => {
    site[name] = await create();
    await active(api, lb);
  };
  await below('listener', () => api.createListener(lb, { name: mark, protocol_port: 80 }));
  await below('pool', () => api.createPool({ listener_id: site['listener']!['id'] }, { name: mark }));
  await below('member', () => api.createMember(site['pool']!, memberAt(0, { name: mark })));
  await below('healthmonitor', () => api.createMonitor(site['pool']!, { name: mark }));
  await below('l7policy', () => api.createL7Policy(site['listener']!, { name: mark }));
  await below('rule', () => api.createL7Rule(site['l7policy']!));
}, slow.timeout);

afterAll(async () => {
  if (lb) {
    await active(api, lb);
    await api.delete(`loadbalancers/${lb['id']}?cascade=true`);
    await gone(api, `loadbalancers/${lb['id']}`);
  }
  await octavia?.[Symbol.asyncDispose]();
}, slow.timeout);

const collections: Record<string, () => string> = {
  listener: () => 'listeners',
  pool: () => 'pools',
  member: () => `pools/${site['pool']!['id']}/members`,
  healthmonitor: () => 'healthmonitors',
  l7policy: () => 'l7policies',
  rule: () => `l7policies/${site['l7policy']!['id']}/rules`,
};
const children = Object.keys(collections);
const pathOf = (name: string): string => `${collections[name]!()}/${site[name]!['id']}`;

describe('a load balancer', () => {
  it('is shown with the VIP it was given, ACTIVE', async () => {
    const shown = await api.show(`loadbalancers/${lb['id']}`);
    expect(shown).toMatchObject({
      name: mark,
      provisioning_status: 'ACTIVE',
      admin_state_up: true,
      provider: 'amphora',
    });
    expect(shown['vip_address']).toMatch(/^[\d.]+$|:/);
    expect(shown['tenant_id']).toBe(shown['project_id']);
  });

  it('knows its listeners and pools by id', async () => {
    const shown = await api.show(`loadbalancers/${lb['id']}`);
    expect(shown['listeners']).toEqual([{ id: site['listener']!['id'] }]);
    expect(shown['pools']).toEqual([{ id: site['pool']!['id'] }]);
  });

  it('is renamed, and null makes its name empty', slow, async () => {
    const rename = async (name: string | null) => {
      const { status, body } = await api.put(`loadbalancers/${lb['id']}`, { loadbalancer: { name } });
      await active(api, lb);
      return [status, body.loadbalancer.name];
    };
    expect(await rename(null)).toEqual([200, '']);
    expect(await rename(mark)).toEqual([200, mark]);
  });

  it('shows its tree of statuses under either name', async () => {
    for (const name of ['status', 'statuses']) {
      const { loadbalancer } = await api.show(`loadbalancers/${lb['id']}/${name}`);
      expect(loadbalancer.listeners[0].pools[0]).toMatchObject({
        id: site['pool']!['id'],
        health_monitor: { id: site['healthmonitor']!['id'], type: 'HTTP' },
        members: [{ id: site['member']!['id'], protocol_port: 8080 }],
      });
    }
  });

  it.each([
    ['a load balancer', () => `loadbalancers/${lb['id']}`],
    ['a listener', () => pathOf('listener')],
  ])('has statistics as numbers, of %s', async (_what, path) => {
    const stats = await api.show(`${path()}/stats`);
    const names = ['active_connections', 'bytes_in', 'bytes_out', 'request_errors', 'total_connections'];
    expect(Object.keys(stats).toSorted()).toEqual(names);
    expect(Object.values(stats).every(Number.isInteger)).toBe(true);
  });

  it('with children is deleted by cascade alone', async () => {
    const { status, body } = await api.delete(`loadbalancers/${lb['id']}`);
    const faultstring = `Validation failure: Cannot delete Load Balancer ${lb['id']} - it has children`;
    expect([status, body.faultstring]).toEqual([400, faultstring]);
  });

  it('is created with everything below it in one call, shown in full, and deleted with it', slow, async () => {
    const pool = {
      name: 'web',
      protocol: 'HTTP',
      lb_algorithm: 'ROUND_ROBIN',
      members: [memberAt(1)],
      healthmonitor: { type: 'HTTP', delay: 5, timeout: 3, max_retries: 2 },
    };
    const listeners = [{ name: 'web', protocol: 'HTTP', protocol_port: 80, default_pool: { name: 'web' } }];
    const whole = await api.createLoadBalancer({ name: `${mark}-whole`, listeners, pools: [pool] });
    expect(whole['pools'][0].members[0]).toMatchObject({ address: '198.51.100.2', weight: 1 });
    expect(whole['pools'][0].healthmonitor).toMatchObject({ type: 'HTTP', http_method: 'GET', url_path: '/' });
    await active(api, whole);
    expect((await api.delete(`loadbalancers/${whole['id']}?cascade=true`)).status).toBe(204);
    await gone(api, `loadbalancers/${whole['id']}`);
    expect((await api.get(`listeners/${whole['listeners'][0].id}`)).status).toBe(404);
  });
});

describe('each child', () => {
  it.each(children)('%s is ACTIVE, of the project of its load balancer', async (name) => {
    const shown = await api.show(pathOf(name));
    expect(shown).toMatchObject({ provisioning_status: 'ACTIVE', project_id: lb['project_id'], id: site[name]!['id'] });
    expect(shown['created_at']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?$/);
  });

  it.each(children)('%s is in its list', async (name) => {
    const { status, body } = await api.get(`${collections[name]!()}?id=${site[name]!['id']}`);
    const [plural] = Object.keys(body).filter((key) => !key.endsWith('_links'));
    expect([status, body[plural!].map((one: Shown) => one['id'])]).toEqual([200, [site[name]!['id']]]);
  });

  it.each<[string, Record<string, unknown>]>([
    ['listener', { connection_limit: 77, tags: ['a'] }],
    ['pool', { lb_algorithm: 'LEAST_CONNECTIONS', description: 'changed' }],
    ['member', { weight: 7, backup: true }],
    ['healthmonitor', { delay: 9, url_path: '/healthy' }],
    ['l7policy', { action: 'REDIRECT_TO_URL', redirect_url: 'http://www.example.com/' }],
    ['rule', { value: '/changed', invert: true }],
  ])('%s is changed to %j and ACTIVE again', slow, async (name, change) => {
    const { status, body } = await api.put(pathOf(name), { [name]: change });
    expect([status, body[name]]).toEqual([200, expect.objectContaining(change)]);
    await active(api, lb);
    const shown = await api.show(pathOf(name));
    expect(shown).toMatchObject({ ...change, provisioning_status: 'ACTIVE' });
    expect(shown['updated_at']).not.toBeNull();
  });

  it('is deleted, innermost first', slow, async () => {
    const port = 8443;
    const listener = await api.createListener(lb, { protocol_port: port });
    await active(api, lb);
    const pool = await api.createPool({ listener_id: listener['id'] });
    await active(api, lb);
    const member = await api.createMember(pool, memberAt(5));
    await active(api, lb);
    for (const path of [
      `pools/${pool['id']}/members/${member['id']}`,
      `pools/${pool['id']}`,
      `listeners/${listener['id']}`,
    ]) {
      expect([path, (await api.delete(path)).status]).toEqual([path, 204]);
      await gone(api, path);
      await active(api, lb);
    }
  });
});

describe('a batch of members', () => {
  const put = async (members: object[], query = '') => {
    const { status } = await api.put(`pools/${site['pool']!['id']}/members${query}`, { members });
    await active(api, lb);
    return status;
  };
  const addresses = async () => (await api.membersOf(site['pool']!)).map((one) => one['address']).toSorted();

  it('that is additive adds, and one that is not replaces', slow, async () => {
    expect(await put([memberAt(2)], '?additive_only=true')).toBe(202);
    expect(await addresses()).toEqual(['198.51.100.1', '198.51.100.3']);
    expect(await put([memberAt(0)])).toBe(202);
    expect(await addresses()).toEqual(['198.51.100.1']);
  });
});

describe('L7 policies', () => {
  it('are numbered without holes', slow, async () => {
    const first = await api.createL7Policy(site['listener']!, { name: 'first', position: 1 });
    await active(api, lb);
    const positions = async () => {
      const { body } = await api.get(`l7policies?listener_id=${site['listener']!['id']}&sort=position`);
      return body.l7policies.map((one: Shown) => [one['position'], one['id']]);
    };
    expect(await positions()).toEqual([
      [1, first['id']],
      [2, site['l7policy']!['id']],
    ]);
    await api.delete(`l7policies/${first['id']}`);
    await gone(api, `l7policies/${first['id']}`);
    await active(api, lb);
    expect(await positions()).toEqual([[1, site['l7policy']!['id']]]);
  });
});

const client = (faultstring: string) => ({ faultcode: 'Client', faultstring, debuginfo: null });

describe('a fault', () => {
  it.each<[string, () => [string, string, unknown?], number, string]>([
    ['no VIP', () => ['POST', 'loadbalancers', { loadbalancer: {} }], 400, 'VIP must contain one of'],
    ['an unknown attribute', () => ['PUT', pathOf('pool'), { pool: { colour: 1 } }], 400, 'Unknown attribute'],
    ['an immutable attribute', () => ['PUT', pathOf('listener'), { listener: { protocol: 'TCP' } }], 400, 'protocol'],
    ['a value out of range', () => ['PUT', pathOf('member'), { member: { weight: 257 } }], 400, 'weight'],
    ['a port that is taken', () => ['POST', 'listeners', twin()], 409, 'is already using protocol HTTP and'],
    [
      'an address that is taken',
      () => ['POST', collections['member']!(), { member: memberAt(0) }],
      409,
      'is already using ip',
    ],
    [
      'a second health monitor',
      () => ['POST', 'healthmonitors', second()],
      409,
      'This pool already has a health monitor',
    ],
    ['an unknown listener', () => ['GET', `listeners/${nowhere}`], 404, `Listener ${nowhere} not found.`],
    ['a filter that is none', () => ['GET', 'pools?colour=red'], 400, 'either duplicate or invalid'],
    ['a failover by a member', () => ['PUT', `loadbalancers/${lb['id']}/failover`], 403, 'Policy does not allow'],
  ])('of %s is in the words of the API', async (_what, call, status, words) => {
    const [method, path, body] = call();
    const answer = await api.ask(method, `/v2.0/lbaas/${path}`, body);
    expect([answer.status, answer.body]).toEqual([status, client(answer.body.faultstring)]);
    expect(answer.body.faultstring).toContain(words);
  });
  const twin = () => ({ listener: { loadbalancer_id: lb['id'], protocol: 'HTTP', protocol_port: 80 } });
  const second = () => ({
    healthmonitor: { pool_id: site['pool']!['id'], type: 'TCP', delay: 1, timeout: 1, max_retries: 1 },
  });

  it('of a path nobody has is in the words of routing', async () => {
    const { status, body } = await api.get('nothing');
    expect([status, body]).toMatchObject([404, { code: 404, title: 'Not Found' }]);
  });

  it('of a caller without a token is 401', async () => {
    const { status, headers } = await api.ask('GET', '/v2.0/lbaas/pools', undefined, { token: null });
    expect([status, headers['www-authenticate']]).toEqual([401, expect.stringMatching(/^Keystone uri=/)]);
  });
});

describe('a list', () => {
  beforeAll(async () => {
    for (const [index, name] of ['b', 'a', 'c'].entries()) {
      await api.createPool({ loadbalancer_id: lb['id'] }, { name, tags: [mark, `tag-${index}`] });
      await active(api, lb);
    }
  }, slow.timeout);

  const names = async (query: string): Promise<string> =>
    (await api.get(`pools?tags=${mark}&${query}`)).body.pools.map((one: Shown) => one['name']).join('');

  it.each([
    ['sort=name', 'abc'],
    ['sort=name:desc', 'cba'],
    ['sort_key=name&sort_dir=desc', 'cba'],
    ['name=a', 'a'],
    ['tags-any=tag-0,tag-2&sort=name', 'bc'],
    ['not-tags=tag-0&sort=name', 'ac'],
    ['sort=name&limit=2', 'ab'],
  ])('by %s is %s', async (query, expected) => expect(await names(query)).toBe(expected));

  it('goes on behind a marker and links to its next page', async () => {
    const { body } = await api.get(`pools?tags=${mark}&sort=name&limit=1`);
    expect(body.pools_links.map((one: Shown) => one['rel'])).toContain('next');
    expect(await names(`sort=name&marker=${body.pools[0].id}`)).toBe('bc');
  });

  it('shows only the fields that are asked for', async () => {
    const { body } = await api.get(`pools?tags=${mark}&name=a&fields=name&fields=protocol`);
    expect(body.pools).toEqual([{ name: 'a', protocol: 'HTTP' }]);
  });
});

describe('a deployment', () => {
  it('lists its versions to anybody', async () => {
    const { body } = await api.ask('GET', '/', undefined, { token: null });
    expect(body.versions.map((one: Shown) => one['id'])).toContain('v2.0');
  });

  it('names its providers', async () => {
    const { body } = await api.get('providers');
    expect(body.providers.map((one: Shown) => one['name'])).toContain('amphora');
  });

  it('shows the quota of the project and its defaults in both spellings', async () => {
    for (const path of [`quotas/${lb['project_id']}`, `quotas/${lb['project_id']}/default`]) {
      const quota = await api.show(path);
      expect(quota['loadbalancer']).toBe(quota['load_balancer']);
      expect(quota['healthmonitor']).toBe(quota['health_monitor']);
    }
  });
});
