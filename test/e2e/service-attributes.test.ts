// What attributes of listeners and pools promise is true of the traffic, and what is not served says why without harming the rest.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LocalService } from '../support/local-service.ts';
import { TestMember } from '../support/traffic.ts';
import { createWeb, listenerPort, type WebLoadBalancer } from '../support/web-load-balancer.ts';

let service: LocalService;
let web: WebLoadBalancer;
const members: TestMember[] = [];

beforeAll(async () => {
  service = await LocalService.start();
  members.push(await TestMember.start('one'), await TestMember.start('two'));
  web = await createWeb(service, members);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  for (const one of members) one[Symbol.dispose]();
});

const ask = async (headers: Record<string, string> = {}) => {
  const answer = await fetch(`http://${web.vip}:${listenerPort}/`, { headers });
  const [cookie = ''] = (answer.headers.get('set-cookie') ?? '').split(';');
  return { name: await answer.text(), cookie };
};
const change = async (collection: string, id: string, attributes: Record<string, unknown>) => {
  await service.api.update(collection, id, attributes);
  await service.api.active(web.id);
};
/** Members that a client who brings these headers meets in eight requests. */
async function met(headers: Record<string, string> = {}): Promise<number> {
  const names = new Set<string>();
  for (let count = 0; count < 8; count += 1) names.add((await ask(headers)).name);
  return names.size;
}

test('session persistence by cookie keeps a client at its member, also when a member is added, and ends when it is taken away', async () => {
  expect(await met()).toBe(2);
  await change('pools', web.poolId, { session_persistence: { type: 'HTTP_COOKIE' } });
  const { cookie } = await ask();
  expect(cookie).toMatch(/^SRV=/);
  expect(await met({ cookie })).toBe(1);
  members.push(await TestMember.start('three'));
  await service.api.create(`pools/${web.poolId}/members`, members[2]!.attributes);
  await service.api.active(web.id);
  expect(await met({ cookie })).toBe(1);
  expect(await met()).toBe(3);
  await change('pools', web.poolId, { session_persistence: null });
  expect(await met({ cookie })).toBe(3);
});

test('allowed_cidrs keep out whoever they do not name, from the moment they are in force', async () => {
  await change('listeners', web.listenerId, { allowed_cidrs: ['192.0.2.0/24'] });
  await expect(ask()).rejects.toThrow();
  await change('listeners', web.listenerId, { allowed_cidrs: ['192.0.2.0/24', '127.0.0.0/8'] });
  expect((await ask()).name).toMatch(/one|two|three/);
  await change('listeners', web.listenerId, { allowed_cidrs: null });
});

test('a listener of a protocol that is not served ends in ERROR, and everything else goes on', async () => {
  const { id } = await service.api.create('listeners', {
    loadbalancer_id: web.id,
    protocol: 'UDP',
    protocol_port: listenerPort,
  });
  await service.api.becomes('listeners', id, 'ERROR');
  await service.api.active(web.id);
  expect((await ask()).name).toMatch(/one|two|three/);
  await change('listeners', web.listenerId, { name: 'still here' });
  expect((await ask()).name).toMatch(/one|two|three/);
  await service.api.delete('listeners', id);
  expect(await service.api.gone('listeners', id)).toBe(true);
  expect(await service.api.active(web.id)).toMatchObject({ listeners: [{ id: web.listenerId }] });
});
