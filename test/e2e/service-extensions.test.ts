// What the attributes beyond Octavia promise of requests and answers is true of the traffic.
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import type { Attributes } from '../support/octavia-client.ts';
import { echo, read, ScriptedMember } from '../support/scripted-member.ts';
import { asWeb, listenerPort, type WebLoadBalancer } from '../support/web-load-balancer.ts';

let service: LocalService;
let web: WebLoadBalancer;
const members: ScriptedMember[] = [];

beforeAll(async () => {
  service = await LocalService.start();
  members.push(await ScriptedMember.start(), await ScriptedMember.start());
  const default_pool = {
    name: 'web',
    protocol: 'HTTP',
    lb_algorithm: 'ROUND_ROBIN',
    members: members.map(({ attributes }) => attributes),
  };
  const listeners = [{ protocol: 'HTTP', protocol_port: listenerPort, default_pool }];
  const { id } = await service.api.createLoadBalancer({ listeners });
  web = asWeb(await service.api.active(id));
});
beforeEach(() => {
  for (const member of members) member.becomes(echo);
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  for (const member of members) member[Symbol.dispose]();
});

const ask = (asked: Parameters<typeof read>[2] = {}) => read(web.vip, listenerPort, asked);
const statuses = async (count: number, headers: Record<string, string> = {}) => {
  const seen: number[] = [];
  for (let sent = 0; sent < count; sent += 1) seen.push((await ask({ headers })).status);
  return seen;
};
async function change(collection: string, id: string, attributes: Attributes): Promise<void> {
  await service.api.update(collection, id, attributes);
  await service.api.active(web.id);
}
const listener = (attributes: Attributes) => change('listeners', web.listenerId, attributes);
const pool = (attributes: Attributes) => change('pools', web.poolId, attributes);
/** Headers that reached the member. */
const arrived = async (headers: Record<string, string> = {}) =>
  JSON.parse((await ask({ headers })).text) as Record<string, string>;

test('a client that asks too often is told 429 and when to come back, and is let in again later', async () => {
  await listener({ rate_limit: { requests: 3, period: 600 } });
  expect(await statuses(5)).toEqual([200, 200, 200, 429, 429]);
  const { headers } = await ask();
  expect(headers).toMatchObject({ 'retry-after': '600', 'content-type': 'text/plain' });
  await listener({ rate_limit: { requests: 3, period: 2 } });
  await eventually('the client is refused', async () => (await ask()).status === 429);
  await eventually('the client is let in again', async () => (await ask()).status === 200);
  await listener({ rate_limit: null });
  expect(await statuses(8)).toEqual(Array(8).fill(200));
});

test('clients behind one address are told apart by a header of theirs', async () => {
  await listener({ rate_limit: { requests: 2, period: 600, type: 'HEADER', key: 'X-Api-Key' } });
  expect(await statuses(3, { 'x-api-key': 'one' })).toEqual([200, 200, 429]);
  expect(await statuses(3, { 'x-api-key': 'two' })).toEqual([200, 200, 429]);
  await listener({ rate_limit: null });
});

test('answers of the listed types are compressed for clients who take it, and for nobody else', async () => {
  const page = `<p>${'the same again '.repeat(500)}</p>`;
  const answers = (type: string) => {
    for (const member of members)
      member.becomes((_asked, answer) => void answer.setHeader('content-type', type).end(page));
  };
  await listener({ compression: {} });
  answers('text/html; charset=utf-8');
  const compressed = await ask({ headers: { 'accept-encoding': 'gzip' } });
  expect(compressed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
  expect(compressed.body.length).toBeLessThan(page.length / 5);
  expect(gunzipSync(compressed.body).toString()).toBe(page);
  expect((await ask()).text).toBe(page);
  answers('application/octet-stream');
  expect((await ask({ headers: { 'accept-encoding': 'gzip' } })).text).toBe(page);
  await listener({ compression: null });
  answers('text/html');
  expect((await ask({ headers: { 'accept-encoding': 'gzip' } })).text).toBe(page);
});

test('headers are set, added and removed on requests, and what a variable stands for is in them', async () => {
  const set = {
    'X-Client': 'for=${client_address};by=${protocol}:${listener_port}',
    'X-Literal': `100% "of" 'it' \\ %[src] #1 $HOME`,
    Host: 'inside.example',
    'X-Original-Host': '${host}',
    'X-Request-ID': '${request_id}',
  };
  await listener({ request_headers: { set, add: { Via: '1.1 edge' }, remove: ['X-Internal'] } });
  const got = await arrived({ host: 'shop.example', 'x-internal': 'secret', 'x-client': 'forged', via: '1.0 home' });
  expect(got).toMatchObject({
    'x-client': `for=127.0.0.1;by=http:${listenerPort}`,
    'x-literal': set['X-Literal'],
    host: 'inside.example',
    'x-original-host': 'shop.example',
    via: '1.0 home, 1.1 edge',
  });
  expect(got['x-request-id']).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(got).not.toHaveProperty('x-internal');
  await listener({ request_headers: null });
  expect(await arrived({ 'x-internal': 'secret' })).toMatchObject({ 'x-internal': 'secret' });
});

test('headers of answers too, and a request has one id on its way there and back', async () => {
  for (const member of members)
    member.becomes((asked, answer) => void answer.setHeader('server', 'secret/1.0').end(asked.headers['x-request-id']));
  await listener({
    request_headers: { set: { 'X-Request-ID': '${request_id}' } },
    response_headers: {
      set: { 'X-Request-ID': '${request_id}', 'X-Frame-Options': 'DENY' },
      add: { 'X-Served': '${host}' },
      remove: ['Server'],
    },
  });
  const one = await ask({ headers: { host: 'shop.example' } });
  expect(one.headers).toMatchObject({ 'x-frame-options': 'DENY', 'x-served': 'shop.example' });
  expect(one.headers).not.toHaveProperty('server');
  expect(one.headers['x-request-id']).toBe(one.text);
  expect((await ask()).text).not.toBe(one.text);
  await listener({ request_headers: null, response_headers: null });
  expect((await ask()).headers).toHaveProperty('server', 'secret/1.0');
});

test('X-Forwarded-IP, X-Client-IP and X-Real-IP tell members who the client is, whatever he says himself', async () => {
  const names = ['X-Forwarded-IP', 'X-Client-IP', 'X-Real-IP'];
  await listener({ insert_headers: Object.fromEntries(names.map((name) => [name, 'true'])) });
  const got = await arrived(Object.fromEntries(names.map((name) => [name, '203.0.113.9'])));
  expect(names.map((name) => got[name.toLowerCase()])).toEqual(['127.0.0.1', '127.0.0.1', '127.0.0.1']);
  await listener({ insert_headers: null });
});

test('a request whose member fails once is sent to another, and its client sees nothing of it', async () => {
  const failing = (asked: { socket: { destroy(): void } }) => void asked.socket.destroy();
  await pool({ retries: { attempts: 2, failures: ['EMPTY_RESPONSE', '503'] } });
  members[0]!.becomes(failing);
  expect(await statuses(4)).toEqual([200, 200, 200, 200]);
  expect(members[0]!.seen.length).toBeGreaterThan(0);
  members[0]!.becomes((_asked, answer) => void answer.writeHead(503).end());
  expect(await statuses(4)).toEqual([200, 200, 200, 200]);
  expect(members[0]!.seen.length).toBeGreaterThan(0);
});

test('a POST is not sent twice, unless the pool is told that it may be', async () => {
  const fails = () => {
    for (const member of members) member.becomes((_asked, answer) => void answer.writeHead(503).end());
  };
  const sent = () => members.flatMap(({ seen }) => seen);
  fails();
  expect((await ask({ method: 'POST', body: 'a' })).status).toBe(503);
  expect(sent()).toEqual(['POST']);
  fails();
  expect((await ask({ method: 'PUT', body: 'a' })).status).toBe(503);
  expect(sent()).toEqual(['PUT', 'PUT', 'PUT']);
  await pool({ retries: { attempts: 2, failures: ['503'], non_idempotent: true } });
  fails();
  expect((await ask({ method: 'POST', body: 'a' })).status).toBe(503);
  expect(sent()).toEqual(['POST', 'POST', 'POST']);
  await pool({ retries: null });
  fails();
  expect((await ask()).status).toBe(503);
  expect(sent()).toEqual(['GET']);
});

test('error pages are what clients read when the load balancer has to answer itself', async () => {
  const sorry = `<h1>Sorry!</h1>\n<p>It's "down" — 100%, \${host} %[src] {{x}}\\n</p>\r\n`;
  await listener({
    error_pages: {
      '403': { body: '{"error":"forbidden"}', content_type: 'application/json' },
      '429': { body: 'slowly\n', content_type: 'text/plain' },
      '500': { body: 'too much to pass on', content_type: 'text/plain' },
      '502': { body: 'no answer worth the name', content_type: 'text/plain' },
      '503': { body: sorry },
      '504': { body: 'late', content_type: 'text/plain' },
    },
    timeout_member_data: 1_000,
    request_headers: { set: { 'X-A': 'a'.repeat(1_000), 'X-B': 'b'.repeat(1_000) } },
  });
  for (const member of members) member.becomes((_asked, answer) => void answer.writeHead(503).end('my own words'));
  expect(await ask()).toMatchObject({ status: 503, text: 'my own words' });

  for (const member of members) member.becomes((asked) => void asked.socket.destroy());
  expect(await ask()).toMatchObject({ status: 502, text: 'no answer worth the name' });
  for (const member of members) member.becomes(() => {});
  expect(await ask()).toMatchObject({ status: 504, text: 'late' });

  const { id } = await service.api.create('l7policies', { listener_id: web.listenerId, action: 'REJECT' });
  await service.api.create(`l7policies/${id}/rules`, { type: 'PATH', compare_type: 'EQUAL_TO', value: '/secret' });
  await service.api.active(web.id);
  expect(await ask({ path: '/secret' })).toMatchObject({
    status: 403,
    text: '{"error":"forbidden"}',
    headers: { 'content-type': 'application/json' },
  });

  for (const member of members) member.becomes(echo);
  // What a client sends may leave no room in HAProxy's buffer for the headers that are to be set.
  const filling = { 'x-one': 'x'.repeat(7_300), 'x-two': 'x'.repeat(7_300) };
  expect(await ask({ headers: filling })).toMatchObject({ status: 500, text: 'too much to pass on' });
  await listener({ request_headers: null, rate_limit: { requests: 2, period: 600, type: 'HEADER', key: 'X-Slow' } });
  await statuses(2, { 'x-slow': 'yes' });
  const slow = await ask({ headers: { 'x-slow': 'yes' } });
  expect(slow).toMatchObject({ status: 429, text: 'slowly\n', headers: { 'retry-after': '600' } });

  await service.api.replaceMembers(web.poolId, []);
  await service.api.active(web.id);
  expect(await ask()).toMatchObject({
    status: 503,
    text: sorry,
    headers: { 'content-type': 'text/html; charset=utf-8' },
  });
  await listener({ error_pages: null, rate_limit: null, timeout_member_data: null });
  expect((await ask()).text).not.toContain('Sorry');
});
