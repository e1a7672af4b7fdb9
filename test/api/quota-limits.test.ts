// Quotas as administrators set them, and exact whatever happens at the same time.
import { describe, expect, it } from 'vitest';
import { limitsOf, type QuotaRow } from '../../lambdas/domain/quota.ts';
import { readQuota } from '../../lambdas/repositories/quotas.ts';
import { readAll } from '../../lambdas/repositories/trees.ts';
import { FailingTable, type Mishap } from '../support/failing-table.ts';
import { admin, InProcessApi, member, projectId } from '../support/in-process-api.ts';

const path = `quotas/${projectId}`;
const asAdmin = { caller: admin };
const set = (api: InProcessApi, quota: Record<string, unknown>) => api.ask('PUT', path, { quota }, asAdmin);

describe('a quota', () => {
  it('is set with 202 and the whole quota, in both spellings', async () => {
    const api = new InProcessApi();
    const { status, body } = await set(api, { load_balancer: 3, health_monitor: 4, listener: 0, pool: -1 });
    expect(status).toBe(202);
    expect(body.quota).toEqual({
      loadbalancer: 3,
      load_balancer: 3,
      listener: 0,
      member: -1,
      pool: -1,
      healthmonitor: 4,
      health_monitor: 4,
      l7policy: -1,
      l7rule: -1,
      project_id: projectId,
      tenant_id: projectId,
    });
    expect((await set(api, { load_balancer: 5, loadbalancer: 6 })).body.quota.load_balancer).toBe(6);
    expect((await set(api, { member: 2_000_000_000 })).body.quota).toMatchObject({ loadbalancer: 6, member: 2e9 });
    expect(await api.made('GET', path)).toMatchObject({ loadbalancer: 6, healthmonitor: 4, member: 2e9 });
    expect(await api.made('GET', `${path}?fields=listener&fields=colour`)).toEqual({ listener: 0 });
    expect(await api.made('GET', `${path}/default?fields=listener`)).toEqual({ listener: -1 });
  });

  it('of null is the default again', async () => {
    const api = new InProcessApi({ config: { quota_listener: 7 } });
    await set(api, { listener: 3 });
    expect((await set(api, { listener: null })).body.quota.listener).toBe(7);
  });

  it.each([
    [
      { listener: -2 },
      "Invalid input for field/attribute listener. Value: '-2'. Value should be greater or equal to -1",
    ],
    [{ pool: 2_000_000_001 }, /lower or equal to 2000000000/],
    [{ pool: 'many' }, /Value should be an integer/],
    [{ colour: 1 }, 'Unknown attribute for argument quotas.quota: colour'],
    [{ project_id: projectId }, 'Unknown attribute for argument quotas.quota: project_id'],
  ])('of %j is 400', async (quota, text) => {
    const { status, body } = await set(new InProcessApi(), quota);
    expect(status).toBe(400);
    expect(body.faultstring).toMatch(text);
  });

  it('is reset with 202 and nothing, keeps what is in use, and is 404 without a row', async () => {
    const api = new InProcessApi();
    const missing = await api.ask('DELETE', path, undefined, asAdmin);
    expect([missing.status, missing.body.faultstring]).toEqual([404, `Quotas ${projectId} not found.`]);
    await set(api, { loadbalancer: 1 });
    await api.createLoadBalancer();
    expect(await api.ask('DELETE', path, undefined, asAdmin)).toMatchObject({ status: 202, body: undefined });
    await api.createLoadBalancer();
    expect(await readQuota(api.services.table, projectId)).toMatchObject({ in_use_loadbalancer: 2 });
    expect((await set(api, { loadbalancer: 2 })).status).toBe(202);
    expect(
      (await api.ask('POST', 'loadbalancers', { loadbalancer: { vip_subnet_id: await api.subnetId() } })).status,
    ).toBe(403);
  });

  it('is listed from the first use of the project on, to who may see it', async () => {
    const api = new InProcessApi();
    expect((await api.get('quotas', admin)).body).toEqual({ quotas: [], quotas_links: [] });
    await api.createLoadBalancer();
    await api.createLoadBalancer({ project_id: 'c'.repeat(32) }, asAdmin);
    expect((await api.get('quotas', admin)).body.quotas.map((one: QuotaRow) => one.project_id)).toEqual([
      projectId,
      'c'.repeat(32),
    ]);
    expect((await api.get('quotas', member)).body.quotas).toHaveLength(1);
    expect((await api.get(`quotas?project_id=${projectId}`, admin)).body.quotas).toHaveLength(1);
    const first = (await api.get('quotas?limit=1&fields=project_id', admin)).body;
    expect(first.quotas).toEqual([{ project_id: projectId }]);
    const next = new URL(first.quotas_links[0].href);
    expect((await api.get(next.pathname + next.search, admin)).body.quotas[0].project_id).toBe('c'.repeat(32));
  });

  it('is set by nobody but administrators', async () => {
    const api = new InProcessApi();
    for (const method of ['PUT', 'DELETE'])
      expect((await api.ask(method, path, { quota: {} }, { caller: member })).status).toBe(403);
    for (const role of ['load-balancer_quota_admin', 'load-balancer_admin'])
      expect((await api.ask('PUT', path, { quota: { pool: 1 } }, { caller: { ...admin, roles: [role] } })).status).toBe(
        202,
      );
  });

  it('covers what a load balancer is created with', async () => {
    const api = new InProcessApi();
    await set(api, { member: 2, pool: 1, listener: 1, healthmonitor: 0 });
    const members = ['198.51.100.1', '198.51.100.2', '198.51.100.3'].map((address) => ({ address, protocol_port: 80 }));
    const graph = async (more: object) => ({
      loadbalancer: {
        vip_subnet_id: await api.subnetId(),
        pools: [{ name: 'p', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', ...more }],
      },
    });
    const three = await api.ask('POST', 'loadbalancers', await graph({ members }));
    expect([three.status, three.body.faultstring]).toEqual([403, 'Quota has been met for resources: Member']);
    const healthmonitor = { type: 'TCP', delay: 5, timeout: 3, max_retries: 2 };
    expect((await api.ask('POST', 'loadbalancers', await graph({ healthmonitor }))).status).toBe(403);
    expect((await api.get('loadbalancers')).body.loadbalancers).toEqual([]);
    expect(await api.services.network.listVips()).toEqual([]);
    expect((await api.ask('POST', 'loadbalancers', await graph({ members: members.slice(1) }))).status).toBe(201);
    expect((await api.ask('POST', 'loadbalancers', await graph({}))).body.faultstring).toMatch(/Pool/);
  });
});

describe('two hundred at once against a quota of fifty', () => {
  const mishaps: [string, Mishap[], number][] = [
    ['', [], 1],
    [', when every third transaction meets another', ['conflict'], 3],
    [', when of every fifth nothing is heard', ['lost before', 'conflict', 'lost after'], 5],
  ];

  it.each(mishaps)('are fifty load balancers%s', async (_words, list, every) => {
    const table = new FailingTable();
    const api = new InProcessApi({ table });
    await set(api, { loadbalancer: 50 });
    const wish = { loadbalancer: { vip_subnet_id: await api.subnetId() } };
    table.fail(list, every);
    const answers = await Promise.all(Array.from({ length: 200 }, () => api.ask('POST', 'loadbalancers', wish)));
    const statuses = new Set(answers.map(({ status }) => status));
    expect([...statuses].filter((status) => ![201, 403, 503].includes(status))).toEqual([]);
    const rows = await readAll(table, 'loadbalancer', projectId);
    expect(rows).toHaveLength(50);
    expect((await readQuota(table, projectId))!['in_use_loadbalancer']).toBe(50);
    if (!list.includes('lost after')) expect(answers.filter(({ status }) => status === 201)).toHaveLength(50);
  });

  it.each(mishaps)('are fifty members, over several load balancers%s', async (_words, list, every) => {
    const table = new FailingTable();
    const api = new InProcessApi({ table });
    await set(api, { member: 50 });
    const pools: { [name: string]: unknown }[] = [];
    for (let number = 0; number < 4; number++) pools.push(await api.createPool(await api.createLoadBalancer()));
    table.fail(list, every);
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, number) =>
        api.ask('POST', `pools/${pools[number % 4]!['id']}/members`, {
          member: { address: `198.51.100.${number + 1}`, protocol_port: 80 },
        }),
      ),
    );
    if (!list.includes('lost after')) expect(answers.filter(({ status }) => status === 201)).toHaveLength(50);
    expect(await readAll(table, 'member', projectId)).toHaveLength(50);
    expect((await readQuota(table, projectId))!['in_use_member']).toBe(50);
  });

  it('hold to a limit that is lowered meanwhile', async () => {
    const api = new InProcessApi();
    await set(api, { loadbalancer: 50 });
    const wish = { loadbalancer: { vip_subnet_id: await api.subnetId() } };
    const asked = Array.from({ length: 200 }, () => api.ask('POST', 'loadbalancers', wish));
    await set(api, { loadbalancer: 10 });
    const before = await readQuota(api.services.table, projectId);
    await Promise.all(asked);
    const after = await readQuota(api.services.table, projectId);
    const limit = limitsOf(after, {} as never).loadbalancer;
    expect(limit).toBe(10);
    expect(after!['in_use_loadbalancer']).toBe(Math.max(10, Number(before!['in_use_loadbalancer'] ?? 0)));
  });
});
