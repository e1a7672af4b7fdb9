// dry_run=true: what a write would answer and do to HAProxy, with nothing changed.
import { describe, expect, it } from 'vitest';
import { lineDiff } from '../../lambdas/api/http/line-diff.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import type { Item, Operation } from '../../lambdas/drivers/table/table.ts';
import { admin, InProcessApi, projectId, stranger } from '../support/in-process-api.ts';

class CountingTable extends SqliteTable {
  written = 0;
  override async transact(operations: Operation[]): Promise<void> {
    await super.transact(operations);
    this.written += operations.length;
  }
}

async function given() {
  const table = new CountingTable({ path: ':memory:' });
  const api = new InProcessApi({ table });
  const lb = await api.createLoadBalancer({ name: 'web' });
  const listener = await api.createListener(lb, { protocol_port: 80 });
  const pool = await api.createPool(lb);
  await api.made('PUT', `listeners/${listener['id']}`, { listener: { default_pool_id: pool['id'] } });
  const member = await api.createMember(pool, '198.51.100.1');
  await api.settle(lb);
  const { queue, events } = api.services;
  const done = () => [table.written, queue.sent.length, events.published.length];
  return { api, table, lb, listener, pool, member, done };
}

describe('a dry run', () => {
  it('of a member answers with the member and the line it would be, and changes nothing', async () => {
    const { api, pool, lb, done } = await given();
    const before = done();
    const body = { member: { address: '198.51.100.2', protocol_port: 8080, weight: 7 } };
    const answer = await api.ask('POST', `pools/${pool['id']}/members?dry_run=true`, body);
    expect(answer.status).toBe(200);
    expect(answer.body.member).toMatchObject({ address: '198.51.100.2', provisioning_status: 'PENDING_CREATE' });
    expect(answer.body.dry_run).toMatchObject({ would_answer: 201, load_balancers: [{ load_balancer_id: lb['id'] }] });
    const diff = answer.body.dry_run.load_balancers[0].haproxy_diff as string;
    const added = diff.split('\n').filter((line) => /^[+-]/.test(line));
    expect(added).toHaveLength(1);
    expect(added[0]).toMatch(/^\+ +server .*198\.51\.100\.2:8080.*weight 7/);
    expect(done()).toEqual(before);
    expect((await api.get(`pools/${pool['id']}/members`)).body.members).toHaveLength(1);
  });

  it('of a change and of a deletion shows the lines that would go', async () => {
    const { api, pool, member, listener, done } = await given();
    const before = done();
    const weight = await api.ask('PUT', `pools/${pool['id']}/members/${member['id']}?dry_run=1`, {
      member: { weight: 9 },
    });
    expect(weight.body.member.weight).toBe(9);
    expect(weight.body.dry_run.load_balancers[0].haproxy_diff).toMatch(/^-.*\n?\+.*weight 9/m);
    const gone = await api.ask('DELETE', `listeners/${listener['id']}?dry_run=true`);
    expect([gone.status, gone.body.dry_run.would_answer]).toEqual([200, 204]);
    expect(gone.body.dry_run.load_balancers[0].haproxy_diff).toMatch(/^- +bind /m);
    const renamed = await api.ask('PUT', `pools/${pool['id']}?dry_run=true`, { pool: { name: 'other' } });
    expect(renamed.body.dry_run.load_balancers[0].haproxy_diff).toBe('');
    expect(done()).toEqual(before);
  });

  it('of a batch and of a whole load balancer', async () => {
    const { api, pool, lb, done } = await given();
    const before = done();
    const members = Array.from({ length: 300 }, (_, number) => ({
      address: `198.51.${100 + Math.floor(number / 250)}.${(number % 250) + 1}`,
      protocol_port: 81,
    }));
    const batch = await api.ask('PUT', `pools/${pool['id']}/members?dry_run=true`, { members });
    expect([batch.status, batch.body.dry_run.would_answer]).toEqual([200, 202]);
    expect(batch.body.dry_run.load_balancers[0].haproxy_diff.match(/^\+ +server /gm)).toHaveLength(300);
    const whole = await api.ask('DELETE', `loadbalancers/${lb['id']}?cascade=true&dry_run=true`);
    expect(whole.body.dry_run.load_balancers[0].haproxy_diff).toMatch(/^-global/m);
    expect(done()).toEqual(before);
  });

  it('of a new load balancer knows no address that was not asked for, and reserves none', async () => {
    const { api, done } = await given();
    const before = done();
    const vip_subnet_id = await api.subnetId();
    const listeners = [{ protocol: 'HTTP', protocol_port: 80 }];
    const body = { loadbalancer: { vip_subnet_id, name: 'new', listeners } };
    const answer = await api.ask('POST', 'loadbalancers?dry_run=true', body);
    expect(answer.status).toBe(200);
    expect(answer.body.loadbalancer).toMatchObject({
      name: 'new',
      vip_address: null,
      vip_port_id: null,
      vip_subnet_id,
    });
    expect(answer.body.dry_run.load_balancers[0].haproxy_diff).toMatch(/^\+ +bind /m);
    const fixed = { loadbalancer: { vip_subnet_id, vip_address: '198.18.3.4' } };
    expect((await api.ask('POST', 'loadbalancers?dry_run=true', fixed)).body.loadbalancer.vip_address).toBe(
      '198.18.3.4',
    );
    expect(done()).toEqual(before);
    expect(await api.services.network.listVips()).toHaveLength(1);
  });

  it('is refused as the write itself would be', async () => {
    const { api, lb, pool, listener } = await given();
    const asked = async (method: string, path: string, body?: unknown, caller?: object) => {
      const answer = await api.ask(method, `${path}?dry_run=true`, body, caller ? { caller } : {});
      return [answer.status, answer.body.faultstring];
    };
    const port = { listener: { loadbalancer_id: lb['id'], protocol: 'TCP', protocol_port: 80 } };
    expect(await asked('POST', 'listeners', port)).toEqual([
      409,
      expect.stringContaining('already using protocol HTTP'),
    ]);
    expect(await asked('POST', 'listeners', { listener: { colour: 1 } })).toEqual([400, expect.anything()]);
    expect(await asked('DELETE', `pools/${pool['id']}`, undefined, stranger)).toEqual([403, expect.anything()]);
    expect(await asked('DELETE', `loadbalancers/${lb['id']}`)).toEqual([400, expect.stringContaining('has children')]);
    expect(await asked('PUT', 'listeners/nobody', { listener: {} })).toEqual([404, 'Listener nobody not found.']);
    await api.ask('PUT', `quotas/${projectId}`, { quota: { pool: 1 } }, { caller: admin });
    const second = { pool: { listener_id: listener['id'], protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' } };
    expect((await asked('POST', 'pools', second))[0]).toBe(409);
    const third = { pool: { loadbalancer_id: lb['id'], protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' } };
    expect(await asked('POST', 'pools', third)).toEqual([403, 'Quota has been met for resources: Pool']);
    const subnet = { loadbalancer: { vip_subnet_id: lb['id'] } };
    expect(await asked('POST', 'loadbalancers', subnet)).toEqual([400, `Subnet ${lb['id']} not found.`]);
    const taken = { loadbalancer: { vip_subnet_id: lb['vip_subnet_id'], vip_address: lb['vip_address'] } };
    expect((await asked('POST', 'loadbalancers', taken))[0]).toBe(409);
  });

  it('of a quota sets none, and keeps no key', async () => {
    const { api, table } = await given();
    const item = () => table.get({ pk: `PROJECT#${projectId}`, sk: 'QUOTA' }) as Promise<Item>;
    const before = await item();
    const answer = await api.ask('PUT', `quotas/${projectId}?dry_run=true`, { quota: { pool: 1 } }, { caller: admin });
    expect([answer.status, answer.body.quota.pool]).toEqual([200, 1]);
    expect(await item()).toEqual(before);
    await api.ask(
      'POST',
      'loadbalancers?dry_run=true',
      { loadbalancer: { vip_subnet_id: await api.subnetId() } },
      {
        headers: { 'idempotency-key': 'k' },
      },
    );
    expect((await table.queryIndex({ index: 'by_type', pk: 'idempotency' })).items).toEqual([]);
  });
});

describe('a difference by lines', () => {
  it.each([
    ['a\nb', 'a\nb', ''],
    ['', 'a', '@@ -1 +1 @@\n+a'],
    ['a\nb\nc', 'a\nc', '@@ -1 +1 @@\n a\n-b\n c'],
    ['1\n2\n3\n4\n5\n6', '1\n2\n3\n4\n5\nx', '@@ -3 +3 @@\n 3\n 4\n 5\n-6\n+x'],
  ])('%j to %j', (before, after, expected) => {
    expect(lineDiff(before, after)).toBe(expected);
  });
});
