// L7 policies decide in the order the user sees, whatever their actions are, however they are moved, disabled and changed.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, ask } from '../support/asking.ts';
import { chosen, type L7Request, type Policy, type Rule } from '../support/l7-reference.ts';
import { LocalService } from '../support/local-service.ts';
import type { Attributes, Resource } from '../support/octavia-client.ts';
import { seeded } from '../support/random.ts';
import { SessionMember } from '../support/session-member.ts';
import { createWeb, listenerPort, type WebLoadBalancer, webGraph } from '../support/web-load-balancer.ts';

let service: LocalService;
let web: WebLoadBalancer;
let poolIds: Record<string, string>;
const members: SessionMember[] = [];

beforeAll(async () => {
  service = await LocalService.start();
  for (const name of ['default', 'red', 'blue']) members.push(await SessionMember.start(name));
  web = await createWeb(service, [members[0]!]);
  poolIds = { red: await pool(members[1]!), blue: await pool(members[2]!) };
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  for (const one of members) one[Symbol.dispose]();
});

async function pool(member: SessionMember): Promise<string> {
  const given = { loadbalancer_id: web.id, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', name: member.name };
  const { id } = await service.api.create('pools', given);
  await service.api.create(`pools/${id}/members`, member.attributes);
  return id;
}

interface ShownPolicy extends Resource, Policy {
  redirect_pool_id: string | null;
  redirect_url: string | null;
  redirect_prefix: string | null;
  redirect_http_code: number | null;
}

/** As the API shows them. */
async function policies(): Promise<ShownPolicy[]> {
  const listed = await service.api.list<ShownPolicy>(`l7policies?listener_id=${web.listenerId}`);
  return Promise.all(
    listed.map(async (one) => ({
      ...one,
      rules: await service.api.list<Resource & Rule>(`l7policies/${one.id}/rules`),
    })),
  );
}

async function add(attributes: Attributes, ...rules: Attributes[]): Promise<string> {
  const { id } = await service.api.create('l7policies', { listener_id: web.listenerId, ...attributes });
  for (const rule of rules) await service.api.create(`l7policies/${id}/rules`, rule);
  await service.api.active(web.id);
  return id;
}
const change = async (id: string, attributes: Attributes) => {
  await service.api.update('l7policies', id, attributes);
  await service.api.active(web.id);
};
const get = (path: string, headers: Record<string, string> = {}) =>
  ask({ address: web.vip, port: listenerPort, path, headers });

/** What a policy does with a request, as an answer shows it. */
function outcome(policy: ShownPolicy | undefined, { path }: L7Request): string {
  if (policy === undefined) return '200 default';
  if (policy.action === 'REJECT') return '403';
  if (policy.redirect_url !== null) return `${policy.redirect_http_code} ${policy.redirect_url}`;
  if (policy.redirect_prefix !== null) return `${policy.redirect_http_code} ${policy.redirect_prefix}${path}`;
  return `200 ${Object.keys(poolIds).find((name) => poolIds[name] === policy.redirect_pool_id)}`;
}

function shown({ status, headers, text }: Answer): string {
  if (status === 200) return `200 ${text}`;
  return headers.location === undefined ? String(status) : `${status} ${headers.location}`;
}

const starts = (value: string, more: Attributes = {}) => ({
  type: 'PATH',
  compare_type: 'STARTS_WITH',
  value,
  ...more,
});
const hostIs = (value: string, more: Attributes = {}) => ({
  type: 'HOST_NAME',
  compare_type: 'EQUAL_TO',
  value,
  ...more,
});
const hosts = ['a.example', 'b.example:8080'];
const requests: L7Request[] = ['/', '/a', '/a/b', '/a/b/c', '/b', '/c?x=1'].flatMap((path) =>
  hosts.map((host) => ({ path, headers: { host } })),
);

async function agreesWithTheList(): Promise<Set<string>> {
  const list = await policies();
  const expected = requests.map((request) => outcome(chosen(list, request), request));
  const answers = await Promise.all(requests.map(({ path, headers }) => get(path, headers)));
  expect(answers.map(shown)).toEqual(expected);
  return new Set(expected);
}

test('policies of all actions decide by position, also after they are moved, disabled and enabled at random', async () => {
  await add({ action: 'REDIRECT_TO_POOL', redirect_pool_id: poolIds['red'] }, starts('/a'));
  await add({ action: 'REJECT' }, starts('/a/b'));
  await add({ action: 'REDIRECT_TO_URL', redirect_url: 'https://u.example/?q=%20' }, hostIs('b.example'));
  await add(
    { action: 'REDIRECT_PREFIX', redirect_prefix: 'https://p.example', redirect_http_code: 301 },
    starts('/a'),
    hostIs('a.example', { invert: true }),
  );
  await add({ action: 'REDIRECT_TO_POOL', redirect_pool_id: poolIds['blue'] }, starts('/'), hostIs('a.example'));
  await add({ action: 'REJECT' }, starts('/c'));
  await add({ action: 'REDIRECT_TO_POOL', redirect_pool_id: poolIds['red'] });
  const random = seeded(7);
  const seen = new Set<string>();
  for (let round = 0; round < 14; round += 1) {
    for (const one of await agreesWithTheList()) seen.add(one);
    const list = await policies();
    const { id, admin_state_up } = list[Math.floor(random() * list.length)]!;
    const isMove = random() < 0.7;
    await change(
      id,
      isMove ? { position: 1 + Math.floor(random() * list.length) } : { admin_state_up: !admin_state_up },
    );
  }
  // Every action was met, and so was the default pool.
  expect([...seen].map((one) => one.slice(0, 9)).toSorted()).toEqual(
    expect.arrayContaining(['200 red', '200 blue', '200 defau', '302 https', '301 https', '403']),
  );
  for (const { id } of await policies()) await service.api.delete('l7policies', id);
  await service.api.active(web.id);
});

test('a redirect has the code it was given, and keeps or replaces the path as its kind does', async () => {
  for (const code of [301, 302, 303, 307, 308]) {
    await add(
      { action: 'REDIRECT_TO_URL', redirect_url: `http://u.example/${code}?a=%2F`, redirect_http_code: code },
      starts(`/url${code}`),
    );
    await add(
      { action: 'REDIRECT_PREFIX', redirect_prefix: 'https://p.example:8443/x', redirect_http_code: code },
      starts(`/prefix${code}`),
    );
    expect(shown(await get(`/url${code}/y?z=1`))).toBe(`${code} http://u.example/${code}?a=%2F`);
    expect(shown(await get(`/prefix${code}/y?z=1`))).toBe(`${code} https://p.example:8443/x/prefix${code}/y?z=1`);
  }
  await add({ action: 'REDIRECT_TO_URL', redirect_url: 'http://u.example/' }, starts('/no-code'));
  expect((await get('/no-code')).status).toBe(302);
  for (const { id } of await policies()) await service.api.delete('l7policies', id);
  await service.api.active(web.id);
});

test('a pool that is disabled is sent nothing: who would have gone there meets the next policy', async () => {
  await add({ action: 'REDIRECT_TO_POOL', redirect_pool_id: poolIds['red'] }, starts('/a'));
  await add({ action: 'REDIRECT_TO_POOL', redirect_pool_id: poolIds['blue'] }, starts('/'));
  expect(shown(await get('/a'))).toBe('200 red');
  await service.api.update('pools', poolIds['red']!, { admin_state_up: false });
  await service.api.active(web.id);
  expect(shown(await get('/a'))).toBe('200 blue');
  await service.api.update('pools', poolIds['red']!, { admin_state_up: true });
  await service.api.active(web.id);
  expect(shown(await get('/a'))).toBe('200 red');
  for (const { id } of await policies()) await service.api.delete('l7policies', id);
  await service.api.active(web.id);
});

test('a new policy of which a rule is refused waits for that rule, rather than to match more without it', async () => {
  const graph = webGraph([members[0]!]) as { listeners: Attributes[] };
  const rules = [starts('/'), { type: 'PATH', compare_type: 'REGEX', value: '[[:nothing:]]' }];
  graph.listeners[0]!['l7policies'] = [{ action: 'REJECT', rules }];
  const created = await service.api.createLoadBalancer(graph);
  const { id, vip_address, listeners } = await service.api.active(created.id);
  const status = async () => (await ask({ address: vip_address, port: listenerPort, path: '/a' })).status;
  expect(await status()).toBe(200);
  const [policy] = await service.api.list(`l7policies?listener_id=${listeners[0]!.id}`);
  expect(policy!.provisioning_status).toBe('ERROR');
  const shown = await service.api.list<Resource & Rule>(`l7policies/${policy!.id}/rules`);
  const refused = shown.find((rule) => rule.provisioning_status === 'ERROR')!;
  await service.api.update(`l7policies/${policy!.id}/rules`, refused.id, { value: '^/a' });
  await service.api.becomes('l7policies', policy!.id, 'ACTIVE');
  await service.api.active(id);
  expect(await status()).toBe(403);
});

test('a regular expression that HAProxy refuses ends that rule in ERROR, and nothing else changes', async () => {
  const id = await add({ action: 'REJECT' }, starts('/secret'));
  const other = await add({ action: 'REJECT' }, starts('/other'));
  const refused = await service.api.create(`l7policies/${id}/rules`, {
    type: 'PATH',
    compare_type: 'REGEX',
    value: '[[:nothing:]]',
  });
  await service.api.becomes(`l7policies/${id}/rules`, refused.id, 'ERROR');
  await service.api.active(web.id);
  const statuses = (await policies()).map(({ provisioning_status }) => provisioning_status);
  expect(statuses).toEqual(['ACTIVE', 'ACTIVE']);
  expect((await get('/secret')).status).toBe(403);
  expect((await get('/other')).status).toBe(403);
  expect(shown(await get('/'))).toBe('200 default');
  await service.api.update(`l7policies/${id}/rules`, refused.id, { value: '/[a-c]$' });
  await service.api.becomes(`l7policies/${id}/rules`, refused.id, 'ACTIVE');
  await service.api.active(web.id);
  expect((await get('/secret/a')).status).toBe(403);
  expect(shown(await get('/secret'))).toBe('200 default');
  await service.api.delete('l7policies', other);
  await service.api.active(web.id);
});
