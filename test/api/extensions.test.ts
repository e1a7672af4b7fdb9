// Attributes beyond Octavia: taken, shown, changed, reset and refused as Octavia's are, and invisible to who does not use them.
import { beforeAll, describe, expect, it } from 'vitest';
import { listenerExtensions } from '../../lambdas/domain/listener-extensions.ts';
import { memberExtensions } from '../../lambdas/domain/member.ts';
import { poolExtensions } from '../../lambdas/domain/pool-extensions.ts';
import { type Attributes, DirectApi, type Shown } from '../support/direct-api.ts';
import { extendedListener, extendedPool } from '../support/extended.ts';

let api: DirectApi;
let lb: Shown;
let nextPort = 1;

beforeAll(async () => {
  api = await DirectApi.start();
  lb = await api.loadBalancer({ additional_vips: [{ subnet_id: api.subnet('six') }] });
});

interface Kind {
  collection: () => Promise<string>;
  create: () => Attributes;
  extensions: string[];
}
const kinds: Record<string, Kind> = {
  listener: {
    collection: async () => 'listeners',
    create: () => ({ loadbalancer_id: lb['id'], protocol: 'HTTP', protocol_port: nextPort++ }),
    extensions: Object.keys(listenerExtensions),
  },
  pool: {
    collection: async () => 'pools',
    create: () => ({ loadbalancer_id: lb['id'], protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' }),
    extensions: Object.keys(poolExtensions),
  },
  member: {
    collection: async () => `pools/${(await api.pool({ loadbalancer_id: lb['id'] }))['id']}/members`,
    create: () => ({ address: '192.0.2.1', protocol_port: nextPort++ }),
    extensions: Object.keys(memberExtensions),
  },
};

const create = async (root: string, given: Attributes) =>
  api.post(await kinds[root]!.collection(), { [root]: { ...kinds[root]!.create(), ...given } });

const missing = 'Mandatory field missing.';
const notObject = 'Value should be an object';
const notInteger = 'Value should be an integer';
const range = (least: number, most: number): [unknown, string, string?][] => [
  [least - 1, `Value should be greater or equal to ${least}`],
  [most + 1, `Value should be lower or equal to ${most}`],
  ['soon', notInteger],
];
const inside = (attribute: string, value: Attributes, reason: string): [unknown, string, string] => [
  value,
  reason,
  attribute,
];

interface Row {
  /** What is sent, the reason of the refusal, and the attribute inside that is at fault. */
  wrong: [value: unknown, reason: string, attribute?: string][];
  /** What is sent and how it is shown, if otherwise. */
  right: [value: unknown, shown?: unknown][];
}
const noHeaders = { set: {}, add: {}, remove: [] };
const headerRow: Row = {
  wrong: [
    ['X-A: 1', notObject],
    inside('set', { set: ['X-A'] }, notObject),
    inside('set', { set: { 'X A': '1' } }, 'Value should be the name of an HTTP header'),
    inside('set', { set: { 'X-A': 1 } }, 'Value should be string'),
    inside('add', { add: { 'X-A': 'a\nb' } }, 'Value should be printable ASCII without spaces around it'),
    inside('add', { add: { 'X-A': '' } }, 'Value should be printable ASCII without spaces around it'),
    ...['${src}', '${client_address', 'a ${} b'].map((value) =>
      inside(
        'set',
        { set: { 'X-A': value } },
        'Value should refer to no other variables than: client_address, client_port, host, listener_port, protocol, request_id',
      ),
    ),
    inside('remove', { remove: 'X-A' }, 'Value should be a list'),
    inside('remove', { remove: ['X-A:'] }, 'Value should be the name of an HTTP header'),
  ],
  right: [
    [{ remove: ['Server'] }, { ...noHeaders, remove: ['Server'] }],
    [{ set: { 'X-A': '%[env(HOME)] 100% $HOME' } }, { ...noHeaders, set: { 'X-A': '%[env(HOME)] 100% $HOME' } }],
  ],
};

const rows: Record<string, Record<string, Row>> = {
  listener: {
    rate_limit: {
      wrong: [
        [5, notObject],
        inside('requests', { period: 1 }, missing),
        inside('period', { requests: 1 }, missing),
        inside('requests', { requests: 0, period: 1 }, 'Value should be greater or equal to 1'),
        inside('period', { requests: 1, period: 86_401 }, 'Value should be lower or equal to 86400'),
        inside('type', { requests: 1, period: 1, type: 'COOKIE' }, 'Value should be one of: SOURCE_IP, HEADER'),
      ],
      right: [
        [
          { requests: 10, period: 60 },
          { requests: 10, period: 60, type: 'SOURCE_IP', key: null },
        ],
        [extendedListener.rate_limit],
      ],
    },
    connection_rate_limit: {
      wrong: [[5, notObject], inside('connections', { period: 1 }, missing)],
      right: [
        [
          { connections: '5', period: 2 },
          { connections: 5, period: 2 },
        ],
      ],
    },
    compression: {
      wrong: [
        [true, notObject],
        inside('content_types', { content_types: ['*'] }, 'Value should be a content type, such as text/html'),
      ],
      right: [
        [{}, { content_types: expect.arrayContaining(['text/html', 'application/json']) }],
        [{ content_types: ['text/csv'] }],
      ],
    },
    request_headers: headerRow,
    response_headers: headerRow,
    error_pages: {
      wrong: [
        ['down', notObject],
        inside('error_page', { '503': 'down' }, notObject),
        inside('body', { '503': {} }, missing),
        inside('body', { '503': { body: 5 } }, 'Value should be string'),
        inside('body', { '503': { body: 'a\0' } }, 'Value should be text'),
        inside('body', { '503': { body: 'é'.repeat(4_097) } }, 'Value should have at most 8192 bytes'),
        inside(
          'content_type',
          { '503': { body: 'a', content_type: 'html' } },
          'Value should be a content type, such as text/html',
        ),
      ],
      right: [
        [{ '503': { body: '<p>\n' } }, { '503': { body: '<p>\n', content_type: 'text/html; charset=utf-8' } }],
        [{ '429': { body: '{}', content_type: 'application/json' }, '403': null }, { '429': expect.anything() }],
      ],
    },
    http2: { wrong: [['perhaps', 'Value not an unambiguous boolean']], right: [[false], ['yes', true]] },
    timeout_tunnel: { wrong: range(1, 2_073_600_000), right: [[3_600_000]] },
    timeout_client_keep_alive: { wrong: range(1, 2_073_600_000), right: [['10', 10]] },
    timeout_client_request: { wrong: range(1, 2_073_600_000), right: [[10]] },
    denied_cidrs: {
      wrong: [
        ['10.0.0.0/8', 'Value should be a list'],
        [['here'], 'Value should be IPv4 or IPv6 CIDR format'],
      ],
      right: [
        [
          ['10.0.0.1/8', '2001:db8::1'],
          ['10.0.0.0/8', '2001:db8::1/128'],
        ],
      ],
    },
  },
  pool: {
    retries: {
      wrong: [
        [3, notObject],
        inside('attempts', { attempts: 11 }, 'Value should be lower or equal to 10'),
        inside(
          'failures',
          { failures: ['429'] },
          'Value should be one of: CONNECTION_FAILURE, EMPTY_RESPONSE, INVALID_RESPONSE, RESPONSE_TIMEOUT, 404, 408, 425, 500, 501, 502, 503, 504',
        ),
        inside('non_idempotent', { non_idempotent: 'perhaps' }, 'Value not an unambiguous boolean'),
      ],
      right: [
        [{}, { attempts: 3, failures: ['CONNECTION_FAILURE', 'EMPTY_RESPONSE'], non_idempotent: false }],
        [extendedPool.retries],
      ],
    },
    slow_start: { wrong: range(1, 3_600), right: [[60]] },
  },
  member: { connection_limit: { wrong: range(1, 1_000_000), right: [[5]] } },
};

const all = Object.entries(rows).flatMap(([root, ofRoot]) =>
  Object.entries(ofRoot).map(([attribute, row]) => ({ root, attribute, row })),
);

it('the table has every attribute beyond Octavia', () => {
  for (const [root, { extensions }] of Object.entries(kinds))
    expect(Object.keys(rows[root]!).toSorted()).toEqual(extensions.toSorted());
});

const reasonOf = ({ body }: { body: { faultstring: string } }) => body.faultstring.replace(/Value: '.*'\. /s, '');

describe.each(all)('$attribute of a $root', ({ root, attribute, row }) => {
  it('of the wrong kind is refused on create and update, naming what is wrong in it', async () => {
    const collection = await kinds[root]!.collection();
    const made = await api.done(api.post(collection, { [root]: kinds[root]!.create() }));
    for (const [value, reason, at = attribute] of row.wrong) {
      const expected = [400, `Invalid input for field/attribute ${at}. ${reason}`];
      const answers = [
        await create(root, { [attribute]: value }),
        await api.put(`${collection}/${made['id']}`, { [root]: { [attribute]: value } }),
      ];
      for (const answer of answers) expect([answer.status, reasonOf(answer)]).toEqual(expected);
    }
  });

  it('is there once it is set, on create or update, and gone with null', async () => {
    for (const [value, shown = value] of row.right) {
      const made = await api.done(create(root, { [attribute]: value }));
      expect(made[attribute]).toEqual(shown);
      const collection = await kinds[root]!.collection();
      const plain = await api.done(api.post(collection, { [root]: kinds[root]!.create() }));
      const path = `${collection}/${plain['id']}`;
      const put = (given: Attributes) => api.done(api.put(path, { [root]: given }));
      expect((await put({ [attribute]: value }))[attribute]).toEqual(shown);
      expect((await put({ name: 'other' }))[attribute]).toEqual(shown);
      expect((await api.done(api.get(`${path}?fields=${attribute}`)))[attribute]).toEqual(shown);
      const listed = await api.done(api.get(collection));
      expect((listed as Shown[]).find(({ id }) => id === plain['id'])).toHaveProperty(attribute);
      expect(Object.keys(await put({ [attribute]: null }))).toEqual(Object.keys(plain));
      expect(await api.done(api.get(path))).not.toHaveProperty(attribute);
    }
  });
});

it('a client that sets none of it meets none of it, not even where all of it is null', async () => {
  for (const [root, { extensions }] of Object.entries(kinds)) {
    const plain = await api.done(create(root, {}));
    const nulled = await api.done(create(root, Object.fromEntries(extensions.map((name) => [name, null]))));
    for (const name of extensions) expect(plain).not.toHaveProperty(name);
    expect(Object.keys(nulled)).toEqual(Object.keys(plain));
  }
});

it('all of it is taken and shown by a load balancer created in one call', async () => {
  const made = await api.loadBalancer({
    additional_vips: [{ subnet_id: api.subnet('six') }],
    listeners: [
      {
        protocol: 'HTTP',
        protocol_port: 80,
        ...extendedListener,
        default_pool: {
          name: 'p',
          protocol: 'HTTP',
          lb_algorithm: 'ROUND_ROBIN',
          ...extendedPool,
          members: [{ address: '192.0.2.1', protocol_port: 80, connection_limit: 5 }],
        },
      },
    ],
  });
  const [listener] = made['listeners'] as Shown[];
  expect(listener).toMatchObject(extendedListener);
  expect(made['pools'][0]).toMatchObject({ ...extendedPool, members: [{ connection_limit: 5 }] });
  expect(await api.done(api.get(`listeners/${listener!['id']}`))).toMatchObject(extendedListener);
});

it('a batch sets and takes away the connection limit of members, and changes nothing without it', async () => {
  const pool = await api.pool({ loadbalancer_id: lb['id'] });
  const path = `pools/${pool['id']}/members`;
  const batch = async (more: Attributes) => {
    expect((await api.put(path, { members: [{ address: '192.0.2.1', protocol_port: 80, ...more }] })).status).toBe(202);
    const [only] = (await api.done(api.get(path))) as Shown[];
    return only!;
  };
  const before = await batch({});
  expect((await batch({}))['updated_at']).toBe(before['updated_at']);
  expect(await batch({ connection_limit: 5 })).toHaveProperty('connection_limit', 5);
  expect(await batch({})).not.toHaveProperty('connection_limit');
});

it('listeners are found by the extensions that are scalars', async () => {
  const made = await api.done(create('listener', { timeout_tunnel: 4_711 }));
  const found = (await api.done(api.get('listeners?timeout_tunnel=4711'))) as Shown[];
  expect(found.map(({ id }) => id)).toEqual([made['id']]);
});
