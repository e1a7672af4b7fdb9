// A pool that only an L7 policy on its way out sends to.
import { expect, it } from 'vitest';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

const given = usePlane(tables[0]!.make);

async function site() {
  const lb = await given.api.createLoadBalancer();
  const listener = await given.api.createListener(lb, { protocol_port: 80 });
  const byDefault = await given.api.createPool({ listener_id: listener['id'] });
  const other = await given.api.createPool({ loadbalancer_id: lb['id'] });
  const l7policy = { listener_id: listener['id'], action: 'REDIRECT_TO_POOL', redirect_pool_id: other['id'] };
  const policy = await given.api.expect(201, given.api.post('l7policies', { l7policy }));
  const rule = { type: 'PATH', compare_type: 'STARTS_WITH', value: '/api' };
  await given.api.expect(201, given.api.post(`l7policies/${policy['id']}/rules`, { rule }));
  await given.plane.settle();
  return { listener, byDefault, other, policy };
}

it('a pool that goes right after its last L7 policy leaves the default pool of the listener alone', async () => {
  const { listener, byDefault, other, policy } = await site();
  const busy = Promise.withResolvers<void>();
  given.plane.amphorae.beforePush = () => busy.promise;
  expect((await given.api.delete(`l7policies/${policy['id']}`)).status).toBe(204);
  expect((await given.api.delete(`pools/${other['id']}`)).status).toBe(204);
  busy.resolve();
  await given.plane.settle();
  expect((await given.api.show(`listeners/${listener['id']}`))['default_pool_id']).toBe(byDefault['id']);
});

it('a pool that goes right after the listener whose L7 policy sends to it is not in use', async () => {
  const { listener, other } = await site();
  const busy = Promise.withResolvers<void>();
  given.plane.amphorae.beforePush = () => busy.promise;
  expect((await given.api.delete(`listeners/${listener['id']}`)).status).toBe(204);
  const { status } = await given.api.delete(`pools/${other['id']}`);
  busy.resolve();
  await given.plane.settle();
  expect(status).toBe(204);
});
