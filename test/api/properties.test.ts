// Whatever a client sends is answered: never with a 500, and what is accepted reads back as it was sent.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ControlPlane } from '../support/control-plane.ts';
import type { Answer } from '../support/http.ts';
import type { OctaviaApi, Shown } from '../support/octavia-api.ts';

let plane: ControlPlane;
let api: OctaviaApi;
let lb: Shown;
let pool: Shown;
let policy: Shown;
let listener: Shown;
let flavorProfile: Shown;

beforeAll(async () => {
  plane = await ControlPlane.start();
  api = plane.as();
  lb = await api.createLoadBalancer();
  pool = await api.createPool({ loadbalancer_id: lb['id'] });
  listener = await api.createListener(lb);
  policy = await api.createL7Policy(listener);
  const profile = { name: 'profile', provider_name: 'amphora', flavor_data: '{}' };
  flavorProfile = await api.expect(201, plane.as('admin').post('flavorprofiles', { flavorprofile: profile }));
  await plane.settle();
  // Judged and written is what this is about; what becomes of it is proved elsewhere.
  plane.queue.isHeld = true;
});
afterAll(() => plane[Symbol.asyncDispose]());

const runs = { numRuns: 300 };
const nowhere = '11111111-2222-4333-8444-555555555555';

/** Anything JSON can say, and things that are nearly right. */
const anything = fc.oneof(
  { weight: 3, arbitrary: fc.jsonValue() },
  fc.constantFrom<unknown>(
    null,
    '',
    ' ',
    0,
    -1,
    1.5,
    1e21,
    65_536,
    true,
    'true',
    [],
    {},
    '__proto__',
    '\u0000',
    '\ud800',
  ),
  fc.constantFrom<unknown>({ toString: 1 }, { valueOf: null, toString: null }, [[]], ['x'.repeat(300)], nowhere),
);

const text = fc.string({ unit: 'grapheme', maxLength: 60 });
const tags = fc.array(fc.string({ unit: 'grapheme', maxLength: 20 }), { maxLength: 5 });
const port = fc.integer({ min: 1, max: 65_535 });
const address = fc.oneof(fc.ipV4(), fc.ipV6());
const common = { name: text, tags, admin_state_up: fc.boolean() };
const described = { ...common, description: text };
const timeout = fc.integer({ min: 0, max: 2_073_600_000 });
const tls = {
  tls_ciphers: fc.constantFrom('AES128-SHA', 'ECDHE-RSA-AES128-GCM-SHA256:!aNULL'),
  tls_versions: fc.subarray(['TLSv1.1', 'TLSv1.2', 'TLSv1.3'], { minLength: 1 }),
  alpn_protocols: fc.subarray(['h2', 'http/1.1', 'http/1.0'], { minLength: 1 }),
};
const sourceIp = { type: 'SOURCE_IP', cookie_name: null, persistence_timeout: null, persistence_granularity: null };

/** A resource: where it is written to, what it needs, and what it may have. */
interface Kind {
  root: string;
  collection: () => string;
  needed: () => Record<string, fc.Arbitrary<unknown>>;
  optional: Record<string, fc.Arbitrary<unknown>>;
  /** Given at creation only. */
  immutable: string[];
  /** Only administrators make it. */
  isAdministrators?: true;
}

const askerOf = (kind: Kind): OctaviaApi => (kind.isAdministrators ? plane.as('admin') : api);

const kinds: Record<string, Kind> = {
  'load balancer': {
    root: 'loadbalancer',
    collection: () => 'loadbalancers',
    needed: () => ({ vip_subnet_id: fc.constant(lb['vip_subnet_id']) }),
    optional: { ...described, listeners: fc.constant([]), pools: fc.constant([]) },
    immutable: ['vip_subnet_id', 'listeners', 'pools'],
  },
  listener: {
    root: 'listener',
    collection: () => 'listeners',
    needed: () => ({
      loadbalancer_id: fc.constant(lb['id']),
      protocol: fc.constantFrom('HTTP', 'TCP', 'HTTPS'),
      protocol_port: port,
    }),
    optional: {
      ...described,
      connection_limit: fc.integer({ min: -1, max: 100_000 }),
      timeout_client_data: timeout,
      timeout_member_connect: timeout,
      timeout_member_data: timeout,
      timeout_tcp_inspect: timeout,
      ...tls,
      allowed_cidrs: fc.constantFrom(['10.0.0.0/8'], ['0.0.0.0/0', '192.0.2.1/32']),
    },
    immutable: ['loadbalancer_id', 'protocol', 'protocol_port'],
  },
  pool: {
    root: 'pool',
    collection: () => 'pools',
    needed: () => ({
      loadbalancer_id: fc.constant(lb['id']),
      protocol: fc.constantFrom('HTTP', 'TCP', 'HTTPS', 'PROXY', 'PROXYV2'),
      lb_algorithm: fc.constantFrom('ROUND_ROBIN', 'LEAST_CONNECTIONS', 'SOURCE_IP'),
    }),
    optional: { ...described, ...tls, tls_enabled: fc.boolean(), session_persistence: fc.constantFrom(null, sourceIp) },
    immutable: ['loadbalancer_id', 'protocol'],
  },
  member: {
    root: 'member',
    collection: () => `pools/${pool['id']}/members`,
    needed: () => ({ address, protocol_port: port }),
    optional: {
      ...common,
      weight: fc.integer({ min: 0, max: 256 }),
      backup: fc.boolean(),
      monitor_port: port,
      monitor_address: address,
    },
    immutable: ['address', 'protocol_port'],
  },
  'health monitor': {
    root: 'healthmonitor',
    collection: () => 'healthmonitors',
    needed: () => ({
      pool_id: fc.constant(pool['id']),
      type: fc.constantFrom('HTTP', 'HTTPS'),
      delay: fc.integer({ min: 0, max: 10_000 }),
      timeout: fc.integer({ min: 0, max: 10_000 }),
      max_retries: fc.integer({ min: 1, max: 10 }),
    }),
    optional: {
      ...common,
      max_retries_down: fc.integer({ min: 1, max: 10 }),
      http_method: fc.constantFrom('GET', 'HEAD', 'POST', 'OPTIONS'),
      url_path: fc.webPath().map((path) => `/a${path}`.slice(0, 255)),
      expected_codes: fc.constantFrom('200', '200,201', '200-299'),
      http_version: fc.constantFrom(1.0, 1.1),
    },
    immutable: ['pool_id', 'type'],
  },
  'L7 policy': {
    root: 'l7policy',
    collection: () => 'l7policies',
    needed: () => ({
      listener_id: fc.constant(listener['id']),
      action: fc.constant('REDIRECT_TO_URL'),
      redirect_url: fc.constantFrom('https://www.example.com/', 'http://example.com/a?b=%20c'),
    }),
    optional: { ...described, redirect_http_code: fc.constantFrom(301, 302, 303, 307, 308) },
    immutable: ['listener_id'],
  },
  'L7 rule': {
    root: 'rule',
    collection: () => `l7policies/${policy['id']}/rules`,
    needed: () => ({
      type: fc.constantFrom('PATH', 'HOST_NAME'),
      compare_type: fc.constantFrom('STARTS_WITH', 'ENDS_WITH', 'CONTAINS', 'EQUAL_TO'),
      value: fc.stringMatching(/^[!-~]{1,60}$/).filter((value) => !value.startsWith('"')),
    }),
    optional: { tags, admin_state_up: fc.boolean(), invert: fc.boolean() },
    immutable: ['nothing'],
  },
  'flavor profile': {
    root: 'flavorprofile',
    collection: () => 'flavorprofiles',
    needed: () => ({
      name: fc.uuid(),
      provider_name: fc.constant('amphora'),
      flavor_data: fc.constantFrom('{}', '{"loadbalancer_topology": "ACTIVE_STANDBY"}'),
    }),
    optional: {},
    immutable: ['id'],
    isAdministrators: true,
  },
  flavor: {
    root: 'flavor',
    collection: () => 'flavors',
    needed: () => ({ name: fc.uuid(), flavor_profile_id: fc.constant(flavorProfile['id']) }),
    optional: { description: text, enabled: fc.boolean() },
    immutable: ['flavor_profile_id'],
    isAdministrators: true,
  },
  'availability zone profile': {
    root: 'availability_zone_profile',
    collection: () => 'availabilityzoneprofiles',
    needed: () => ({
      name: fc.uuid(),
      provider_name: fc.constant('amphora'),
      availability_zone_data: fc.constantFrom('{}', '{"compute_zone": "nova"}'),
    }),
    optional: {},
    immutable: ['id'],
    isAdministrators: true,
  },
};

/** Rows a test makes are taken away, or the thousandth run would be about something else than the first. */
async function discard(kind: Kind, answer: Answer): Promise<void> {
  if (answer.status !== 201) return;
  const { id } = answer.body[kind.root];
  const cascade = kind.root === 'loadbalancer' ? '?cascade=true' : '';
  expect((await askerOf(kind).delete(`${kind.collection()}/${id}${cascade}`)).status).toBe(204);
}

/** What is shown of what was sent; tags are a set. */
const shownAs = (shown: Shown, sent: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.keys(sent).map((name) => [name, shown[name]]));

describe.each(Object.entries(kinds))('a %s', (_name, kind) => {
  const wrong = () =>
    fc
      .tuple(
        fc.record(kind.needed()),
        fc.dictionary(fc.constantFrom(...Object.keys({ ...kind.needed(), ...kind.optional, ...extra })), anything, {
          maxKeys: 4,
        }),
      )
      .map(([right, given]) => ({ ...right, ...given }));
  /** Attributes that may be there for one kind or another, and nowhere right by chance. */
  const extra = Object.fromEntries(
    [
      ...['listeners', 'pools', 'members', 'healthmonitor', 'default_pool', 'l7policies', 'tenant_id', 'provider'],
      ...['vip_qos_policy_id', 'vip_sg_ids', 'additional_vips', 'request_sriov', 'domain_name', 'session_persistence'],
      ...['insert_headers', 'sni_container_refs', 'default_tls_container_ref', 'client_authentication'],
      ...['client_ca_tls_container_ref', 'client_crl_container_ref', 'hsts_max_age', 'hsts_preload'],
      ...['tls_container_ref', 'ca_tls_container_ref', 'crl_container_ref'],
    ].map((name) => [name, 1]),
  );

  it('with anything in its attributes is accepted or refused, and no error of ours', async () => {
    await fc.assert(
      fc.asyncProperty(wrong(), async (body) => {
        const answer = await askerOf(kind).post(kind.collection(), { [kind.root]: body });
        expect([201, 400, 403, 404, 409, 501]).toContain(answer.status);
        await discard(kind, answer);
      }),
      runs,
    );
  });

  it('that is right reads back as it was sent, when created and when changed', async () => {
    const right = fc.record({ ...kind.needed(), ...kind.optional }, { requiredKeys: Object.keys(kind.needed()) });
    const change = fc.record(kind.optional, { requiredKeys: [] });
    await fc.assert(
      fc.asyncProperty(right, change, async (given, later) => {
        const asker = askerOf(kind);
        const answer = await asker.post(kind.collection(), { [kind.root]: given });
        expect(answer.status).toBe(201);
        const path = `${kind.collection()}/${answer.body[kind.root].id}`;
        const { loadbalancer_id: _lb, pool_id: _pool, ...sent } = given as Record<string, unknown>;
        expect(shownAs(await asker.show(path), sent)).toEqual(sent);
        const mutable = Object.entries(later).filter(([name]) => !kind.immutable.includes(name));
        const changed = Object.fromEntries(mutable);
        await asker.expect(200, asker.put(path, { [kind.root]: changed }));
        expect(shownAs(await asker.show(path), sent)).toEqual({ ...sent, ...shownAs(changed, pick(sent, changed)) });
        await discard(kind, answer);
      }),
      { numRuns: 60 },
    );
  });

  it('is changed by anything in a PUT or refused, and no error of ours', async () => {
    const asker = askerOf(kind);
    const made = await asker.expect(
      201,
      asker.post(kind.collection(), { [kind.root]: fc.sample(fc.record(kind.needed()), 1)[0] }),
    );
    const path = `${kind.collection()}/${made['id']}`;
    const names = Object.keys({ ...kind.optional, [kind.immutable[0]!]: 1 });
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...names), anything, { maxKeys: 3 }), async (body) => {
        expect([200, 400, 404, 501]).toContain((await asker.put(path, { [kind.root]: body })).status);
      }),
      runs,
    );
    expect((await asker.delete(path)).status).toBe(204);
  });
});

const pick = (sent: Record<string, unknown>, changed: Record<string, unknown>) =>
  Object.fromEntries(
    Object.keys(sent)
      .filter((name) => name in changed)
      .map((name) => [name, true]),
  );

it('any body at all, of any route that takes one, is answered', async () => {
  const paths = ['loadbalancers', 'listeners', 'pools', 'healthmonitors', `pools/${pool['id']}/members`];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...paths),
      fc.constantFrom('POST', 'PUT'),
      fc.json(),
      async (path, method, body) => {
        const { status } = await api.ask(method, `/v2.0/lbaas/${path}`, body);
        expect([400, 405]).toContain(status);
      },
    ),
    runs,
  );
});

it('any query of a list is answered', async () => {
  const name = fc.constantFrom(
    'limit',
    'marker',
    'sort',
    'sort_key',
    'sort_dir',
    'fields',
    'tags',
    'not-tags',
    'name',
    'x',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(name, fc.string({ unit: 'grapheme' }))), async (pairs) => {
      const { status } = await api.get(`listeners?${new URLSearchParams(pairs as [string, string][])}`);
      expect([200, 400]).toContain(status);
    }),
    runs,
  );
});
