// What HAProxy is told, feature by feature. Each golden file passes `haproxy -c`; `vitest run -u test/unit/haproxy.test.ts`
// writes them anew after a change that is meant.
import { afterAll, describe, expect, test } from 'vitest';
import type { PoolRow } from '../../lambdas/domain/pool.ts';
import type { Tree } from '../../lambdas/domain/tree.ts';
import { Unrenderable } from '../../lambdas/haproxy/config.ts';
import { renderConfiguration } from '../../lambdas/haproxy/render.ts';
import { aListener, aLoadBalancer, aMember, aMonitor, aPool, aTree, idOf } from '../support/builders.ts';
import { HaproxyDirectory } from '../support/haproxy.ts';

const directory = new HaproxyDirectory();
afterAll(() => directory[Symbol.dispose]());

const options = { amphora_id: idOf('other', 9), hardStopAfterMs: 60_000 };
const render = (tree: Tree) => renderConfiguration(tree, options);

const toPool = aListener({ default_pool_id: idOf('pool') });
const tcpToPool = aListener({ protocol: 'TCP', protocol_port: 5432, default_pool_id: idOf('pool') });
const member = (number: number, given: Parameters<typeof aMember>[0] = {}) =>
  aMember({ id: idOf('member', number), address: `192.0.2.${number}`, ...given });
const monitored = (
  given: Parameters<typeof aMonitor>[0],
  protocol: 'HTTP' | 'TCP' = 'HTTP',
  pool: Partial<PoolRow> = {},
) =>
  aTree({
    listeners: [protocol === 'HTTP' ? toPool : tcpToPool],
    pools: [aPool({ protocol, ...pool })],
    healthMonitors: [aMonitor(given)],
    members: [member(1)],
  });

const goldens: Record<string, Tree> = {
  'http-listener': aTree({ listeners: [toPool], pools: [aPool()], members: [member(1), member(2)] }),
  'tcp-listener': aTree({ listeners: [tcpToPool], pools: [aPool({ protocol: 'TCP' })], members: [member(1)] }),
  'tcp-listener-to-http-pool': aTree({ listeners: [tcpToPool], pools: [aPool()], members: [member(1)] }),
  'https-pass-through': aTree({
    listeners: [aListener({ protocol: 'HTTPS', protocol_port: 443, default_pool_id: idOf('pool') })],
    pools: [aPool({ protocol: 'HTTPS' })],
    members: [member(1)],
  }),
  'listener-without-pool': aTree({ listeners: [aListener()] }),
  'listeners-sharing-a-pool': aTree({
    listeners: [
      aListener({
        id: idOf('listener', 2),
        protocol_port: 81,
        default_pool_id: idOf('pool'),
        created_at: '2026-01-02',
      }),
      aListener({ default_pool_id: idOf('pool'), timeout_member_data: 10_000 }),
    ],
    pools: [aPool(), aPool({ id: idOf('pool', 2) })],
    members: [member(2), member(1), member(3, { pool_id: idOf('pool', 2) })],
  }),
  'limits-and-timeouts': aTree({
    listeners: [
      aListener({
        default_pool_id: idOf('pool'),
        connection_limit: 2_000,
        timeout_client_data: 1_000,
        timeout_member_connect: 2_000,
        timeout_member_data: 3_000,
        timeout_tcp_inspect: 4_000,
      }),
      aListener({ id: idOf('listener', 2), protocol_port: 81, connection_limit: 0 }),
    ],
    pools: [aPool()],
  }),
  'connections-over-the-ceiling': aTree({ listeners: [aListener({ connection_limit: 2_147_483_647 })] }),
  'least-connections': aTree({ listeners: [toPool], pools: [aPool({ lb_algorithm: 'LEAST_CONNECTIONS' })] }),
  'source-ip': aTree({
    listeners: [toPool],
    pools: [aPool({ lb_algorithm: 'SOURCE_IP' })],
    members: [member(1), member(2)],
  }),
  'proxy-pool': aTree({ listeners: [toPool], pools: [aPool({ protocol: 'PROXY' })], members: [member(1)] }),
  'proxyv2-pool-of-a-tcp-listener': aTree({
    listeners: [tcpToPool],
    pools: [aPool({ protocol: 'PROXYV2' })],
    healthMonitors: [aMonitor()],
    members: [member(1)],
  }),
  'tcp-monitor': monitored({ type: 'TCP' }, 'TCP'),
  'tls-hello-monitor': monitored({ type: 'TLS-HELLO' }, 'TCP'),
  'tls-hello-monitor-of-a-tls-pool': monitored({ type: 'TLS-HELLO' }, 'HTTP', { tls_enabled: true }),
  'ping-monitor': monitored({ type: 'PING' }),
  'http-monitor': monitored({ type: 'HTTP', http_method: 'GET', url_path: '/', expected_codes: '200' }),
  'http-monitor-in-full': monitored({
    type: 'HTTP',
    http_method: 'HEAD',
    url_path: '/healthz?deep=1&x=%20#"$HOME"',
    expected_codes: '200, 202,301',
    http_version: 1.1,
    domain_name: 'www.example.com',
  }),
  'https-monitor-with-a-range-of-codes': monitored(
    { type: 'HTTPS', url_path: '/up', expected_codes: '200-204' },
    'TCP',
  ),
  'monitor-without-delay': monitored({ delay: 0, timeout: 0 }),
  'monitor-disabled': monitored({ admin_state_up: false }),
  members: aTree({
    listeners: [toPool],
    pools: [aPool()],
    healthMonitors: [aMonitor()],
    members: [
      member(1, { weight: 0 }),
      member(2, { weight: 256, backup: true }),
      member(3, { admin_state_up: false }),
      member(4, { monitor_address: '198.51.100.4', monitor_port: 9000 }),
      member(5, { monitor_port: 9000 }),
      member(6, { monitor_address: '2001:db8::6' }),
    ],
  }),
  ipv6: aTree({
    loadBalancer: aLoadBalancer({ vip_address: '::1' }),
    listeners: [toPool],
    pools: [aPool()],
    members: [member(1, { address: '2001:db8::1' })],
  }),
  'load-balancer-disabled': aTree({
    loadBalancer: aLoadBalancer({ admin_state_up: false }),
    listeners: [toPool],
    pools: [aPool()],
    members: [member(1)],
  }),
  'listener-and-pool-disabled': aTree({
    listeners: [aListener({ id: idOf('listener', 2), protocol_port: 81, admin_state_up: false }), toPool],
    pools: [aPool({ admin_state_up: false })],
    members: [member(1)],
  }),
  'deleted-and-refused': aTree({
    listeners: [toPool, aListener({ id: idOf('listener', 2), provisioning_status: 'PENDING_DELETE' })],
    pools: [aPool()],
    members: [
      member(1, { provisioning_status: 'PENDING_DELETE' }),
      member(2, { provisioning_status: 'ERROR' }),
      member(3, { provisioning_status: 'ERROR', weight: 9, last_good: { weight: 3 } }),
    ],
  }),
};

describe('golden configurations', () => {
  test.for(Object.entries(goldens))('%s', async ([name, tree]) => {
    const { text, origins } = render(tree);
    await expect(text).toMatchFileSnapshot(`../golden/haproxy/${name}.cfg`);
    expect(origins).toHaveLength(text.split('\n').length);
    const verdict = await directory.check(text);
    expect(verdict.isValid, verdict.output).toBe(true);
  });
});

test('is the same text whatever order the rows come in', () => {
  const tree = goldens['listeners-sharing-a-pool']!;
  const reversed = { ...tree, listeners: tree.listeners.toReversed(), members: tree.members.toReversed() };
  expect(render(reversed)).toEqual(render(tree));
});

test('keeps names, descriptions and tags out of the text', () => {
  const words = { name: 'shop', description: 'shop', tags: ['shop'] };
  const tree = aTree({
    loadBalancer: aLoadBalancer(words),
    listeners: [aListener({ ...words, default_pool_id: idOf('pool') })],
    pools: [aPool(words)],
    healthMonitors: [aMonitor({ name: 'shop', tags: ['shop'] })],
    members: [member(1, { name: 'shop', tags: ['shop'] })],
  });
  expect(render(tree).text).not.toContain('shop');
});

test('leads from a complaint of haproxy -c to the member it is about', async () => {
  const { text, origins } = render(goldens['members']!);
  const broken = text.replace(`server ${idOf('member', 4)}`, `server ${idOf('member', 4)} nonsense`);
  const verdict = await directory.check(broken);
  expect(verdict.isValid).toBe(false);
  expect(verdict.lines.map((line) => origins[line - 1])).toContain(idOf('member', 4));
});

test('puts each line down to its resource', () => {
  const { text, origins } = render(monitored({ type: 'HTTP' }));
  const originOf = (start: string) => origins[text.split('\n').findIndex((line) => line.trim().startsWith(start))];
  expect(originOf('maxconn 50000')).toBe(null);
  expect(originOf('bind')).toBe(idOf('listener'));
  expect(originOf('timeout server')).toBe(idOf('listener'));
  expect(originOf('balance')).toBe(idOf('pool'));
  expect(originOf('http-check expect')).toBe(idOf('monitor'));
  expect(originOf('server ')).toBe(idOf('member'));
});

test.for([
  ['an address that HAProxy would take for a socket', { address: 'unix@/run/x' }],
  ['a host name', { address: 'localhost' }],
  ['an address with a zone', { address: 'fe80::1%eth0' }],
] as const)('refuses %s and names the member', ([, given]) => {
  const tree = aTree({ listeners: [toPool], pools: [aPool()], members: [member(1, given)] });
  expect(() => render(tree)).toThrow(expect.objectContaining({ name: 'Unrenderable', resource_id: idOf('member') }));
});

test.for(['', '204-200', '2oo', '200|.*'])('refuses to expect the codes %j', (codes) => {
  expect(() => render(monitored({ type: 'HTTP', expected_codes: codes }))).toThrow(Unrenderable);
});

test('renders 1,000 members in under 20 ms', () => {
  const members = Array.from({ length: 1_000 }, (_, index) =>
    aMember({ id: idOf('member', index), address: `10.0.${index >> 8}.${index & 255}`, monitor_address: '10.1.0.1' }),
  );
  const tree = aTree({ listeners: [toPool], pools: [aPool()], healthMonitors: [aMonitor()], members });
  const timesMs = Array.from({ length: 15 }, () => {
    const start = performance.now();
    render(tree);
    return performance.now() - start;
  });
  // The best of several, since other tests use the same processors.
  expect(Math.min(...timesMs)).toBeLessThan(20);
});
