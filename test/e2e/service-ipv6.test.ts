// VIPs of both families: a listener serves on all addresses of its load balancer, and tells its clients apart by either.
import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stableId } from '../../lambdas/drivers/network/subnets.ts';
import { obstacleToHostAddresses } from '../../local/network/host-addresses.ts';
import { ask } from '../support/asking.ts';
import { eventually } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import type { Attributes, LoadBalancer } from '../support/octavia-client.ts';
import { readProxyHeader } from '../support/proxy-protocol.ts';
import { answersHttp, RawMember } from '../support/raw-member.ts';
import { SessionMember } from '../support/session-member.ts';
import { listenerPort, webGraph } from '../support/web-load-balancer.ts';

const obstacle = obstacleToHostAddresses();
if (obstacle !== undefined) process.stdout.write(`  IPv6 VIPs are not tested: ${obstacle}\n`);

const group = () => randomInt(1, 65_536).toString(16);
const cidr = `fd78:${group()}:${group()}::/64`;
const subnets = { four: stableId('subnet:vip-subnet'), six: stableId('subnet:vip-subnet-v6') };

/** Addresses of the test's own on the loopback interface. */
const onLoopback = (): string[] => {
  const shown = execFileSync('ip', ['-6', 'address', 'show', 'dev', 'lo'], { encoding: 'utf8' });
  return [...shown.matchAll(/inet6 (\S+)\/128/g)]
    .map(([, address]) => address!)
    .filter((one) => one.startsWith(cidr.split('::')[0]!));
};

describe.skipIf(obstacle !== undefined)('VIPs of both families', () => {
  let service: LocalService;
  const members: SessionMember[] = [];
  let proxied: RawMember;
  beforeAll(async () => {
    service = await LocalService.start({ args: ['--vip-cidr-v6', cidr] });
    members.push(await SessionMember.start('one'), await SessionMember.start('two'));
    proxied = await RawMember.start('proxied', answersHttp);
  });
  afterAll(async () => {
    await service[Symbol.asyncDispose]();
    for (const address of onLoopback()) execFileSync('ip', ['-6', 'address', 'delete', `${address}/128`, 'dev', 'lo']);
    for (const one of [...members, proxied]) one[Symbol.dispose]();
  });

  const created = async (attributes: Attributes): Promise<LoadBalancer> => {
    const { id } = await service.api.createLoadBalancer(webGraph(members, attributes));
    return service.api.active(id);
  };
  const vipsOf = ({ vip_address, additional_vips }: LoadBalancer): string[] => [
    vip_address,
    ...(additional_vips as { ip_address: string }[]).map(({ ip_address }) => ip_address),
  ];
  const status = (address: string, from?: string) =>
    ask({ address, port: listenerPort, ...(from ? { from } : {}) }).then(
      (answer) => answer.status,
      () => 'nothing',
    );

  test('a load balancer with an IPv6 VIP serves there, and leaves no address behind when it is deleted', async () => {
    const loadBalancer = await created({ vip_subnet_id: subnets.six });
    expect(loadBalancer.vip_address).toMatch(/^fd78:/);
    expect(onLoopback()).toEqual([loadBalancer.vip_address]);
    expect(await status(loadBalancer.vip_address)).toBe(200);
    await service.api.delete('loadbalancers', `${loadBalancer.id}?cascade=true`);
    await service.api.gone('loadbalancers', loadBalancer.id);
    await eventually('its address is gone', () => onLoopback().length === 0);
  });

  test('a listener serves on the VIP and on additional VIPs, also after a failover, and allowed_cidrs hold for both families', async () => {
    const loadBalancer = await created({ vip_subnet_id: subnets.four, additional_vips: [{ subnet_id: subnets.six }] });
    const [four, six] = vipsOf(loadBalancer) as [string, string];
    expect([await status(four), await status(six)]).toEqual([200, 200]);
    await service.spare();
    await service.api.failover(loadBalancer.id);
    await service.api.active(loadBalancer.id);
    await eventually('both serve', async () => (await status(four)) === 200 && (await status(six)) === 200);
    const allow = async (allowed_cidrs: string[] | null) => {
      await service.api.update('listeners', loadBalancer.listeners[0]!.id, { allowed_cidrs });
      await service.api.active(loadBalancer.id);
      return [await status(four, '127.0.9.1'), await status(six, '::1'), await status(six, six)];
    };
    expect(await allow(['127.0.9.0/24', '::1/128'])).toEqual([200, 200, 'nothing']);
    expect(await allow([cidr])).toEqual(['nothing', 'nothing', 200]);
    expect(await allow(null)).toEqual([200, 200, 200]);
  });

  test('clients of both families stay with their members by SOURCE_IP', async () => {
    const loadBalancer = await created({ vip_subnet_id: subnets.four, additional_vips: [{ subnet_id: subnets.six }] });
    const [four, six] = vipsOf(loadBalancer) as [string, string];
    await service.api.update('pools', loadBalancer.pools[0]!.id, { session_persistence: { type: 'SOURCE_IP' } });
    await service.api.active(loadBalancer.id);
    const clients = [
      [four, '127.0.9.1'],
      [four, '127.0.9.2'],
      [six, '::1'],
      [six, six],
    ] as const;
    for (const [address, from] of clients) {
      const names = new Set<string>();
      for (let count = 0; count < 4; count += 1) names.add((await ask({ address, port: listenerPort, from })).text);
      expect(names.size).toBe(1);
    }
  });

  test('a member of a PROXY or PROXYV2 pool is told IPv6 addresses of clients', async () => {
    const pool = (protocol: string) => ({
      name: protocol,
      protocol,
      lb_algorithm: 'ROUND_ROBIN',
      members: [proxied.attributes],
    });
    const { id } = await service.api.createLoadBalancer({
      vip_subnet_id: subnets.six,
      listeners: [
        { protocol: 'TCP', protocol_port: 9001, default_pool: pool('PROXY') },
        { protocol: 'TCP', protocol_port: 9002, default_pool: pool('PROXYV2') },
      ],
    });
    const { vip_address } = await service.api.active(id);
    for (const [index, port] of [9001, 9002].entries()) {
      await ask({ address: vip_address, port, from: '::1' });
      expect(readProxyHeader(proxied.received[index]!)).toMatchObject({
        version: index + 1,
        source: '::1',
        destination: vip_address,
        destinationPort: port,
      });
    }
  });

  test('addresses are put back when the service starts on a machine that has been off', async () => {
    const { vip_address, id } = await created({ vip_subnet_id: subnets.six });
    await service.killAll();
    for (const address of onLoopback()) execFileSync('ip', ['-6', 'address', 'delete', `${address}/128`, 'dev', 'lo']);
    await service.restart();
    await service.api.active(id);
    await eventually('the VIP serves', async () => (await status(vip_address)) === 200);
    const noted = JSON.parse(readFileSync(join(service.state, 'host-addresses.json'), 'utf8'));
    expect(noted).toContain(vip_address);
  });
});
