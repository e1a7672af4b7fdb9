// GET .../explain: why a load balancer is PENDING or in ERROR, to be read by people.
import { describe, expect, it } from 'vitest';
import { loadBalancerKey, partitionOf } from '../../lambdas/repositories/keys.ts';
import { admin, InProcessApi, member, stranger } from '../support/in-process-api.ts';

type Shown = Record<string, any>;

async function given() {
  const api = new InProcessApi();
  const lb = await api.createLoadBalancer({ name: 'web' });
  const set = (attributes: Shown) =>
    api.services.table.transact([{ kind: 'update', key: loadBalancerKey(lb['id']), set: attributes }]);
  const explain = (caller = member) => api.made('GET', `loadbalancers/${lb['id']}/explain`, undefined, { caller });
  return { api, lb, set, explain };
}

describe('the explanation of a load balancer', () => {
  it('that nobody works on yet says what it waits for and until when', async () => {
    const { explain } = await given();
    const { summary, next, operation, lease } = await explain();
    expect(operation).toMatchObject({ kind: 'create', attempt: 1, attempts_allowed: 3, is_overdue: false });
    expect(lease).toBeNull();
    expect(summary).toEqual([
      'PENDING_CREATE since 2025-06-01T12:00:00.000000: the create is not done yet.',
      'Generation 1 is wanted and generation 0 is in force.',
      'Nobody works on it at this moment: it waits for its turn in the queue.',
    ]);
    expect(next).toBe(
      'If it is not done by 2025-06-01T12:15:00.000000, housekeeping sets it going again; after 3 attempts in all it ends in ERROR.',
    );
  });

  it('that a flow works on names the flow and what is on the way; ids of amphorae are for administrators', async () => {
    const { api, set, explain } = await given();
    const until = api.services.clock.now() + 60_000;
    await set({
      lease: { flow: 'create-load-balancer', execution: 'create-1', until },
      candidates: [{ operation_id: 'o', role: 'STANDALONE', amphora_id: 'amphora-1', is_spare: true }],
    });
    const told = await explain();
    expect(told['summary']).toContain(
      'The flow create-load-balancer works on it, until 2025-06-01T12:01:00.000000 at the latest.',
    );
    expect(told['summary']).toContain('1 new amphora on the way, 1 of them from the spares.');
    expect(JSON.stringify(told)).not.toContain('amphora-1');
    expect(await explain(admin)).toMatchObject({
      lease: { execution: 'create-1' },
      candidates: [{ amphora_id: 'amphora-1' }],
    });
    api.services.clock.turn(61_000);
    expect((await explain())['summary'].join()).toContain('was not heard of since');
  });

  it('that is past its deadline says who looks after it', async () => {
    const { api, set, lb, explain } = await given();
    api.services.clock.turn(900_001);
    expect((await explain())['next']).toBe('Its deadline is past: housekeeping looks after it in its next round.');
    const row = (await api.services.table.get(loadBalancerKey(lb['id'])))!;
    await set({ operation: { ...(row['operation'] as Shown), attempts: 1 } });
    expect((await explain())['summary'][0]).toMatch(/attempt 2 of 3\.$/);
  });

  it('in ERROR says why, and that nothing happens by itself', async () => {
    const { api, set, explain } = await given();
    const pause = { until: api.services.clock.now() + 5_000, length_ms: 5_000 };
    await set({ provisioning_status: 'ERROR', operation: null, reason: 'no host has room', failover_pause: pause });
    expect(await explain()).toMatchObject({
      reason: 'no host has room',
      summary: [
        'ERROR: no host has room.',
        'The last failover failed; the next one is not tried before 2025-06-01T12:00:05.000000.',
      ],
      next: 'Nothing happens by itself: the next write or a failover sets it going again, or it is to be deleted.',
    });
    await set({ failed: 'failover' });
    expect((await explain())['next']).toBe(
      'An amphora that stays silent is failed over again by itself; else the next write or a failover sets it going again, or it is to be deleted.',
    );
    await set({ failed: 'delete' });
    expect((await explain())['next']).toContain('only to be deleted again');
  });

  it('names children that were refused, are unwell, or are on their way', async () => {
    const { api, lb, explain } = await given();
    const listener = await api.createListener(lb, { name: 'front' });
    const pool = await api.createPool(lb, { name: 'back' });
    await api.settle(lb);
    const change = (kind: string, id: string, set: Shown) =>
      api.services.table.transact([{ kind: 'update', key: { pk: partitionOf(lb['id']), sk: `${kind}#${id}` }, set }]);
    await change('LISTENER', listener['id'], { provisioning_status: 'ERROR', reason: 'cannot bind socket' });
    await change('POOL', pool['id'], { operating_status: 'ERROR' });
    const told = await explain();
    expect(told).toMatchObject({
      refused_count: 1,
      refused: [{ type: 'listener', name: 'front', reason: 'cannot bind socket' }],
      unwell: [{ type: 'pool', operating_status: 'ERROR' }],
      next: 'The refused resources stay as they were before until they are changed or deleted.',
    });
    expect(told['summary']).toContain(
      `The amphorae refused listener "front" (${listener['id']}), and run without its last change: cannot bind socket`,
    );
    await api.createPool(lb);
    expect(await explain()).toMatchObject({ pending_count: 1, operation: { kind: 'create' } });
  });

  it('of one that is well is short; of one that is not theirs is refused; of none is 404', async () => {
    const { api, lb, explain } = await given();
    await api.settle(lb);
    const told = await explain();
    expect([told['summary'], told['next']]).toEqual([
      ['ACTIVE: what was asked for, generation 1, is in force.'],
      'Nothing is waiting.',
    ]);
    await expect(explain(stranger)).rejects.toThrow('403');
    expect((await api.get('loadbalancers/nobody/explain')).status).toBe(404);
    expect(await api.made('GET', `loadbalancers/${lb['id']}/explain?fields=next`)).toEqual({
      next: 'Nothing is waiting.',
    });
  });
});
