// What L7 policies promise is true of the traffic, in the order of their positions whatever their actions are.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LocalService } from '../support/local-service.ts';
import type { Attributes } from '../support/octavia-client.ts';
import { TestMember } from '../support/traffic.ts';
import { createWeb, listenerPort, type WebLoadBalancer } from '../support/web-load-balancer.ts';

let service: LocalService;
let web: WebLoadBalancer;
const members: TestMember[] = [];

beforeAll(async () => {
  service = await LocalService.start();
  members.push(await TestMember.start('default'), await TestMember.start('api'));
  web = await createWeb(service, [members[0]!]);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  for (const one of members) one[Symbol.dispose]();
});

const ask = async (path: string, headers: Record<string, string> = {}) => {
  const answer = await fetch(`http://${web.vip}:${listenerPort}${path}`, { headers, redirect: 'manual' });
  return { status: answer.status, location: answer.headers.get('location'), text: await answer.text() };
};

/** A policy with its rules, in force when it returns. */
async function policy(attributes: Attributes, ...rules: Attributes[]): Promise<string> {
  const { id } = await service.api.create('l7policies', { listener_id: web.listenerId, ...attributes });
  for (const rule of rules) await service.api.create(`l7policies/${id}/rules`, rule);
  await service.api.active(web.id);
  return id;
}

const path = (value: string) => ({ type: 'PATH', compare_type: 'STARTS_WITH', value });

test('redirects, rejects and chooses pools by what a request is like', async () => {
  const pool = await service.api.create('pools', {
    loadbalancer_id: web.id,
    protocol: 'HTTP',
    lb_algorithm: 'ROUND_ROBIN',
  });
  await service.api.create(`pools/${pool.id}/members`, members[1]!.attributes);
  await policy({ action: 'REDIRECT_TO_POOL', redirect_pool_id: pool.id }, path('/api'));
  await policy(
    { action: 'REDIRECT_TO_URL', redirect_url: 'https://new.example/?a=%20b', redirect_http_code: 308 },
    path('/old'),
  );
  await policy({ action: 'REDIRECT_PREFIX', redirect_prefix: 'https://secure.example' }, path('/secure'));
  await policy({ action: 'REJECT' }, path('/'), {
    type: 'HEADER',
    compare_type: 'EQUAL_TO',
    key: 'X-Bad',
    value: 'yes',
  });
  await policy({ action: 'REJECT' }, { type: 'FILE_TYPE', compare_type: 'EQUAL_TO', value: 'php' });

  expect(await ask('/')).toMatchObject({ status: 200, text: 'default' });
  expect(await ask('/api/1')).toMatchObject({ status: 200, text: 'api' });
  expect(await ask('/old')).toMatchObject({ status: 308, location: 'https://new.example/?a=%20b' });
  expect(await ask('/secure/a?b=c')).toMatchObject({ status: 302, location: 'https://secure.example/secure/a?b=c' });
  expect(await ask('/', { 'x-bad': 'yes' })).toMatchObject({ status: 403 });
  expect(await ask('/index.php')).toMatchObject({ status: 403 });
});

test('asks policies by position: a pool chosen first is not overruled by a later REJECT', async () => {
  // The policy for /api is at position 1, the one that rejects the header at 4.
  expect(await ask('/api/1', { 'x-bad': 'yes' })).toMatchObject({ status: 200, text: 'api' });
  const { l7policies } = (await service.api.show('listeners', web.listenerId)) as unknown as {
    l7policies: { id: string }[];
  };
  await service.api.update('l7policies', l7policies[3]!.id, { position: 1 });
  await service.api.active(web.id);
  expect(await ask('/api/1', { 'x-bad': 'yes' })).toMatchObject({ status: 403 });
});
