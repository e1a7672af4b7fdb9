// What resources show of themselves where it is neither what was sent nor a plain default.
import { beforeEach, describe, expect, it } from 'vitest';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { queryAll } from '../../lambdas/drivers/table/table.ts';
import { partitionOf } from '../../lambdas/repositories/keys.ts';
import { defaultConfig } from '../../lambdas/runtime/config.ts';
import { InProcessApi } from '../support/in-process-api.ts';
import { usePlane } from '../support/planes.ts';

let api: InProcessApi;
let lb: Awaited<ReturnType<InProcessApi['createLoadBalancer']>>;
beforeEach(async () => {
  api = new InProcessApi();
  lb = await api.createLoadBalancer();
});

describe('a pool', () => {
  it('names its health monitor only when it has one', async () => {
    const pool = await api.createPool(lb);
    expect(pool).not.toHaveProperty('healthmonitor_id');
    const monitor = await api.createMonitor(pool);
    expect(await api.made('GET', `pools/${pool['id']}`)).toMatchObject({ healthmonitor_id: monitor['id'] });
  });
});

describe('a member', () => {
  it('is NO_MONITOR at first, and OFFLINE where the pool has a health monitor', async () => {
    const pool = await api.createPool(lb);
    expect(await api.createMember(pool, '192.0.2.1')).toMatchObject({ operating_status: 'NO_MONITOR' });
    await api.createMonitor(pool);
    expect(await api.createMember(pool, '192.0.2.2')).toMatchObject({ operating_status: 'OFFLINE' });
  });
});

describe('a listener', () => {
  it('has null for no allowed_cidrs, and empty insert_headers and sni_container_refs', async () => {
    const listener = await api.createListener(lb, { allowed_cidrs: [] });
    expect(listener).toMatchObject({ allowed_cidrs: null, insert_headers: {}, sni_container_refs: [] });
  });
});

describe('a health monitor', () => {
  it('that speaks no HTTP has neither method, path nor codes', async () => {
    const pool = await api.createPool(lb);
    const attributes = { pool_id: pool['id'], type: 'TCP', delay: 1, timeout: 2, max_retries: 1 };
    const monitor = await api.made('POST', 'healthmonitors', { healthmonitor: attributes });
    // A timeout above the delay is Octavia's to take.
    expect(monitor).toMatchObject({ http_method: null, url_path: null, expected_codes: null, timeout: 2 });
  });
});

describe('an L7 rule', () => {
  it('loses its key when it becomes one of a type without', async () => {
    const policy = await api.createPolicy(await api.createListener(lb));
    const header = { type: 'HEADER', compare_type: 'EQUAL_TO', key: 'X-A', value: 'a' };
    const rule = await api.made('POST', `l7policies/${policy['id']}/rules`, { rule: header });
    const change = { rule: { type: 'PATH', value: '/' } };
    expect(await api.made('PUT', `l7policies/${policy['id']}/rules/${rule['id']}`, change)).toMatchObject({
      key: null,
    });
  });
});

describe('an L7 policy', () => {
  it('sends to no pool of another load balancer', async () => {
    const listener = await api.createListener(lb);
    const foreign = await api.createPool(await api.createLoadBalancer());
    const l7policy = { listener_id: listener['id'], action: 'REDIRECT_TO_POOL', redirect_pool_id: foreign['id'] };
    const { status, body } = await api.ask('POST', 'l7policies', { l7policy });
    expect([status, body.faultstring]).toEqual([404, `Pool ${foreign['id']} not found.`]);
  });
});

describe('a load balancer', () => {
  it('is of some project', async () => {
    const loadbalancer = { vip_subnet_id: await api.subnetId() };
    const { status, body } = await api.ask('POST', 'loadbalancers', { loadbalancer }, { caller: { roles: ['admin'] } });
    const faultstring = 'Validation failure: Missing project ID in request where one is required.';
    expect([status, body.faultstring]).toEqual([400, faultstring]);
  });
});

describe('a page', () => {
  it('is no longer than the deployment allows', async () => {
    const short = new InProcessApi({ config: { pagination_max_limit: 2 } });
    for (const name of ['a', 'b', 'c']) await short.createLoadBalancer({ name });
    for (const query of ['', '?limit=3'])
      expect((await short.get(`loadbalancers${query}`)).body.loadbalancers).toHaveLength(2);
  });

  it('is turned round by page_reverse=True alone', async () => {
    api.services.clock.turn(1000);
    const second = await api.createLoadBalancer();
    const ids = async (value: string) =>
      (await api.get(`loadbalancers?marker=${second['id']}&page_reverse=${value}`)).body.loadbalancers.map(
        (one: { id: string }) => one.id,
      );
    expect(await ids('True')).toEqual([lb['id']]);
    for (const value of ['true', '1', 'yes']) expect(await ids(value)).toEqual([]);
  });
});

describe('in force', () => {
  const given = usePlane(async () => new SqliteTable({ path: ':memory:' }));

  it('a health monitor is ONLINE, a disabled one OFFLINE', async () => {
    const balancer = await given.api.createLoadBalancer();
    const monitors = [];
    for (const admin_state_up of [true, false]) {
      const pool = await given.api.createPool({ loadbalancer_id: balancer['id'] });
      monitors.push(await given.api.createMonitor(pool, { admin_state_up }));
    }
    await given.plane.settle();
    const shown = await Promise.all(monitors.map(({ id }) => given.api.show(`healthmonitors/${id}`)));
    expect(shown.map((one) => one['operating_status'])).toEqual(['ONLINE', 'OFFLINE']);
  });

  it('a load balancer that was deleted is hidden at once, and purged once it is old enough', async () => {
    const { id } = await given.api.createLoadBalancer();
    await given.plane.settle();
    await given.api.delete(`loadbalancers/${id}`);
    await given.plane.settle();
    const rows = () => queryAll(given.plane.services.table, { pk: partitionOf(id) });
    expect((await given.api.get(`loadbalancers/${id}`)).status).toBe(404);
    expect(await given.plane.runHousekeeping()).toMatchObject({ purged: 0 });
    expect(await rows()).not.toEqual([]);
    given.plane.services.clock.turn(defaultConfig.load_balancer_expiry_ms + 1000);
    expect(await given.plane.runHousekeeping()).toMatchObject({ purged: 1 });
    expect(await rows()).toEqual([]);
  });
});
