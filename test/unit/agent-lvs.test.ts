// What the agent reads of keepalived's part of a push, of the kernel's tables, and of keepalived's complaints. The tables are as a kernel
// with ip_vs printed them.
import { describe, expect, test } from 'vitest';
import { outline } from '../../amphora/agent/config-diff.ts';
import { materialise } from '../../amphora/agent/configuration.ts';
import { documentsIn, lvsListeners } from '../../amphora/agent/lvs/documents.ts';
import { readServices, readTraffic } from '../../amphora/agent/lvs/kernel-table.ts';
import { readComplaints } from '../../amphora/agent/lvs/lvs-check.ts';
import { lvsStates, trafficRows } from '../../amphora/agent/lvs/states.ts';
import { readStates } from '../../amphora/agent/statistics.ts';
import { renderAmphora } from '../../lambdas/controller/amphora-configuration.ts';
import type { Tree } from '../../lambdas/domain/tree.ts';
import { aListener, aLoadBalancer, aMember, aMonitor, aPool, aTree, idOf } from '../support/builders.ts';
import { KeepalivedDirectory } from '../support/keepalived.ts';

const options = { amphora_id: idOf('other', 9), hardStopAfterMs: 60_000 };
const vip = (ip_address: string) => ({ subnet_id: idOf('other', 5), ip_address, port_id: idOf('other', 6) });
const tree = (given: Partial<Tree> = {}): Tree =>
  aTree({
    loadBalancer: aLoadBalancer({ vip_address: '127.0.5.5', additional_vips: [vip('2001:db8::10')] }),
    listeners: [
      aListener(),
      aListener({ id: idOf('listener', 2), protocol: 'UDP', protocol_port: 53, default_pool_id: idOf('pool') }),
    ],
    pools: [aPool({ protocol: 'UDP' })],
    healthMonitors: [aMonitor({ type: 'UDP-CONNECT' })],
    members: [
      aMember({ id: idOf('member', 1), address: '127.0.0.1', protocol_port: 9001 }),
      aMember({ id: idOf('member', 2), address: '127.0.0.1', protocol_port: 9002 }),
      aMember({ id: idOf('member', 3), address: '127.0.0.1', protocol_port: 9003, weight: 0 }),
      aMember({ id: idOf('member', 4), address: '127.0.0.1', protocol_port: 9004, admin_state_up: false }),
      aMember({ id: idOf('member', 5), address: '127.0.0.1', protocol_port: 9009, backup: true }),
      aMember({ id: idOf('member', 6), address: '2001:db8::1', protocol_port: 9001 }),
    ],
    ...given,
  });
const { text, origins } = renderAmphora(tree(), options);
const listeners = lvsListeners(documentsIn(text).keepalived);

const table = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
UDP  7F000505:0035 wrr persistent 360 FFFFFFFF
  -> 7F000001:2329      Masq    2      0          9         
  -> 7F000001:232B      Masq    0      1          2         
UDP  [2001:0db8:0000:0000:0000:0000:0000:0010]:0035 wrr persistent 360 128
  -> [2001:0db8:0000:0000:0000:0000:0000:0001]:2329      Masq    1      0          4         
SCTP 7F000505:0035 sh  
  -> 7F000001:2329      Masq    1      0          0         
`;
const withOnlyBackup = table
  .replace(/ {2}-> 7F000001:232B.*\n/, '')
  .replace('7F000001:2329      Masq    2', '7F000001:2331      Masq    1')
  .replace(/ {2}-> \[.*\n/, '');

describe('the text of a push', () => {
  test('is HAProxy’s to the dividing line, and line for line what origins tell', () => {
    const { haproxy, keepalived, linesBefore } = documentsIn(text);
    expect(origins).toHaveLength(text.split('\n').length);
    expect(text.split('\n')[linesBefore]).toBe('global_defs {');
    expect(haproxy).not.toContain('virtual_server');
    expect(keepalived).toMatch(/^global_defs/);
    expect(origins[linesBefore + listeners[0]!.line - 1]).toBe(idOf('listener', 2));
  });

  test('has nothing for keepalived without UDP and SCTP listeners', () => {
    const plain = renderAmphora(tree({ listeners: [aListener()] }), options).text;
    expect(documentsIn(plain)).toEqual({ haproxy: plain, keepalived: '', linesBefore: 0 });
  });

  test('of UDP listeners is no news to HAProxy', () => {
    const plain = renderAmphora(tree({ listeners: [aListener()] }), options).text;
    expect(outline(text)).toEqual(outline(plain));
    expect(materialise(text, null)).toBe(materialise(plain, null));
  });

  test('says where a listener is served and by whom', () => {
    expect(listeners).toMatchObject([
      {
        id: idOf('listener', 2),
        protocol: 'UDP',
        places: [
          { address: '127.0.5.5', port: 53 },
          { address: '2001:db8::10', port: 53 },
        ],
        pool: { id: idOf('pool'), isMonitored: true },
      },
    ]);
    const roles = listeners[0]!.pool!.members.map(({ role }) => role);
    expect(roles).toEqual(['server', 'server', 'server', 'disabled', 'backup', 'server']);
  });
});

describe('the kernel’s tables', () => {
  test('have services and members of both families', () => {
    const [first, second, third] = readServices(table);
    expect(first).toEqual({
      protocol: 'UDP',
      address: '127.0.5.5',
      port: 53,
      members: [
        { address: '127.0.0.1', port: 9001, weight: 2, connections: 9 },
        { address: '127.0.0.1', port: 9003, weight: 0, connections: 3 },
      ],
    });
    expect(second).toMatchObject({ address: '2001:db8::10', members: [{ address: '2001:db8::1', port: 9001 }] });
    expect(third).toMatchObject({ protocol: 'SCTP', port: 53 });
    expect(readServices('')).toEqual([]);
  });

  const states = (given: string) => lvsStates(listeners, readServices(given));
  const name = `${idOf('pool')}:${idOf('listener', 2)}`;

  test('say of members what HAProxy would: up, down when keepalived took them out, draining, disabled, a backup unchecked', () => {
    expect(states(table).listeners).toEqual({ [idOf('listener', 2)]: { status: 'OPEN', conns: 16 } });
    const { status, members } = states(table).pools[name]!;
    expect(status).toBe('UP');
    expect(Object.values(members)).toEqual(['UP', 'DOWN', 'DRAIN', 'MAINT', 'no check', 'UP']);
  });

  test('a pool is down when its last member is, unless the backup stands in', () => {
    const { status, members } = states(withOnlyBackup).pools[name]!;
    expect(status).toBe('UP');
    expect(Object.values(members)).toEqual(['DOWN', 'DOWN', 'DOWN', 'MAINT', 'no check', 'DOWN']);
    expect(states(withOnlyBackup.replace(/ {2}-> 7F000001:2331.*\n/, '')).pools[name]!.status).toBe('DOWN');
  });

  test('nothing is said of a listener that is not in them', () => {
    expect(states('')).toEqual({ listeners: {}, pools: {} });
    expect(states(table.replace(/UDP {2}\[.*\n.*\n/, ''))).toEqual({ listeners: {}, pools: {} });
  });

  test('members without a monitor are not checked', () => {
    const unmonitored = lvsListeners(documentsIn(renderAmphora(tree({ healthMonitors: [] }), options).text).keepalived);
    const [pool] = Object.values(lvsStates(unmonitored, readServices(table)).pools);
    expect(Object.values(pool!.members)).toEqual(['no check', 'no check', 'DRAIN', 'MAINT', 'no check', 'no check']);
  });

  test('HAProxy’s statistics and these are apart', () => {
    expect(readStates([], outline(text))).toEqual({ listeners: {}, pools: {} });
  });

  test('ipvsadm tells the traffic of a listener on all its VIPs', () => {
    const stats = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
UDP  127.0.5.5:53                        5        5        5      145      165
  -> 127.0.0.1:9001                      5        5        5      145      165
UDP  [2001:db8::10]:53                   2        2        1       60       40
  -> [2001:db8::1]:9001                  2        2        1       60       40
UDP  127.0.5.5:54                        9        9        9      999      999
`;
    const [row] = trafficRows(listeners, readTraffic(stats));
    expect(row).toMatchObject({ proxy: idOf('listener', 2), part: 'FRONTEND' });
    expect(row!.traffic).toEqual({ rx: 205, tx: 205, totconns: 7, ereq: 0 });
  });
});

describe('keepalived’s complaints', () => {
  const directory = new KeepalivedDirectory();
  const complaintsOf = async (document: string) => readComplaints((await directory.check(document)).output, document);
  const { keepalived } = documentsIn(text);
  const lineOf = (document: string, part: string) => document.split('\n').findIndex((line) => line.includes(part)) + 1;

  test.for<[string, RegExp, string, RegExp]>([
    ['an unknown keyword', /lb_algo wrr/, 'frobnicate wrr', /Unknown keyword/],
    ['an unknown algorithm', /lb_algo wrr/, 'lb_algo nonesuch', /Invalid lvs_scheduler/],
    ['a port that is none', /127\.0\.5\.5 53/, '127.0.5.5 99999', /outside range/],
    [
      'a member that is no address',
      /real_server 127\.0\.0\.1 9001/,
      'real_server example.com 9001',
      /Invalid real server/,
    ],
    ['a value that ends with 0 all the same', /delay_loop 5/, 'delay_loop 5\n    retry 0', /outside range/],
  ])('name the line of %s', async ([, from, to, said]) => {
    const document = keepalived.replace(from, to);
    const line = lineOf(document, to.split('\n').at(-1)!.trim());
    expect(await complaintsOf(document)).toContainEqual({ line, message: expect.stringMatching(said) });
  });

  test('name the virtual server where they name no line', async () => {
    const document = keepalived.replace(/ {4}(?:real|sorry)_server [\s\S]*?\n}\nvirtual/, '}\nvirtual');
    const line = lineOf(document, 'virtual_server group');
    expect(await complaintsOf(document)).toContainEqual({ line, message: expect.stringContaining('no real servers') });
  });

  test('are none of a pool that is being drained', async () => {
    expect(await complaintsOf(keepalived.replaceAll(/weight \d/g, 'weight 0'))).toEqual([]);
  });
});
