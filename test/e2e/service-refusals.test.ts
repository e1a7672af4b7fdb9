// The service as an ordinary user, and what an amphora refuses: the listener that brought it is in ERROR and says why, everything
// else serves on, and the next write heals it.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundledAgent } from '../../local/agent-bundle.ts';
import { eventually } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import { answersFrom, request, TestMember } from '../support/traffic.ts';
import { createWeb, listenerPort, type WebLoadBalancer, webGraph } from '../support/web-load-balancer.ts';

const nobody = 65_534;
const isRoot = process.getuid?.() === 0;

let service: LocalService;
let member: TestMember;
let web: WebLoadBalancer;
beforeAll(async () => {
  // An ordinary user may not write it into a checkout of somebody else's.
  await bundledAgent();
  service = await LocalService.start(isRoot ? { uid: nobody } : {});
  member = await TestMember.start('member');
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  member[Symbol.dispose]();
});

const served = () => answersFrom(web.vip, listenerPort, 3);
const reasonOf = (id: string): string =>
  String((service.lines.findLast(({ resource_id }) => resource_id === id)?.['detail'] as { reason?: string })?.reason);

async function occupy(host: string, port: number): Promise<Server> {
  const server = createServer((socket) => socket.end());
  await once(server.listen({ host, port, exclusive: true }), 'listening');
  return server;
}

async function leave(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

const listenerOn = (protocol_port: number) =>
  service.api.create('listeners', {
    loadbalancer_id: web.id,
    protocol: 'HTTP',
    protocol_port,
    default_pool_id: web.poolId,
  });

test('works whole for an ordinary user', async () => {
  web = await createWeb(service, [member]);
  expect(await served()).toEqual(new Set(['member']));
});

test('puts a listener in ERROR whose port another program has on the VIP, and heals it when the port is free', async () => {
  const squatter = await occupy(web.vip, 8090);
  const listener = await listenerOn(8090);
  await service.api.becomes('listeners', listener.id, 'ERROR');
  await service.api.active(web.id);
  expect(await served()).toEqual(new Set(['member']));
  await eventually('the reason is told', () => reasonOf(listener.id).includes('taken by another process'));
  expect(reasonOf(listener.id)).toContain(`${web.vip}:8090`);

  await leave(squatter);
  await service.api.update('listeners', listener.id, { name: 'once more' });
  await service.api.becomes('listeners', listener.id, 'ACTIVE');
  expect(await answersFrom(web.vip, 8090, 3)).toEqual(new Set(['member']));
  expect(await served()).toEqual(new Set(['member']));
});

test('goes on changing a load balancer that has a listener in ERROR, and deletes that listener', async () => {
  const squatter = await occupy(web.vip, 8091);
  const listener = await listenerOn(8091);
  await service.api.becomes('listeners', listener.id, 'ERROR');
  using second = await TestMember.start('second');
  const { id } = await service.api.create(`pools/${web.poolId}/members`, second.attributes);
  await service.api.active(web.id);
  expect(await answersFrom(web.vip, listenerPort, 4)).toEqual(new Set(['member', 'second']));
  expect((await service.api.show('listeners', listener.id)).provisioning_status).toBe('ERROR');
  await service.api.delete(`pools/${web.poolId}/members`, id);
  await service.api.delete('listeners', listener.id);
  await service.api.gone('listeners', listener.id);
  await service.api.active(web.id);
  await leave(squatter);
});

test('creates a load balancer though one of its listeners cannot be', async () => {
  const vip_address = web.vip.replace(/\d+$/, '77');
  const squatter = await occupy(vip_address, listenerPort);
  const graph = webGraph([member], { name: 'half', vip_address });
  const listeners = graph['listeners'] as Record<string, unknown>[];
  const other = { name: 'other', protocol: 'HTTP', protocol_port: 8081, default_pool: { name: 'web' } };
  const { id } = await service.api.createLoadBalancer({ ...graph, listeners: [...listeners, other] });
  await service.api.active(id);
  const shown = (await service.api.list('listeners')).filter(({ loadbalancers }) =>
    JSON.stringify(loadbalancers).includes(id),
  );
  expect(Object.fromEntries(shown.map(({ name, provisioning_status }) => [name, provisioning_status]))).toEqual({
    web: 'ERROR',
    other: 'ACTIVE',
  });
  expect(await request(vip_address, 8081)).toBe('member');
  await leave(squatter);
});

/** In many containers every port is open to everybody. */
const firstOpenPort = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));

test('tells an ordinary user why a port below 1024 cannot be', async ({ skip }) => {
  skip(firstOpenPort <= 80, 'this machine lets ordinary users have port 80');
  const listener = await listenerOn(80);
  await service.api.becomes('listeners', listener.id, 'ERROR');
  await service.api.active(web.id);
  expect(await served()).toEqual(new Set(['member']));
  await eventually('the reason is told', () => reasonOf(listener.id).includes('ports below 1024 need root'));
});
