// UDP listeners from the API to the datagram. Where the kernel has ip_vs datagrams go through the VIP; where it has not, the listener says
// so, and is in nobody's way.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askByDatagram, datagramsAnsweredBy, UdpMember } from '../support/datagrams.ts';
import { eventually } from '../support/eventually.ts';
import { reasonWithoutIpVs } from '../support/keepalived.ts';
import { LocalService } from '../support/local-service.ts';
import type { LoadBalancer, Resource } from '../support/octavia-client.ts';
import { answersFrom, TestMember } from '../support/traffic.ts';
import { asWeb, listenerPort, type WebLoadBalancer, webGraph } from '../support/web-load-balancer.ts';

const port = 5_353;
const slowly = 180_000;
let service: LocalService;
let web: WebLoadBalancer;
let member: TestMember;
let one: UdpMember;
let two: UdpMember;

beforeAll(async () => {
  service = await LocalService.start();
  member = await TestMember.start('web');
  one = await UdpMember.start('one');
  two = await UdpMember.start('two');
  const { id } = await service.api.createLoadBalancer(webGraph([member], { name: 'mixed' }));
  web = asWeb(await service.api.active(id, slowly));
}, slowly);
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  for (const each of [member, one, two]) each[Symbol.dispose]();
});

const monitor = { type: 'UDP-CONNECT', delay: 3, timeout: 1, max_retries: 1, max_retries_down: 1 };
const graphOf = (members: UdpMember[]) => ({
  name: 'dns',
  protocol: 'UDP',
  protocol_port: port,
  default_pool: {
    name: 'dns',
    protocol: 'UDP',
    lb_algorithm: 'ROUND_ROBIN',
    healthmonitor: monitor,
    members: members.map(({ attributes }) => attributes),
  },
});
/** Beside the HTTP listener, piece by piece. */
async function createDns(members: UdpMember[]): Promise<{ id: string; poolId: string }> {
  const pool = { loadbalancer_id: web.id, name: 'dns', protocol: 'UDP', lb_algorithm: 'ROUND_ROBIN' };
  const { id: poolId } = await service.api.create('pools', pool);
  await service.api.replaceMembers(
    poolId,
    members.map(({ attributes }) => attributes),
  );
  await service.api.create('healthmonitors', { ...monitor, pool_id: poolId });
  const listener = { loadbalancer_id: web.id, protocol: 'UDP', protocol_port: port, default_pool_id: poolId };
  const { id } = await service.api.create('listeners', { ...listener, name: 'dns' });
  return { id, poolId };
}
const servesHttp = async () => expect(await answersFrom(web.vip, listenerPort, 3)).toEqual(new Set(['web']));
const explained = async (id: string) =>
  JSON.stringify(await service.api.call('GET', `/v2.0/lbaas/loadbalancers/${id}/explain`));

describe.skipIf(reasonWithoutIpVs === null)(`without ip_vs (${reasonWithoutIpVs})`, () => {
  test('a UDP listener ends in ERROR with the reason, HTTP is served all along, and the listener heals or goes', async () => {
    const { id } = await createDns([one]);
    await service.api.becomes('listeners', id, 'ERROR');
    await service.api.active(web.id);
    expect(await explained(web.id)).toContain("this amphora's kernel has no ip_vs");
    await servesHttp();

    await service.api.update('listeners', web.listenerId, { name: 'still here' });
    await service.api.active(web.id);
    await servesHttp();

    // Disabled it asks for nothing that the amphora lacks.
    await service.api.update('listeners', id, { admin_state_up: false });
    await service.api.becomes('listeners', id, 'ACTIVE');
    await service.api.update('listeners', id, { admin_state_up: true });
    await service.api.becomes('listeners', id, 'ERROR');
    await service.api.delete('listeners', id);
    expect(await service.api.gone('listeners', id)).toBe(true);
    expect(await service.api.active(web.id)).toMatchObject({ listeners: [{ id: web.listenerId }] });
    await servesHttp();
  });

  test('a load balancer with nothing but a UDP listener becomes ACTIVE, and can be deleted', async () => {
    const { id } = await service.api.createLoadBalancer({ name: 'dns only', listeners: [graphOf([one])] });
    const [listener] = (await service.api.active(id)).listeners;
    await service.api.becomes('listeners', listener!.id, 'ERROR');
    expect(await explained(id)).toContain("this amphora's kernel has no ip_vs");
    await service.api.call('DELETE', `/v2.0/lbaas/loadbalancers/${id}?cascade=true`);
    expect(await service.api.gone('loadbalancers', id)).toBe(true);
  });
});

describe.skipIf(reasonWithoutIpVs !== null)(`with ip_vs${reasonWithoutIpVs ? ` (${reasonWithoutIpVs})` : ''}`, () => {
  test(
    'datagrams go to members that are up, beside HTTP, and are counted',
    async () => {
      const { id, poolId } = await createDns([one, two]);
      await service.api.becomes('listeners', id, 'ACTIVE', slowly);
      await service.api.active(web.id, slowly);
      expect(await datagramsAnsweredBy(web.vip, port)).toEqual(['one', 'two']);
      await servesHttp();

      const statuses = async () => {
        const members = await service.api.list<Resource & { name: string; operating_status: string }>(
          `pools/${poolId}/members`,
        );
        return members.map(({ name, operating_status }) => `${name} ${operating_status}`).sort();
      };
      const are = (...wanted: string[]) =>
        eventually(wanted.join(), async () => (await statuses()).join() === wanted.join(), slowly);
      await are('one ONLINE', 'two ONLINE');
      two.stop();
      await are('one ONLINE', 'two ERROR');
      expect(await datagramsAnsweredBy(web.vip, port)).toEqual(['one']);
      await two.start();
      await are('one ONLINE', 'two ONLINE');

      const counted = async () => (await service.api.statistics(web.id)).total_connections;
      await eventually('datagrams are counted', async () => (await counted()) >= 16, slowly);

      await service.api.delete('listeners', id);
      expect(await service.api.gone('listeners', id, slowly)).toBe(true);
      expect(await askByDatagram(web.vip, port)).toBeUndefined();
      await servesHttp();
    },
    2 * slowly,
  );

  test(
    'a load balancer with nothing but a UDP listener serves it, from another amphora after a failover too',
    async () => {
      const given = { name: 'dns only', listeners: [graphOf([one])] };
      const { id } = await service.api.createLoadBalancer(given);
      const { vip_address }: LoadBalancer = await service.api.active(id, slowly);
      expect(await datagramsAnsweredBy(vip_address, port, 3)).toEqual(['one']);
      await service.api.failover(id);
      await service.api.active(id, slowly);
      expect(await datagramsAnsweredBy(vip_address, port, 3)).toEqual(['one']);
      await service.api.call('DELETE', `/v2.0/lbaas/loadbalancers/${id}?cascade=true`);
      expect(await service.api.gone('loadbalancers', id, slowly)).toBe(true);
      expect(await askByDatagram(vip_address, port)).toBeUndefined();
    },
    2 * slowly,
  );
});
