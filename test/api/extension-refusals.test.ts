// Attributes beyond Octavia that do not fit the resource, or one another, are refused in Octavia's words.
import { beforeAll, describe, expect, it } from 'vitest';
import { type Attributes, DirectApi, failure, fault, type Shown } from '../support/direct-api.ts';
import { extendedListener } from '../support/extended.ts';

let api: DirectApi;
let lb: Shown;
let nextPort = 1;

beforeAll(async () => {
  api = await DirectApi.start();
  lb = await api.loadBalancer();
});

const required: Record<string, () => Attributes> = {
  listener: () => ({ protocol: 'HTTP', protocol_port: nextPort++ }),
  pool: () => ({ protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' }),
};
const create = (root: string, given: Attributes) =>
  api.post(`${root}s`, { [root]: { loadbalancer_id: lb['id'], ...required[root]!(), ...given } });

describe('is refused in what Octavia calls a validation failure:', () => {
  const ofRequests = 'for listeners using the HTTP or TERMINATED_HTTPS protocol.';
  const ofConnections = 'for listeners using the TCP, HTTP, HTTPS or TERMINATED_HTTPS protocol.';
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`X-${n}`, 'a']));
  const page = { body: 'x'.repeat(8_192) };
  const cases: [what: string, root: string, ground: Attributes, set: Attributes, reason: string][] = [
    ...['rate_limit', 'compression', 'request_headers', 'response_headers', 'error_pages', 'timeout_client_request']
      .concat('timeout_client_keep_alive')
      .map((name): (typeof cases)[number] => [
        `${name} on TCP`,
        'listener',
        { protocol: 'TCP' },
        { [name]: extendedListener[name as keyof typeof extendedListener] },
        `${name} can only be used ${ofRequests}`,
      ]),
    ...['connection_rate_limit', 'timeout_tunnel', 'denied_cidrs'].map((name): (typeof cases)[number] => [
      `${name} on UDP`,
      'listener',
      { protocol: 'UDP' },
      { [name]: extendedListener[name as keyof typeof extendedListener] },
      `${name} can only be used ${ofConnections}`,
    ]),
    [
      'http2 on TCP',
      'listener',
      { protocol: 'TCP' },
      { http2: true },
      'http2 can only be used for listeners using the HTTP protocol.',
    ],
    [
      'a header to count by without its name',
      'listener',
      {},
      { rate_limit: { requests: 1, period: 1, type: 'HEADER' } },
      'rate_limit of type HEADER requires a key.',
    ],
    [
      'the name of a header that is not counted by',
      'listener',
      {},
      { rate_limit: { requests: 1, period: 1, key: 'X-A' } },
      'key is only for a rate_limit of type HEADER.',
    ],
    [
      'a header that says where a message ends',
      'listener',
      {},
      { request_headers: { set: { 'content-Length': '5' } } },
      'request_headers may not change the header content-Length.',
    ],
    [
      'a Host taken away',
      'listener',
      {},
      { request_headers: { remove: ['Host'] } },
      'request_headers may set the header Host, but neither add nor remove it.',
    ],
    [
      'more headers than 32',
      'listener',
      {},
      { response_headers: { set: many(20), add: many(13) } },
      'response_headers may change 32 headers at most.',
    ],
    [
      'headers of more than 2 KB',
      'listener',
      {},
      { response_headers: { set: { 'X-A': 'a'.repeat(1_024), 'X-B': 'a'.repeat(1_024) } } },
      'response_headers may write 2048 bytes at most.',
    ],
    [
      'compression of nothing',
      'listener',
      {},
      { compression: { content_types: [] } },
      'compression requires at least one of content_types.',
    ],
    [
      'error pages of more than 32 KB',
      'listener',
      {},
      { error_pages: { '403': page, '429': page, '500': page, '502': page, '503': { body: 'x' } } },
      'error_pages may have 32768 bytes in all at most.',
    ],
    [
      'retries of connections',
      'pool',
      { protocol: 'TCP' },
      { retries: {} },
      'retries can only be used for pools using the HTTP protocol.',
    ],
    ['retries after nothing', 'pool', {}, { retries: { failures: [] } }, 'retries requires at least one of failures.'],
    [
      'a slow start of datagrams',
      'pool',
      { protocol: 'UDP' },
      { slow_start: 5 },
      'slow_start can only be used for pools using the TCP, HTTP, HTTPS, PROXY or PROXYV2 protocol.',
    ],
  ];
  it.each(cases)('%s', async (_what, root, ground, set, reason) => {
    expect(await create(root, { ...ground, ...set })).toMatchObject(failure(reason));
    const made = await api.done(create(root, ground));
    expect(await api.put(`${root}s/${made['id']}`, { [root]: set })).toMatchObject(failure(reason));
  });

  it('denied_cidrs of a family that no VIP has', async () => {
    const other = await api.loadBalancer();
    const reason = `CIDR 2001:db8::/32 IP version incompatible with all VIPs ['${other['vip_address']}'] IP version.`;
    const given = { protocol: 'TCP', protocol_port: 80, denied_cidrs: ['2001:db8::/32'] };
    const answer = await api.post('listeners', { listener: { ...given, loadbalancer_id: other['id'] } });
    expect(answer).toMatchObject(failure(reason));
    const whole = { vip_subnet_id: api.subnet('four'), listeners: [given] };
    const { status, body } = await api.post('loadbalancers', { loadbalancer: whole });
    expect([status, body.faultstring]).toEqual([400, expect.stringContaining('IP version incompatible')]);
  });
});

it.each([
  ['listener', { rate_limit: { requests: 1, period: 1, burst: 5 } }, 'listener_.listener.rate_limit: burst'],
  ['listener', { error_pages: { '418': { body: 'a' } } }, 'listener_.listener.error_pages: 418'],
  ['listener', { error_pages: { '503': { body: 'a', file: 'b' } } }, 'listener_.listener.error_pages.error_page: file'],
  ['listener', { request_headers: { replace: {} } }, 'listener_.listener.request_headers: replace'],
  ['pool', { retries: { backoff: 1 } }, 'pool_.pool.retries: backoff'],
])('what nobody knows in an extension of a %s is refused as an unknown attribute: %j', async (root, set, where) => {
  const refused = fault(400, `Unknown attribute for argument ${where}`);
  expect(await create(root, set)).toMatchObject(refused);
});
