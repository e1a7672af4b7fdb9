// Session persistence: clients stay with their member, whatever happens to the others, to HAProxy and to the amphora.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { ask } from '../support/asking.ts';
import { eventually, report } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import type { Attributes } from '../support/octavia-client.ts';
import { SessionMember } from '../support/session-member.ts';
import { beginSessions, membersByAddress, membersByCookie } from '../support/sticky-clients.ts';
import { createWeb, listenerPort, type WebLoadBalancer } from '../support/web-load-balancer.ts';

let service: LocalService;
let web: WebLoadBalancer;
const members: SessionMember[] = [];
const collection = () => `pools/${web.poolId}/members`;

beforeAll(async () => {
  service = await LocalService.start();
  for (const name of ['one', 'two', 'three']) members.push(await SessionMember.start(name));
  web = await createWeb(service, members);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  for (const one of members) one[Symbol.dispose]();
});

const change = async (where: string, id: string, attributes: Attributes) => {
  await service.api.update(where, id, attributes);
  await service.api.active(web.id);
};
const persist = (session_persistence: Attributes | null) => change('pools', web.poolId, { session_persistence });
const member = async (name: string) => (await service.api.list(collection())).find((one) => one.name === name)!;
const meet = (headers: Record<string, string> = {}) => ask({ address: web.vip, port: listenerPort, headers });

/** Members that somebody with these headers meets in nine requests. */
async function met(headers: Record<string, string> = {}): Promise<string[]> {
  const names = new Set<string>();
  for (let count = 0; count < 9; count += 1) names.add((await meet(headers)).text);
  return [...names].toSorted();
}

/** The cookie each member is known by. */
async function memberCookies(): Promise<Record<string, string>> {
  const cookies: Record<string, string> = {};
  for (let count = 0; count < 12; count += 1) {
    const { text, cookie } = await meet();
    cookies[text] = cookie ?? '';
  }
  return cookies;
}

/** Anything but members that changes reloads HAProxy. */
async function reload(): Promise<void> {
  const before = await service.workers(web.id);
  await change('listeners', web.listenerId, { timeout_client_data: 40_000 + Math.round(performance.now()) });
  expect(await service.workers(web.id)).not.toEqual(before);
}

async function failover(): Promise<void> {
  const { id } = await service.amphora(web.id);
  await service.spare();
  await service.api.failover(web.id);
  await service.api.active(web.id);
  expect((await service.amphora(web.id)).id).not.toBe(id);
  await eventually('the VIP serves', () => meet());
}

beforeEach(() => persist(null));

test('HTTP_COOKIE: a client stays with the member of its cookie, which says nothing of the member, and gets no second one', async () => {
  expect(await met()).toEqual(['one', 'three', 'two']);
  await persist({ type: 'HTTP_COOKIE' });
  const cookies = await memberCookies();
  expect(Object.keys(cookies).toSorted()).toEqual(['one', 'three', 'two']);
  for (const [name, cookie] of Object.entries(cookies)) {
    expect(cookie).toMatch(/^SRV=[0-9a-f]{16}$/);
    expect(await met({ cookie })).toEqual([name]);
    const again = await meet({ cookie });
    expect(again.cookie).toBeUndefined();
    expect(again.headers['x-cookie-seen']).toBe('');
    expect((await meet()).headers['cache-control']).toBe('private');
  }
});

test('HTTP_COOKIE: cookies are the same after a reload, after a failover, and for a member that comes back', async () => {
  await persist({ type: 'HTTP_COOKIE' });
  const cookies = await memberCookies();
  await reload();
  expect(await membersByCookie(web, Object.values(cookies))).toEqual(inverse(cookies));
  await failover();
  expect(await membersByCookie(web, Object.values(cookies))).toEqual(inverse(cookies));
  const { id } = await member('two');
  await service.api.delete(collection(), id);
  await service.api.gone(collection(), id);
  const homeless = await meet({ cookie: cookies['two']! });
  expect(homeless.text).not.toBe('two');
  expect(homeless.cookie).toBe(cookies[homeless.text]);
  await service.api.create(collection(), members[1]!.attributes);
  await service.api.active(web.id);
  expect(await met({ cookie: cookies['two']! })).toEqual(['two']);
});

const inverse = (record: Record<string, string>) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [value, key]));

test('HTTP_COOKIE: members come and go without a reload, and new ones have cookies that last', async () => {
  await persist({ type: 'HTTP_COOKIE' });
  const kept = await memberCookies();
  const workers = await service.workers(web.id);
  const guests = await Promise.all(Array.from({ length: 3 }, (_, index) => SessionMember.start(`guest ${index}`)));
  members.push(...guests);
  for (let round = 0; round < 9; round += 1) {
    const guest = guests[round % 3]!;
    const { id } = await service.api.create(collection(), guest.attributes);
    await service.api.active(web.id);
    const cookie = (await memberCookies())[guest.name]!;
    expect(cookie).toMatch(/^SRV=[0-9a-f]{16}$/);
    expect(await met({ cookie })).toEqual([guest.name]);
    expect(await met({ cookie: kept['one']! })).toEqual(['one']);
    await service.api.delete(collection(), id);
    await service.api.gone(collection(), id);
    expect(await met({ cookie })).not.toContain(guest.name);
  }
  const reloads = (await service.workers(web.id)).filter((pid) => !workers.includes(pid)).length;
  process.stdout.write(`  18 changes of members of a pool with cookies: ${reloads} reloads\n`);
  expect(await service.workers(web.id)).toEqual(workers);
  const added = await service.api.create(collection(), guests[0]!.attributes);
  await service.api.active(web.id);
  const before = await memberCookies();
  await reload();
  expect(await memberCookies()).toEqual(before);
  await service.api.delete(collection(), added.id);
  await service.api.gone(collection(), added.id);
});

test('a member of weight 0 keeps its sessions and gets no new ones; a disabled one loses them', async () => {
  for (const type of ['HTTP_COOKIE', 'APP_COOKIE']) {
    await persist(type === 'APP_COOKIE' ? { type, cookie_name: 'JSESSIONID' } : { type });
    const sessions = type === 'APP_COOKIE' ? await beginSessions(web, 12) : inverse(await memberCookies());
    const ofOne = Object.entries(sessions).find(([, name]) => name === 'one')![0];
    const { id } = await member('one');
    await change(collection(), id, { weight: 0 });
    expect(await met({ cookie: ofOne })).toEqual(['one']);
    expect(await met()).toEqual(['three', 'two']);
    await change(collection(), id, { weight: 1, admin_state_up: false });
    expect(await met({ cookie: ofOne })).not.toContain('one');
    await change(collection(), id, { admin_state_up: true });
    // Round robin passes one over for some rounds after another was away.
    await eventually('all three serve', async () => (await met()).length === 3);
  }
});

test('APP_COOKIE: a session of the application stays with its member, also after reloads', async () => {
  await persist({ type: 'APP_COOKIE', cookie_name: 'JSESSIONID' });
  const sessions = await beginSessions(web, 12);
  expect(new Set(Object.values(sessions)).size).toBe(3);
  const cookies = Object.keys(sessions);
  expect(await membersByCookie(web, cookies)).toEqual(sessions);
  for (let count = 0; count < 3; count += 1) {
    await reload();
    expect(await membersByCookie(web, cookies)).toEqual(sessions);
  }
  expect(await met({ cookie: 'JSESSIONID=never-seen' })).toEqual(['one', 'three', 'two']);
});

test('APP_COOKIE: long tokens that begin alike are told apart', async () => {
  await persist({ type: 'APP_COOKIE', cookie_name: 'token' });
  const sessions: Record<string, string> = {};
  for (let begun = 0; begun < 6; begun += 1) {
    const { cookie, text } = await ask({ address: web.vip, port: listenerPort, path: '/token' });
    expect(cookie!.length).toBeGreaterThan(100);
    sessions[cookie!] = text;
  }
  expect(new Set(Object.values(sessions)).size).toBe(3);
  expect(await membersByCookie(web, Object.keys(sessions))).toEqual(sessions);
});

test('SOURCE_IP: each client address stays with its member, also after reloads and when members come and go', async () => {
  await persist({ type: 'SOURCE_IP' });
  const met = await membersByAddress(web);
  expect(new Set(Object.values(met)).size).toBe(3);
  const workers = await service.workers(web.id);
  const guest = await SessionMember.start('guest');
  members.push(guest);
  const { id } = await service.api.create(collection(), guest.attributes);
  await service.api.active(web.id);
  expect(await membersByAddress(web)).toEqual(met);
  expect(await service.workers(web.id)).toEqual(workers);
  const since = performance.now();
  await reload();
  report('a reload that hands sessions over', performance.now() - since);
  expect(await membersByAddress(web)).toEqual(met);
  await service.api.delete(collection(), id);
  await service.api.gone(collection(), id);
  await reload();
  expect(await membersByAddress(web)).toEqual(met);
});
