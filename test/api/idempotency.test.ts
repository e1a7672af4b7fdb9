// Idempotency-Key: a create that is sent again, because nobody heard the answer, makes nothing twice.
import { describe, expect, it } from 'vitest';
import { readAll } from '../../lambdas/repositories/trees.ts';
import { FailingTable } from '../support/failing-table.ts';
import { InProcessApi, member, otherProjectId, projectId } from '../support/in-process-api.ts';
import { TurnableClock } from '../support/services.ts';

/** Who sleeps lets others work, and no time passes. */
class PatientClock extends TurnableClock {
  override sleep(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const dayMs = 86_400_000;
const keyed = (key: string, caller = member) => ({ caller, headers: { 'Idempotency-Key': key } });
const wishOf = async (api: InProcessApi, more = {}) => ({
  loadbalancer: { vip_subnet_id: await api.subnetId(), name: 'once', ...more },
});
const post = async (api: InProcessApi, key: string, more = {}, caller = member) =>
  api.ask('POST', 'loadbalancers', await wishOf(api, more), keyed(key, caller));
const count = async (api: InProcessApi, project = projectId) =>
  (await readAll(api.services.table, 'loadbalancer', project)).length;

describe('a create with a key', () => {
  it('that was answered is answered the same again, and makes nothing', async () => {
    const api = new InProcessApi();
    const first = await post(api, 'k');
    const events = api.services.events.published.length;
    const again = await post(api, 'k');
    expect(first.status).toBe(201);
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect([first.headers['idempotency-replayed'], again.headers['idempotency-replayed']]).toEqual([undefined, 'true']);
    expect(await count(api)).toBe(1);
    expect(api.services.events.published).toHaveLength(events);
  });

  it('is the same whatever the order of its body', async () => {
    const api = new InProcessApi();
    const vip_subnet_id = await api.subnetId();
    await api.ask('POST', 'loadbalancers', { loadbalancer: { vip_subnet_id, name: 'x' } }, keyed('k'));
    const again = await api.ask(
      'POST',
      '/v2/loadbalancers/',
      { loadbalancer: { name: 'x', vip_subnet_id } },
      keyed('k'),
    );
    expect(again.headers['idempotency-replayed']).toBe('true');
  });

  it('with another body is refused', async () => {
    const api = new InProcessApi();
    await post(api, 'k');
    const { status, body } = await post(api, 'k', { name: 'another' });
    expect([status, body.faultstring]).toEqual([422, 'Idempotency-Key was sent with another request before.']);
    expect(await count(api)).toBe(1);
  });

  it.each(['', 'k'.repeat(256)])('of "%s" is refused', async (key) => {
    expect((await post(new InProcessApi(), key)).status).toBe(400);
  });

  it('is another one on another route, below another parent, and in another project', async () => {
    const api = new InProcessApi();
    const lb = (await post(api, 'k')).body.loadbalancer;
    await post(api, 'k', {}, { project_id: otherProjectId, roles: ['member'] });
    expect([await count(api), await count(api, otherProjectId)]).toEqual([1, 1]);
    const made = { listener: { loadbalancer_id: lb.id, protocol: 'TCP', protocol_port: 5 } };
    expect((await api.ask('POST', 'listeners', made, keyed('k'))).status).toBe(201);
    const pools = [await api.createPool(lb), await api.createPool(lb)];
    for (const { id } of pools) {
      const one = { member: { address: '198.51.100.1', protocol_port: 80 } };
      expect((await api.ask('POST', `pools/${id}/members`, one, keyed('k'))).status).toBe(201);
    }
    expect(await readAll(api.services.table, 'member', projectId)).toHaveLength(2);
  });

  it('sent many times at once makes one resource', async () => {
    const api = new InProcessApi({ clock: new PatientClock() });
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(api, 'k')));
    expect(await count(api)).toBe(1);
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.loadbalancer?.id}`))).toHaveLength(1);
  });

  it('that was refused may be sent again', async () => {
    const api = new InProcessApi({ config: { quota_load_balancer: 0 } });
    expect((await post(api, 'k')).status).toBe(403);
    (api.services.config as { quota_load_balancer: number }).quota_load_balancer = -1;
    expect((await post(api, 'k')).status).toBe(201);
  });

  it('is forgotten after a day', async () => {
    const api = new InProcessApi();
    await post(api, 'k');
    api.services.clock.turn(dayMs - 1000);
    expect((await post(api, 'k')).headers['idempotency-replayed']).toBe('true');
    api.services.clock.turn(1001);
    expect((await post(api, 'k')).headers['idempotency-replayed']).toBeUndefined();
    expect(await count(api)).toBe(2);
    api.services.clock.turn(dayMs + 1);
    await post(api, 'other');
    expect(await api.services.table.queryIndex({ index: 'by_type', pk: 'idempotency' })).toMatchObject({
      items: [expect.anything()],
    });
  });

  it('is not replayed to whoever may not see what it made', async () => {
    const api = new InProcessApi();
    await post(api, 'k');
    expect((await post(api, 'k', {}, { project_id: projectId, roles: [] })).status).toBe(403);
  });

  it('of which the answer was lost on its way to the table has made what it made, and is answered with it', async () => {
    const table = new FailingTable();
    const api = new InProcessApi({ table });
    const lb = await api.createLoadBalancer();
    const made = { listener: { loadbalancer_id: lb['id'], protocol: 'TCP', protocol_port: 5 } };
    // The first transaction keeps the key, the second one is the listener's.
    table.fail(['lost after'], table.transactions + 2);
    expect((await api.ask('POST', 'listeners', made, keyed('k'))).status).toBe(503);
    table.fail([], 1);
    const again = await api.ask('POST', 'listeners', made, keyed('k'));
    expect(again.status).toBe(201);
    expect((await api.get('listeners')).body.listeners.map(({ id }: { id: string }) => id)).toEqual([
      again.body.listener.id,
    ]);
  });

  it('of which nothing reached the table is done by the next one', async () => {
    const table = new FailingTable();
    const api = new InProcessApi({ table });
    const lb = await api.createLoadBalancer();
    const made = { listener: { loadbalancer_id: lb['id'], protocol: 'TCP', protocol_port: 5 } };
    table.fail(['lost before'], table.transactions + 2);
    expect((await api.ask('POST', 'listeners', made, keyed('k'))).status).toBe(503);
    table.fail([], 1);
    expect((await api.ask('POST', 'listeners', made, keyed('k'))).status).toBe(201);
    expect((await api.get('listeners')).body.listeners).toHaveLength(1);
  });
});
