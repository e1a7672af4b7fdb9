import { beforeEach, describe, expect, it } from 'vitest';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import type { OctaviaApi, Shown } from '../support/octavia-api.ts';
import { projects } from '../support/personas.ts';
import { usePlane } from '../support/planes.ts';

const given = usePlane(async () => new SqliteTable({ path: ':memory:' }));
const plane = () => given.plane;
let api: OctaviaApi;
let lb: Shown;
let listener: Shown;
beforeEach(async () => {
  api = given.api;
  lb = await api.createLoadBalancer();
  listener = await api.createListener(lb);
  await plane().settle();
});

const policies = async (): Promise<string[]> => {
  const { body } = await api.ask('GET', '/v2.0/lbaas/l7policies?sort=position');
  return body.l7policies.map((one: Shown) => `${one['position']} ${one['name']}`);
};
const change = (policy: Shown, attributes: object) =>
  api.ask('PUT', `/v2.0/lbaas/l7policies/${policy['id']}`, { l7policy: attributes });
const create = (attributes: object) =>
  api.ask('POST', '/v2.0/lbaas/l7policies', {
    l7policy: { listener_id: listener['id'], action: 'REJECT', ...attributes },
  });

describe('positions of L7 policies', () => {
  it('have no holes: a policy put in between moves the others, one beyond the end comes last', async () => {
    await api.createL7Policy(listener, { name: 'a' });
    await api.createL7Policy(listener, { name: 'b', position: 99 });
    await api.createL7Policy(listener, { name: 'c', position: 1 });
    const d = await api.createL7Policy(listener, { name: 'd', position: 2 });
    expect(await policies()).toEqual(['1 c', '2 d', '3 a', '4 b']);
    expect((await change(d, { position: 4 })).body.l7policy.position).toBe(4);
    expect(await policies()).toEqual(['1 c', '2 a', '3 b', '4 d']);
    await plane().settle();
    const { body } = await api.ask('GET', `/v2.0/lbaas/listeners/${listener['id']}`);
    expect(body.listener.l7policies).toHaveLength(4);
    expect(body.listener.l7policies[3]).toEqual({ id: d['id'] });
    await api.ask('DELETE', `/v2.0/lbaas/l7policies/${body.listener.l7policies[0].id}`);
    await plane().settle();
    expect(await policies()).toEqual(['1 a', '2 b', '3 d']);
  });
});

describe('actions of L7 policies', () => {
  it.each([
    [
      { action: 'REDIRECT_TO_URL', redirect_url: 'http://a.example/' },
      { redirect_http_code: 302, action: 'REDIRECT_TO_URL' },
    ],
    [{ action: 'REJECT', redirect_url: 'http://a.example/' }, { action: 'REDIRECT_TO_URL' }],
    [
      { action: 'REDIRECT_PREFIX', redirect_prefix: 'https://a.example', redirect_http_code: 308 },
      { redirect_http_code: 308 },
    ],
    [{ action: 'REJECT' }, { redirect_url: null, redirect_pool_id: null, redirect_http_code: null }],
  ])('%j is stored as %j', async (given, stored) => {
    const { status, body } = await create(given);
    expect([status, body.l7policy]).toEqual([201, expect.objectContaining(stored)]);
  });

  it.each([
    [{ action: 'REDIRECT_TO_URL' }, 400],
    [{ action: 'REDIRECT_TO_URL', redirect_url: 'ftp://a.example/' }, 400],
    [{ action: 'REDIRECT_TO_URL', redirect_url: 'http://a.example/a b' }, 400],
    [{ action: 'REDIRECT_TO_POOL', redirect_pool_id: '00000000-0000-4000-8000-000000000000' }, 404],
    [{ action: 'SOMETHING' }, 400],
    [{ redirect_http_code: 304, redirect_url: 'http://a.example/' }, 400],
    [{ redirect_pool_id: '00000000-0000-4000-8000-000000000000', redirect_url: 'http://a.example/' }, 400],
  ])('%j is refused with %i', async (given, status) => {
    expect((await create(given)).status).toBe(status);
  });

  it('a new target displaces the one before', async () => {
    const policy = await api.createL7Policy(listener, { action: 'REDIRECT_TO_URL', redirect_url: 'http://a.example/' });
    const pool = await api.createPool({ loadbalancer_id: lb['id'] });
    const { body } = await change(policy, { redirect_pool_id: pool['id'] });
    expect(body.l7policy).toMatchObject({
      action: 'REDIRECT_TO_POOL',
      redirect_pool_id: pool['id'],
      redirect_url: null,
      redirect_http_code: null,
    });
  });

  it('a redirect keeps its code until another is given, and goes back to 302 by null', async () => {
    const redirect = { action: 'REDIRECT_PREFIX', redirect_prefix: 'https://a.example', redirect_http_code: 308 };
    const policy = await api.createL7Policy(listener, redirect);
    const codeAfter = async (given: object) => (await change(policy, given)).body.l7policy.redirect_http_code;
    expect(await codeAfter({ name: 'moved' })).toBe(308);
    expect(await codeAfter({ redirect_http_code: 301 })).toBe(301);
    expect(await codeAfter({ redirect_http_code: null })).toBe(302);
  });

  it('a pool a policy sends to is in use, and knows the listener once the policy has a rule', async () => {
    const pool = await api.createPool({ loadbalancer_id: lb['id'] });
    const policy = await api.createL7Policy(listener, { action: 'REDIRECT_TO_POOL', redirect_pool_id: pool['id'] });
    const listenersOf = async () => (await api.ask('GET', `/v2.0/lbaas/pools/${pool['id']}`)).body.pool.listeners;
    expect(await listenersOf()).toEqual([]);
    await api.createL7Rule(policy);
    expect(await listenersOf()).toEqual([{ id: listener['id'] }]);
    const { status, body } = await api.ask('DELETE', `/v2.0/lbaas/pools/${pool['id']}`);
    expect([status, body.faultstring]).toEqual([409, `Pool ${pool['id']} is in use by L7 policy ${policy['id']}`]);
  });

  it('are not for listeners that read no requests', async () => {
    const tcp = await api.createListener(lb, { protocol: 'TCP' });
    const { status, body } = await create({ listener_id: tcp['id'] });
    expect([status, body.faultcode]).toEqual([501, 'Server']);
  });
});

describe('L7 rules', () => {
  const rule = (attributes: object) => ({ type: 'PATH', compare_type: 'STARTS_WITH', value: '/', ...attributes });

  it.each([
    [{ type: 'HEADER', value: 'a' }, 'Must specify a key'],
    [{ type: 'HEADER', key: 'a b', value: 'a' }, 'Invalid characters in key'],
    [{ type: 'COOKIE', key: 'a', value: 'a;b' }, 'Invalid value characters'],
    [{ type: 'FILE_TYPE', compare_type: 'CONTAINS', value: 'a' }, 'is not valid for rule type'],
    [{ compare_type: 'REGEX', value: '(' }, 'Not a valid regular expression'],
    [{ type: 'SSL_CONN_HAS_CERT', compare_type: 'EQUAL_TO', value: 'no' }, 'Value must be True'],
    [{ type: 'SSL_VERIFY_RESULT', compare_type: 'EQUAL_TO', value: '-1' }, 'positive integer'],
    [{ type: 'SSL_DN_FIELD', key: '1', value: 'a' }, 'distinguished name'],
  ])('%j is refused', async (given, reason) => {
    const policy = await api.createL7Policy(listener);
    const { status, body } = await api.ask('POST', `/v2.0/lbaas/l7policies/${policy['id']}/rules`, {
      rule: rule(given),
    });
    expect(status).toBe(400);
    expect(body.faultstring).toContain('Error parsing L7Rule');
    expect(body.faultstring).toContain(reason);
  });

  it('are fifty of a policy at most', async () => {
    const policy = await api.createL7Policy(listener);
    for (let count = 0; count < 50; count++) await api.createL7Rule(policy, { value: `/${count}` });
    const { status, body } = await api.ask('POST', `/v2.0/lbaas/l7policies/${policy['id']}/rules`, { rule: rule({}) });
    expect([status, body.faultstring]).toEqual([409, `Too many rules on L7 policy ${policy['id']}`]);
  });

  it('change with their policy and listener, go with them, and give their quota back', async () => {
    const policy = await api.createL7Policy(listener);
    await plane().settle();
    plane().queue.isHeld = true;
    const made = await api.createL7Rule(policy);
    const statusOf = async (path: string, root: string) => (await api.ask('GET', path)).body[root].provisioning_status;
    expect(await statusOf(`/v2.0/lbaas/l7policies/${policy['id']}`, 'l7policy')).toBe('PENDING_UPDATE');
    expect(await statusOf(`/v2.0/lbaas/listeners/${listener['id']}`, 'listener')).toBe('PENDING_UPDATE');
    await plane().queue.release();
    await plane().settle();
    const shown = (await api.ask('GET', `/v2.0/lbaas/l7policies/${policy['id']}/rules/${made['id']}`)).body.rule;
    expect(shown).toMatchObject({ provisioning_status: 'ACTIVE', operating_status: 'ONLINE' });
    expect((await api.ask('DELETE', `/v2.0/lbaas/listeners/${listener['id']}`)).status).toBe(204);
    await plane().settle();
    expect((await api.ask('GET', `/v2.0/lbaas/l7policies/${policy['id']}`)).status).toBe(404);
    expect((await api.ask('GET', `/v2.0/lbaas/l7policies/${policy['id']}/rules/${made['id']}`)).status).toBe(404);
    expect(await plane().inUse(projects.own)).toEqual({ loadbalancer: 1 });
  });
});
