// What the API refuses: each with Octavia's status and fault, and the row as it was.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ControlPlane } from '../support/control-plane.ts';
import { memberAt, type OctaviaApi, type Shown } from '../support/octavia-api.ts';
import { createSite, type Site } from '../support/route-samples.ts';

let plane: ControlPlane;
let api: OctaviaApi;
let site: Site;
beforeAll(async () => {
  plane = await ControlPlane.start();
  api = plane.as();
  site = await createSite(api);
  await plane.settle();
});
afterAll(() => plane[Symbol.asyncDispose]());

const nowhere = '11111111-2222-4333-8444-555555555555';
const long = 'x'.repeat(256);

/** A resource as the API writes of it. */
interface Kind {
  root: string;
  argument: string;
  collection: () => string;
  path: () => string;
  create: () => object;
}
const kinds: Record<string, Kind> = {
  'load balancer': {
    root: 'loadbalancer',
    argument: 'load_balancer',
    collection: () => 'loadbalancers',
    path: () => `loadbalancers/${site.lb['id']}`,
    create: () => api.loadBalancer().loadbalancer,
  },
  listener: {
    root: 'listener',
    argument: 'listener_',
    collection: () => 'listeners',
    path: () => `listeners/${site.listener['id']}`,
    create: () => ({ loadbalancer_id: site.lb['id'], protocol: 'TCP', protocol_port: 4242 }),
  },
  pool: {
    root: 'pool',
    argument: 'pool_',
    collection: () => 'pools',
    path: () => `pools/${site.pool['id']}`,
    create: () => ({ loadbalancer_id: site.lb['id'], protocol: 'TCP', lb_algorithm: 'ROUND_ROBIN' }),
  },
  member: {
    root: 'member',
    argument: 'member_',
    collection: () => `pools/${site.pool['id']}/members`,
    path: () => `pools/${site.pool['id']}/members/${site.member['id']}`,
    create: () => memberAt(42),
  },
  'health monitor': {
    root: 'healthmonitor',
    argument: 'health_monitor_',
    collection: () => 'healthmonitors',
    path: () => `healthmonitors/${site.monitor['id']}`,
    create: () => ({ pool_id: site.pool['id'], type: 'TCP', delay: 1, timeout: 1, max_retries: 1 }),
  },
};

/** Nothing was accepted: no row is other than it was, no quota taken, no work asked for. */
async function unchanged(kind: Kind, refused: () => Promise<{ status: number; body: Shown }>) {
  const look = async () => [await api.show(kind.path()), (await api.get(kind.collection())).body];
  const before = await look();
  const answer = await refused();
  expect(await look()).toEqual(before);
  return answer;
}
const fault = (status: number, faultstring: string) => ({
  status,
  body: { faultcode: 'Client', faultstring, debuginfo: null },
});

describe.each(Object.entries(kinds))('a %s', (_name, kind) => {
  const notJson = 'Request is not in valid JSON format';

  it.each(['{', '', '[]', 'null', '"text"', '17'])('whose body is %s is refused', async (text) => {
    for (const [method, path] of [['POST', kind.collection()] as const, ['PUT', kind.path()] as const]) {
      const answer = await unchanged(kind, () => api.ask(method, `/v2.0/lbaas/${path}`, text));
      expect(answer).toMatchObject(fault(400, notJson));
    }
  });

  it('without its root key, or with another beside it, is refused', async () => {
    expect((await api.post(kind.collection(), {})).body.faultstring).toBe(`Missing argument: "${kind.root}"`);
    expect((await api.post(kind.collection(), { [kind.root]: kind.create(), more: 1 })).body.faultstring).toBe(
      'Unknown argument: "more"',
    );
    for (const wrong of ['text', 5, [], null, true])
      expect((await api.post(kind.collection(), { [kind.root]: wrong })).status).toBe(400);
  });

  it('with unknown attributes is refused, one or several', async () => {
    const unknown = (noun: string, names: string) =>
      fault(400, `Unknown ${noun} for argument ${kind.argument}.${kind.root}: ${names}`);
    const post = (more: object) => api.post(kind.collection(), { [kind.root]: { ...kind.create(), ...more } });
    expect(await unchanged(kind, () => post({ colour: 1 }))).toMatchObject(unknown('attribute', 'colour'));
    expect(await post({ colour: 1, toString: 2 })).toMatchObject(unknown('attributes', 'colour, toString'));
    const put = (body: object) => unchanged(kind, () => api.put(kind.path(), { [kind.root]: body }));
    expect(await put({ colour: 1 })).toMatchObject(unknown('attribute', 'colour'));
    expect(await put({ id: nowhere, project_id: 'x' })).toMatchObject(unknown('attributes', 'id, project_id'));
  });

  it('with more tags than a row can hold is refused', async () => {
    const tags = Array.from({ length: 129 }, (_, number) => `${number}${'界'.repeat(250)}`);
    const body = { [kind.root]: { ...kind.create(), tags } };
    const answer = await unchanged(kind, () => api.post(kind.collection(), body));
    expect(answer.body.faultstring).toMatch(/^Invalid input for field\/attribute tags\. .*128/);
    const changed = { [kind.root]: { tags: tags.slice(1) } };
    await api.expect(200, api.put(kind.path(), changed));
    await api.expect(200, api.put(kind.path(), { [kind.root]: { tags: [] } }));
    await plane.settle();
  });

  it('that nobody knows is not found', async () => {
    for (const id of [nowhere, 'no-uuid', '%00']) {
      const path = `${kind.collection()}/${id}`;
      const body = { [kind.root]: { name: 'x' } };
      for (const answer of [await api.get(path), await api.put(path, body), await api.delete(path)]) {
        expect(answer.status).toBe(404);
        expect(answer.body.faultstring).toMatch(/ not found\.$/);
      }
    }
  });

  it('is reset by null where there is a default', async () => {
    await api.expect(200, api.put(kind.path(), { [kind.root]: { name: 'named', tags: ['b', 'a'] } }));
    const shown = await api.expect(200, api.put(kind.path(), { [kind.root]: { name: null, tags: null } }));
    expect(shown).toMatchObject({ name: '', tags: [] });
    const off = await api.expect(200, api.put(kind.path(), { [kind.root]: { admin_state_up: null } }));
    expect(off['admin_state_up']).toBe(false);
    await api.expect(200, api.put(kind.path(), { [kind.root]: { admin_state_up: true } }));
    await plane.settle();
  });
});

const invalid = (name: string, value: string, reason: string) =>
  `Invalid input for field/attribute ${name}. Value: '${value}'. ${reason}`;
const tooLong = 'Value should have a maximum character requirement of 255';
type Wrong = [kind: string, name: string, value: unknown, fault: string];

describe('an attribute', () => {
  it.each<Wrong>([
    ['load balancer', 'name', 5, invalid('name', '5', 'Value should be string')],
    ['load balancer', 'name', long, invalid('name', long.slice(1), tooLong)],
    [
      'load balancer',
      'admin_state_up',
      'perhaps',
      invalid('admin_state_up', 'perhaps', 'Value not an unambiguous boolean'),
    ],
    [
      'load balancer',
      'admin_state_up',
      { toString: 1 },
      invalid('admin_state_up', '{"toString":1}', 'Value not an unambiguous boolean'),
    ],
    ['load balancer', 'tags', 'web', invalid('tags', 'web', 'Value should be a list')],
    ['load balancer', 'tags', [long], invalid('tags', `["${long}"]`.slice(0, 255), tooLong)],
    ['listener', 'connection_limit', -2, invalid('connection_limit', '-2', 'Value should be greater or equal to -1')],
    [
      'listener',
      'timeout_client_data',
      2_073_600_001,
      invalid('timeout_client_data', '2073600001', 'Value should be lower or equal to 2073600000'),
    ],
    ['listener', 'timeout_client_data', 'soon', invalid('timeout_client_data', 'soon', 'Value should be an integer')],
    ['listener', 'default_pool_id', 'pool', invalid('default_pool_id', 'pool', 'Value should be UUID format')],
    [
      'pool',
      'lb_algorithm',
      'RANDOM',
      invalid(
        'lb_algorithm',
        'RANDOM',
        'Value should be one of: ROUND_ROBIN, LEAST_CONNECTIONS, SOURCE_IP, SOURCE_IP_PORT',
      ),
    ],
    ['pool', 'lb_algorithm', null, invalid('lb_algorithm', 'None', 'Value is required and cannot be null')],
    ['member', 'weight', 257, invalid('weight', '257', 'Value should be lower or equal to 256')],
    ['member', 'weight', -1, invalid('weight', '-1', 'Value should be greater or equal to 0')],
    ['member', 'backup', [true], invalid('backup', '[true]', 'Value not an unambiguous boolean')],
    ['member', 'monitor_port', 65_536, invalid('monitor_port', '65536', 'Value should be lower or equal to 65535')],
    ['member', 'monitor_address', 'here', invalid('monitor_address', 'here', 'Value should be IPv4 or IPv6 format')],
    ['health monitor', 'delay', null, invalid('delay', 'None', 'Value is required and cannot be null')],
    ['health monitor', 'max_retries', 0, invalid('max_retries', '0', 'Value should be greater or equal to 1')],
    [
      'health monitor',
      'max_retries_down',
      11,
      invalid('max_retries_down', '11', 'Value should be lower or equal to 10'),
    ],
    [
      'health monitor',
      'url_path',
      'http://a/b',
      invalid('url_path', 'http://a/b', 'Value must be a valid URL Path string'),
    ],
    ['health monitor', 'http_version', 2, invalid('http_version', '2', 'Value should be one of: 1, 1.1')],
    [
      'health monitor',
      'domain_name',
      'example.org',
      "Validation failure: 'http_version' must be specified when 'domain_name' is provided.",
    ],
  ])('of a %s is refused: %s = %j', async (name, attribute, value, faultstring) => {
    const kind = kinds[name]!;
    const put = () => api.put(kind.path(), { [kind.root]: { [attribute]: value } });
    expect(await unchanged(kind, put)).toMatchObject(fault(400, faultstring));
  });

  it.each<[string, string, unknown]>([
    ['load balancer', 'vip_address', '198.18.0.9'],
    ['load balancer', 'vip_subnet_id', nowhere],
    ['load balancer', 'provider', 'amphora'],
    ['listener', 'protocol', 'TCP'],
    ['listener', 'protocol_port', 81],
    ['listener', 'loadbalancer_id', nowhere],
    ['pool', 'protocol', 'TCP'],
    ['pool', 'listener_id', nowhere],
    ['member', 'address', '192.0.2.9'],
    ['member', 'protocol_port', 81],
    ['member', 'subnet_id', nowhere],
    ['health monitor', 'type', 'TCP'],
    ['health monitor', 'pool_id', nowhere],
  ])('of a %s is immutable: %s', async (name, attribute, value) => {
    const kind = kinds[name]!;
    const put = () => api.put(kind.path(), { [kind.root]: { [attribute]: value, name: 'x' } });
    const faultstring = `Unknown attribute for argument ${kind.argument}.${kind.root}: ${attribute}`;
    expect(await unchanged(kind, put)).toMatchObject(fault(400, faultstring));
  });

  it.each<[string, string]>([
    ['listener', 'loadbalancer_id'],
    ['listener', 'protocol'],
    ['listener', 'protocol_port'],
    ['pool', 'protocol'],
    ['pool', 'lb_algorithm'],
    ['member', 'address'],
    ['member', 'protocol_port'],
    ['health monitor', 'pool_id'],
    ['health monitor', 'type'],
    ['health monitor', 'delay'],
    ['health monitor', 'timeout'],
    ['health monitor', 'max_retries'],
  ])('of a %s is mandatory: %s', async (name, attribute) => {
    const kind = kinds[name]!;
    const body = { [kind.root]: { ...kind.create(), [attribute]: null } };
    const faultstring = invalid(attribute, 'None', 'Mandatory field missing.');
    expect(await unchanged(kind, () => api.post(kind.collection(), body))).toMatchObject(fault(400, faultstring));
  });

  it('may come in the spellings Octavia takes', async () => {
    const { path } = kinds['listener']!;
    const listener = {
      connection_limit: '17',
      admin_state_up: 'yes',
      default_pool_id: site.pool['id'].toUpperCase().replaceAll('-', ''),
    };
    const shown = await api.expect(200, api.put(path(), { listener }));
    expect(shown).toMatchObject({ connection_limit: 17, admin_state_up: true, default_pool_id: site.pool['id'] });
    const monitor = { http_version: '1.1', domain_name: 'example.org' };
    const changed = await api.expect(200, api.put(kinds['health monitor']!.path(), { healthmonitor: monitor }));
    expect(changed).toMatchObject({ http_version: 1.1, domain_name: 'example.org' });
    await plane.settle();
  });
});

describe('what does not fit together is refused', () => {
  it.each<[string, string, object, number, string]>([
    [
      'load balancer without a VIP',
      'load balancer',
      { vip_subnet_id: null },
      400,
      'Validation failure: VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.',
    ],
    [
      'load balancer of an unknown subnet',
      'load balancer',
      { vip_subnet_id: nowhere },
      400,
      `Subnet ${nowhere} not found.`,
    ],
    ['load balancer of an unknown provider', 'load balancer', { provider: 'f5' }, 400, "Provider 'f5' is not enabled."],
    [
      'listener of an unknown load balancer',
      'listener',
      { loadbalancer_id: nowhere },
      404,
      `Load Balancer ${nowhere} not found.`,
    ],
    ['listener with an unknown pool', 'listener', { default_pool_id: nowhere }, 404, `Pool ${nowhere} not found.`],
    [
      'pool of an unknown listener',
      'pool',
      { loadbalancer_id: null, listener_id: nowhere },
      404,
      `Listener ${nowhere} not found.`,
    ],
    [
      'pool of nobody',
      'pool',
      { loadbalancer_id: null },
      400,
      'Validation failure: Must provide at least one of: loadbalancer_id, listener_id',
    ],
    ['member in an unknown subnet', 'member', { subnet_id: nowhere }, 400, `Subnet ${nowhere} not found.`],
    [
      'member at the metadata service',
      'member',
      { address: '169.254.169.254' },
      400,
      '169.254.169.254 is not a valid option for member address',
    ],
    ['health monitor of an unknown pool', 'health monitor', { pool_id: nowhere }, 404, `Pool ${nowhere} not found.`],
    [
      'health monitor by TCP with a path',
      'health monitor',
      { url_path: '/x' },
      400,
      'url_path is not a valid option for health monitors of type TCP',
    ],
  ])('a %s', async (_what, name, more, status, faultstring) => {
    const kind = kinds[name]!;
    const body = { [kind.root]: { ...kind.create(), ...more } };
    expect(await unchanged(kind, () => api.post(kind.collection(), body))).toMatchObject(fault(status, faultstring));
  });

  it('members of an unknown pool, in the words of routing', async () => {
    for (const answer of [
      await api.get(`pools/${nowhere}/members`),
      await api.post(`pools/${nowhere}/members`, { member: memberAt(1) }),
      await api.put(`pools/${nowhere}/members`, { members: [] }),
      await api.get(`pools/${nowhere}/members/${site.member['id']}`),
    ])
      expect(answer).toMatchObject({ status: 404, body: { code: 404, description: `Pool ${nowhere} not found.` } });
  });

  it('a pool of another load balancer as a default pool', async () => {
    const other = await api.createLoadBalancer();
    const foreign = await api.createPool({ loadbalancer_id: other['id'] });
    const answer = await api.put(kinds['listener']!.path(), { listener: { default_pool_id: foreign['id'] } });
    expect(answer).toMatchObject(fault(404, `Pool ${foreign['id']} not found.`));
    await plane.settle();
  });
});

describe('with conflict_policy strict', () => {
  it('a busy load balancer takes no writes, as in Octavia', async () => {
    await using strict = await ControlPlane.start({ config: { conflict_policy: 'strict' } });
    const own = strict.as();
    strict.queue.isHeld = true;
    const lb = await own.createLoadBalancer();
    const listener = { loadbalancer_id: lb['id'], protocol: 'TCP', protocol_port: 1 };
    const immutable = fault(409, `Load Balancer ${lb['id']} is immutable and cannot be updated.`);
    const busy = fault(409, `Invalid state PENDING_CREATE of loadbalancer resource ${lb['id']}`);
    expect(await own.post('listeners', { listener })).toMatchObject(immutable);
    expect(await own.put(`loadbalancers/${lb['id']}`, { loadbalancer: { name: 'x' } })).toMatchObject(busy);
    expect(await own.delete(`loadbalancers/${lb['id']}`)).toMatchObject(busy);
    expect(await strict.as('admin').put(`loadbalancers/${lb['id']}/failover`)).toMatchObject(busy);
    strict.queue.release();
    await strict.settle();
    expect((await own.post('listeners', { listener })).status).toBe(201);
    await strict.settle();
  });
});
