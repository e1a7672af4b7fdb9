// Every attribute of every resource: sent with the wrong type, out of range, as null, and not at all, on create and on update.
import { beforeAll, describe, expect, it } from 'vitest';
import { healthMonitor } from '../../lambdas/domain/health-monitor.ts';
import { listener } from '../../lambdas/domain/listener.ts';
import { loadBalancer } from '../../lambdas/domain/load-balancer.ts';
import { member } from '../../lambdas/domain/member.ts';
import { pool } from '../../lambdas/domain/pool.ts';
import type { Attribute } from '../../lambdas/domain/resource.ts';
import { type Attributes, DirectApi, fault, type Shown } from '../support/direct-api.ts';

const text256 = 'x'.repeat(256);
const notText = 'Value should be string';
const tooLong = (max = 255) => `Value should have a maximum character requirement of ${max}`;
const notUuid = 'Value should be UUID format';
const notBoolean = 'Value not an unambiguous boolean';
const notInteger = 'Value should be an integer';
const notList = 'Value should be a list';
const notObject = 'Value should be an object';
const notAddress = 'Value should be IPv4 or IPv6 format';
const notCidr = 'Value should be IPv4 or IPv6 CIDR format';
const least = (number: number) => `Value should be greater or equal to ${number}`;
const most = (number: number) => `Value should be lower or equal to ${number}`;
const oneOf = (...values: string[]) => `Value should be one of: ${values.join(', ')}`;
const missing = 'Mandatory field missing.';
const notNull = 'Value is required and cannot be null';

interface Row {
  /** What is sent and the reason of the refusal. */
  wrong?: [value: unknown, reason: string][];
  /** What is shown when it is not sent on create; undefined: not shown, or not alike on any two. */
  absent?: unknown;
  /** What null on create makes of it, where it is not as if it was absent. */
  nullOnCreate?: unknown;
  isMandatory?: true;
  /** A value an update may set, with how it is shown; `no` for immutable ones. */
  update: 'no' | [value: unknown, shown?: unknown];
  /** What null on update makes of it: as if it was absent, if not told; or why it is refused. */
  nullOnUpdate?: { shown: unknown } | { reason: string };
}

const name: Row = {
  wrong: [
    [5, notText],
    [text256, tooLong()],
  ],
  absent: '',
  update: ['new'],
};
const flag = (absent: boolean): Row => ({ wrong: [['perhaps', notBoolean]], absent, update: [!absent] });
/** Octavia takes null for false here, whatever the default is. */
const admin_state_up: Row = { ...flag(true), nullOnCreate: false, nullOnUpdate: { shown: false } };
const tags: Row = {
  wrong: [
    ['web', notList],
    [[5], notText],
    [[text256], tooLong()],
  ],
  absent: [],
  update: [['web', 'two']],
};
const immutable = (wrong: Row['wrong'], isMandatory?: true): Row => ({
  wrong,
  update: 'no',
  ...(isMandatory ? { isMandatory } : {}),
});
const reference: Row = {
  wrong: [
    [5, notText],
    [text256, tooLong()],
  ],
  absent: null,
  update: [null, null],
};
const port = (absent?: unknown): Row => ({
  wrong: [
    ['http', notInteger],
    [0, least(1)],
    [65_536, most(65_535)],
  ],
  absent,
  update: [81],
});
const timeout = (absent: number): Row => ({
  wrong: [
    ['soon', notInteger],
    [-1, least(0)],
    [2_073_600_001, most(2_073_600_000)],
  ],
  absent,
  update: ['17', 17],
});
const tls: Record<string, Row> = {
  tls_ciphers: {
    wrong: [
      [5, notText],
      ['x'.repeat(2_049), tooLong(2_048)],
    ],
    absent: null,
    update: ['AES128-SHA:!x'],
  },
  tls_versions: {
    wrong: [
      ['TLSv1.2', notList],
      [[5], notText],
      [['x'.repeat(33)], tooLong(32)],
    ],
    absent: null,
    update: [['TLSv1.3']],
  },
  alpn_protocols: {
    wrong: [
      ['h2', notList],
      [['h3'], 'Value should be a valid ALPN protocol ID'],
    ],
    absent: null,
    update: [['h2']],
  },
};
const seconds: Row = {
  wrong: [
    ['soon', notInteger],
    [-1, least(0)],
  ],
  isMandatory: true,
  update: [7],
  nullOnUpdate: { reason: notNull },
};

interface Kind {
  root: string;
  collection: () => string;
  create: () => Attributes;
  attributes: Record<string, Row>;
}

let api: DirectApi;
const site: Record<'lb' | 'pool', Shown> = { lb: {}, pool: {} };
let nextPort = 1;

const kinds: Record<string, Kind> = {
  'load balancer': {
    root: 'loadbalancer',
    collection: () => 'loadbalancers',
    create: () => ({ vip_subnet_id: api.subnet('four') }),
    attributes: {
      name,
      description: name,
      admin_state_up,
      vip_address: immutable([
        ['here', notAddress],
        [5, notAddress],
      ]),
      vip_port_id: immutable([['port', notUuid]]),
      vip_subnet_id: immutable([['subnet', notUuid]]),
      vip_network_id: immutable([['network', notUuid]]),
      vip_qos_policy_id: { wrong: [['fast', notUuid]], absent: null, update: [null] },
      vip_sg_ids: {
        wrong: [
          ['group', notList],
          [['group'], notUuid],
        ],
        absent: [],
        update: [[]],
      },
      additional_vips: {
        ...immutable([
          ['vip', notList],
          [['vip'], notObject],
        ]),
        absent: [],
      },
      project_id: immutable([
        [5, notText],
        ['x'.repeat(37), tooLong(36)],
      ]),
      provider: {
        ...immutable([
          [5, notText],
          ['x'.repeat(65), tooLong(64)],
        ]),
        absent: 'amphora',
      },
      flavor_id: { ...immutable([['small', notUuid]]), absent: null },
      availability_zone: {
        ...immutable([
          [5, notText],
          [text256, tooLong()],
        ]),
        absent: null,
      },
      listeners: {
        ...immutable([
          ['one', notList],
          [[1], notObject],
        ]),
        absent: [],
      },
      pools: {
        ...immutable([
          ['one', notList],
          [[1], notObject],
        ]),
        absent: [],
      },
      tags,
    },
  },
  listener: {
    root: 'listener',
    collection: () => 'listeners',
    create: () => ({ loadbalancer_id: site.lb['id'], protocol: 'HTTP', protocol_port: nextPort++ }),
    attributes: {
      loadbalancer_id: immutable([['lb', notUuid]], true),
      protocol: immutable(
        [['QUIC', oneOf('TCP', 'HTTP', 'HTTPS', 'TERMINATED_HTTPS', 'UDP', 'SCTP', 'PROMETHEUS')]],
        true,
      ),
      protocol_port: { ...port(), isMandatory: true, update: 'no' },
      name,
      description: name,
      admin_state_up,
      connection_limit: {
        wrong: [
          ['many', notInteger],
          [-2, least(-1)],
        ],
        absent: -1,
        update: [5],
      },
      default_pool_id: { wrong: [['pool', notUuid]], absent: null, update: [null] },
      default_pool: immutable([['pool', notObject]]),
      l7policies: {
        ...immutable([
          ['policy', notList],
          [[1], notObject],
        ]),
        absent: [],
      },
      insert_headers: {
        wrong: [
          ['X-Real-IP', notObject],
          [{ 'X-Real-IP': true }, notText],
          [{ 'X-Real-IP': text256 }, tooLong()],
        ],
        absent: {},
        update: [{ 'X-Forwarded-For': 'true' }],
      },
      timeout_client_data: timeout(50_000),
      timeout_member_connect: timeout(5_000),
      timeout_member_data: timeout(50_000),
      timeout_tcp_inspect: timeout(0),
      default_tls_container_ref: reference,
      sni_container_refs: {
        wrong: [
          ['ref', notList],
          [[5], notText],
          [[text256], tooLong()],
        ],
        absent: [],
        update: [[]],
      },
      client_ca_tls_container_ref: reference,
      client_crl_container_ref: reference,
      client_authentication: {
        wrong: [['MAYBE', oneOf('NONE', 'OPTIONAL', 'MANDATORY')]],
        absent: 'NONE',
        update: ['NONE'],
      },
      allowed_cidrs: {
        wrong: [
          ['10.0.0.0/8', notList],
          [['here'], notCidr],
          [['10.0.0.0/33'], notCidr],
          [[5], notCidr],
        ],
        absent: null,
        update: [['10.0.0.1/24', '10.0.0.2/24'], ['10.0.0.0/24']],
      },
      ...tls,
      hsts_max_age: {
        wrong: [
          ['long', notInteger],
          [-1, least(0)],
        ],
        absent: null,
        update: [null],
      },
      hsts_include_subdomains: { wrong: [['perhaps', notBoolean]], absent: false, update: [false] },
      hsts_preload: { wrong: [['perhaps', notBoolean]], absent: false, update: [false] },
      tags,
    },
  },
  pool: {
    root: 'pool',
    collection: () => 'pools',
    create: () => ({ loadbalancer_id: site.lb['id'], protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' }),
    attributes: {
      loadbalancer_id: immutable([['lb', notUuid]]),
      listener_id: immutable([['listener', notUuid]]),
      protocol: immutable([['QUIC', oneOf('TCP', 'HTTP', 'HTTPS', 'PROXY', 'PROXYV2', 'UDP', 'SCTP')]], true),
      lb_algorithm: {
        wrong: [['RANDOM', oneOf('ROUND_ROBIN', 'LEAST_CONNECTIONS', 'SOURCE_IP', 'SOURCE_IP_PORT')]],
        isMandatory: true,
        update: ['SOURCE_IP'],
        nullOnUpdate: { reason: notNull },
      },
      name,
      description: name,
      admin_state_up,
      healthmonitor: immutable([['monitor', notObject]]),
      members: {
        ...immutable([
          ['member', notList],
          [[1], notObject],
        ]),
        absent: [],
      },
      session_persistence: {
        wrong: [['SOURCE_IP', notObject]],
        absent: null,
        update: [
          { type: 'SOURCE_IP' },
          { type: 'SOURCE_IP', cookie_name: null, persistence_timeout: null, persistence_granularity: null },
        ],
      },
      tls_enabled: flag(false),
      tls_container_ref: reference,
      ca_tls_container_ref: reference,
      crl_container_ref: reference,
      ...tls,
      tags,
    },
  },
  member: {
    root: 'member',
    collection: () => `pools/${site.pool['id']}/members`,
    create: () => ({ address: '192.0.2.1', protocol_port: nextPort++ }),
    attributes: {
      address: immutable(
        [
          ['here', notAddress],
          [5, notAddress],
        ],
        true,
      ),
      protocol_port: { ...port(), isMandatory: true, update: 'no' },
      subnet_id: { ...immutable([['subnet', notUuid]]), absent: null },
      name,
      admin_state_up,
      weight: {
        wrong: [
          ['heavy', notInteger],
          [-1, least(0)],
          [257, most(256)],
        ],
        absent: 1,
        update: [0],
      },
      backup: flag(false),
      monitor_port: port(null),
      monitor_address: { wrong: [['here', notAddress]], absent: null, update: ['192.0.2.9'] },
      request_sriov: immutable([['perhaps', notBoolean]]),
      tags,
    },
  },
  'health monitor': {
    root: 'healthmonitor',
    collection: () => 'healthmonitors',
    create: () => ({ pool_id: site.pool['id'], type: 'HTTP', delay: 5, timeout: 3, max_retries: 2 }),
    attributes: {
      pool_id: immutable([['pool', notUuid]], true),
      type: immutable([['ARP', oneOf('HTTP', 'HTTPS', 'PING', 'TCP', 'TLS-HELLO', 'UDP-CONNECT', 'SCTP')]], true),
      delay: seconds,
      timeout: seconds,
      max_retries: {
        wrong: [
          ['often', notInteger],
          [0, least(1)],
          [11, most(10)],
        ],
        isMandatory: true,
        update: [3],
        nullOnUpdate: { reason: notNull },
      },
      max_retries_down: {
        wrong: [
          ['often', notInteger],
          [0, least(1)],
          [11, most(10)],
        ],
        absent: 3,
        update: [4],
      },
      name,
      admin_state_up,
      http_method: {
        wrong: [['BREW', oneOf('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'TRACE', 'OPTIONS', 'CONNECT', 'PATCH')]],
        absent: 'GET',
        update: ['HEAD'],
      },
      url_path: {
        wrong: [
          ['up', 'Value must be a valid URL Path string'],
          ['http://a/b', 'Value must be a valid URL Path string'],
        ],
        absent: '/',
        update: ['/up'],
      },
      expected_codes: {
        wrong: [['2xx', 'Value should match the pattern ^(\\d{3}(\\s*,\\s*\\d{3})*|\\d{3}-\\d{3})$']],
        absent: '200',
        update: ['200-204'],
      },
      http_version: { wrong: [[2, oneOf('1', '1.1')]], absent: null, update: [1.1] },
      domain_name: { wrong: [[5, notText]], absent: null, update: [null] },
      tags,
    },
  },
};

const spelled = (value: unknown): string =>
  (value === null ? 'None' : typeof value === 'string' ? value : JSON.stringify(value).replace(/^true$/, 'True')).slice(
    0,
    255,
  );
/** Of a refusal whatever is at fault: texts inside of lists and objects are quoted as they came. */
const refused = (attribute: string, value: unknown, reason: string) =>
  fault(400, `Invalid input for field/attribute ${attribute}. Value: '${spelled(value)}'. ${reason}`);

const rows = Object.entries(kinds).flatMap(([kindName, kind]) =>
  Object.entries(kind.attributes).map(([attribute, row]) => ({ kindName, kind, attribute, row })),
);

beforeAll(async () => {
  api = await DirectApi.start();
  site.lb = await api.loadBalancer();
});

/** Each with a pool of its own, as a pool has one monitor. */
async function create(kind: Kind, given: Attributes) {
  site.pool = await api.pool({ loadbalancer_id: site.lb['id'] });
  return api.post(kind.collection(), { [kind.root]: { ...kind.create(), ...given } });
}

describe.each(rows)('$attribute of a $kindName', ({ kind, attribute, row }) => {
  it('of the wrong type or out of range is refused on create', async () => {
    for (const [value, reason] of row.wrong ?? []) {
      expect(await create(kind, { [attribute]: value })).toMatchObject(refused(attribute, value, reason));
    }
  });

  it('that is null or absent on create is mandatory, or has its default', async () => {
    const { [attribute]: _absent, ...others } = kind.create();
    const made = await create(kind, { [attribute]: null });
    if (row.isMandatory) {
      expect(made).toMatchObject(refused(attribute, null, missing));
      const without = await api.post(kind.collection(), { [kind.root]: others });
      expect(without).toMatchObject(refused(attribute, null, missing));
      return;
    }
    if (!('absent' in row)) return;
    const ofNull = 'nullOnCreate' in row ? row.nullOnCreate : row.absent;
    expect([made.status, made.body[kind.root]?.[attribute]]).toEqual([201, ofNull]);
    expect((await api.done(create(kind, {})))[attribute]).toEqual(row.absent);
  });

  it('is changed, reset by null and refused on update as it should be', async () => {
    const made = await api.done(create(kind, {}));
    const path = `${kind.collection()}/${made['id']}`;
    const put = (value: unknown) => api.put(path, { [kind.root]: { [attribute]: value } });
    if (row.update === 'no') {
      const answer = await put(row.wrong?.[0]?.[0] ?? null);
      expect([answer.status, answer.body.faultstring]).toEqual([
        400,
        expect.stringMatching(new RegExp(`^Unknown attribute for argument \\w+\\.${kind.root}: ${attribute}$`)),
      ]);
      return;
    }
    for (const [value, reason] of row.wrong ?? [])
      expect(await put(value)).toMatchObject(refused(attribute, value, reason));
    const [value, shown = value] = row.update;
    expect((await api.done(put(value)))[attribute]).toEqual(shown);
    if (row.nullOnUpdate && 'reason' in row.nullOnUpdate) {
      expect(await put(null)).toMatchObject(refused(attribute, null, row.nullOnUpdate.reason));
      return;
    }
    const reset = row.nullOnUpdate ? row.nullOnUpdate.shown : row.absent;
    expect((await api.done(put(null)))[attribute]).toEqual(reset);
    const untouched = await api.done(api.put(path, { [kind.root]: { name: 'other' } }));
    if (attribute !== 'name') expect(untouched[attribute]).toEqual(reset);
  });
});

it('the table has every attribute of Octavia that the API takes', () => {
  for (const resource of [loadBalancer, listener, pool, member, healthMonitor]) {
    const kind = Object.values(kinds).find(({ root }) => root === resource.root)!;
    // Children belong to the project of their load balancer, whatever is sent.
    const known = Object.entries<Attribute>(resource.attributes)
      // Those beyond Octavia have a table of their own: extensions.test.ts.
      .filter(([, { extension }]) => extension === undefined)
      .map(([one]) => one)
      .filter((one) => one !== 'project_id' || kind.root === 'loadbalancer');
    expect(Object.keys(kind.attributes).sort()).toEqual(known.sort());
  }
});
