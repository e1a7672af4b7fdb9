// UDP and SCTP listeners as keepalived's configuration. Golden files pass `keepalived -t` without a word.
import { afterAll, describe, expect, test } from 'vitest';
import type { HealthMonitorRow } from '../../lambdas/domain/health-monitor.ts';
import type { ListenerRow } from '../../lambdas/domain/listener.ts';
import type { LoadBalancerRow } from '../../lambdas/domain/load-balancer.ts';
import type { MemberRow } from '../../lambdas/domain/member.ts';
import type { PoolRow } from '../../lambdas/domain/pool.ts';
import type { Tree } from '../../lambdas/domain/tree.ts';
import { renderConfiguration } from '../../lambdas/haproxy/render.ts';
import { renderVirtualServers } from '../../lambdas/lvs/render.ts';
import { aListener, aLoadBalancer, aMember, aMonitor, aPool, aTree, idOf } from '../support/builders.ts';
import { KeepalivedDirectory } from '../support/keepalived.ts';

const directory = new KeepalivedDirectory();
afterAll(() => directory[Symbol.dispose]());

interface Given {
  listener?: Partial<ListenerRow>;
  pool?: Partial<PoolRow>;
  members?: Partial<MemberRow>[];
  monitor?: Partial<HealthMonitorRow>;
  loadBalancer?: Partial<LoadBalancerRow>;
}
const udp = { protocol: 'UDP', protocol_port: 53 } as const;
const serving = ({ listener, pool, members = [{}, {}], monitor, loadBalancer }: Given = {}): Tree =>
  aTree({
    loadBalancer: aLoadBalancer({ vip_address: '192.0.2.10', ...loadBalancer }),
    listeners: [aListener({ default_pool_id: idOf('pool'), ...udp, ...listener })],
    pools: [aPool({ protocol: 'UDP', ...pool })],
    members: members.map((member, index) =>
      aMember({ id: idOf('member', index + 1), address: `198.51.100.${index + 1}`, ...member }),
    ),
    healthMonitors: monitor ? [aMonitor(monitor)] : [],
  });
const persistence = { cookie_name: null, persistence_timeout: null, persistence_granularity: null };
const vip = (ip_address: string) => ({ subnet_id: idOf('other', 5), ip_address, port_id: idOf('other', 6) });
const sixth = { vip_address: '2001:DB8::0:10' };
const textOf = (tree: Tree) => renderVirtualServers(tree)?.text ?? '';

const goldens: Record<string, Tree> = {
  'round-robin': serving({ members: [{ weight: 7 }, { weight: 0 }, { admin_state_up: false }] }),
  'least-connections': serving({ pool: { lb_algorithm: 'LEAST_CONNECTIONS' }, listener: { connection_limit: 500 } }),
  'source-ip': serving({ pool: { lb_algorithm: 'SOURCE_IP' } }),
  sctp: serving({ listener: { protocol: 'SCTP' }, pool: { protocol: 'SCTP' } }),
  persistence: serving({ pool: { session_persistence: { type: 'SOURCE_IP', ...persistence } } }),
  'persistence-of-networks': serving({
    pool: {
      session_persistence: {
        type: 'SOURCE_IP',
        cookie_name: null,
        persistence_timeout: 60,
        persistence_granularity: '255.255.0.0',
      },
    },
  }),
  'persistence-of-networks-of-ipv6': serving({
    loadBalancer: sixth,
    members: [{ address: '2001:db8:0:0::1' }],
    pool: {
      session_persistence: {
        type: 'SOURCE_IP',
        cookie_name: null,
        persistence_timeout: null,
        persistence_granularity: 'ffff:ffff:ffff::',
      },
    },
  }),
  'monitor-udp-connect': serving({
    monitor: { type: 'UDP-CONNECT', max_retries_down: 1 },
    members: [{}, { monitor_address: '203.0.113.9', monitor_port: 99 }],
  }),
  'monitor-tcp': serving({ monitor: { type: 'TCP', delay: 0 } }),
  'monitor-http': serving({
    monitor: {
      type: 'HTTP',
      http_method: 'GET',
      http_version: 1.1,
      domain_name: 'example.com',
      url_path: "/it's ~so/$HOME?a=b#c!",
      expected_codes: '200, 202, 204-206',
    },
  }),
  'backup-member': serving({ members: [{}, { backup: true }] }),
  'only-backup-members': serving({ members: [{ weight: 0 }, { backup: true }, { backup: true }] }),
  'both-families': serving({
    loadBalancer: { additional_vips: [vip('2001:db8::10'), vip('192.0.2.11')] },
    members: [{}, { address: '2001:db8::1' }, { address: '2001:db8::2', backup: true }],
    pool: { session_persistence: { type: 'SOURCE_IP', ...persistence } },
  }),
  'without-members': serving({ members: [] }),
  'without-pool': serving({ listener: { default_pool_id: null } }),
};

describe('golden configurations of keepalived', () => {
  test.for(Object.entries(goldens))('%s', async ([name, tree]) => {
    const rendered = renderVirtualServers(tree)!;
    await expect(rendered.text).toMatchFileSnapshot(`../golden/keepalived/${name}.conf`);
    expect(rendered.origins).toHaveLength(rendered.text.split('\n').length);
    expect(await directory.check(rendered.text)).toEqual({ code: 0, output: '' });
  });
});

test('a pool that is being drained altogether makes keepalived warn, and no more', async () => {
  const { output } = await directory.check(textOf(serving({ members: [{ weight: 0 }] })));
  expect(output).toMatch(/^Warning - quorum 1 for .* exceeds total weight/);
  expect(output).not.toMatch(/Line \d+/);
});

test('each line is put down to whom it came from', () => {
  const { text, origins } = renderVirtualServers(goldens['monitor-udp-connect']!)!;
  const whose = (line: RegExp) => origins[text.split('\n').findIndex((one) => line.test(one))];
  expect(whose(/lb_algo/)).toBe(idOf('pool'));
  expect(whose(/virtual_server_group/)).toBe(idOf('listener'));
  expect(whose(/real_server 198\.51\.100\.2/)).toBe(idOf('member', 2));
  expect(whose(/UDP_CHECK/)).toBe(idOf('monitor'));
});

test('the same tree is the same text, in whatever order it was read', () => {
  const tree = goldens['both-families']!;
  expect(textOf({ ...tree, members: tree.members.toReversed() })).toBe(textOf(tree));
});

describe('there is nothing for keepalived', () => {
  test.for<[string, Tree]>([
    ['where all listeners are HAProxy’s', serving({ listener: { protocol: 'TCP' } })],
    ['while the listener is disabled', serving({ listener: { admin_state_up: false } })],
    ['while the load balancer is disabled', serving({ loadBalancer: { admin_state_up: false } })],
    ['once the listener is being deleted', serving({ listener: { provisioning_status: 'PENDING_DELETE' } })],
  ])('%s', ([, tree]) => {
    expect(renderVirtualServers(tree)).toBeUndefined();
  });
});

test('HAProxy hears nothing of UDP and SCTP listeners and their pools, nor counts their connections', () => {
  const options = { amphora_id: idOf('other', 9), hardStopAfterMs: 60_000 };
  const none = renderConfiguration(aTree(), options).text;
  for (const protocol of ['UDP', 'SCTP'] as const) {
    expect(renderConfiguration(serving({ listener: { protocol }, pool: { protocol } }), options).text).toBe(none);
  }
});

describe('what keepalived cannot be told is refused, and put down to', () => {
  const monitored = (monitor: Partial<HealthMonitorRow>) => serving({ monitor });
  const http = { type: 'HTTP', expected_codes: '200' } as const;
  test.for<[string, string, Tree]>([
    ['a listener with allowed_cidrs', idOf('listener'), serving({ listener: { allowed_cidrs: ['192.0.2.0/24'] } })],
    ['a pool by SOURCE_IP_PORT', idOf('pool'), serving({ pool: { lb_algorithm: 'SOURCE_IP_PORT' } })],
    ['an SCTP monitor', idOf('monitor'), monitored({ type: 'SCTP' })],
    ['a monitor with POST', idOf('monitor'), monitored({ ...http, http_method: 'POST' })],
    ['a monitor that expects nonsense', idOf('monitor'), monitored({ ...http, expected_codes: '200-' })],
    ['a path that is too long', idOf('monitor'), monitored({ ...http, url_path: `/${'a'.repeat(1_000)}` })],
    ['the second backup member', idOf('member', 3), serving({ members: [{}, { backup: true }, { backup: true }] })],
    ['a member without an address', idOf('member', 1), serving({ members: [{ address: '1.2.3.4 5 {' }] })],
    [
      'a mask that is no prefix',
      idOf('pool'),
      serving({
        loadBalancer: sixth,
        members: [{ address: '2001:db8::1' }],
        pool: { session_persistence: { ...persistence, type: 'SOURCE_IP', persistence_granularity: 'ffff::ffff' } },
      }),
    ],
  ])('%s', ([, resource_id, tree]) => {
    expect(() => renderVirtualServers(tree)).toThrow(expect.objectContaining({ name: 'Unrenderable', resource_id }));
  });
});
