// What is half gone is only to be deleted again, by whomever something else is asked.
import { expect, it } from 'vitest';
import { changeLoadBalancer } from '../../lambdas/repositories/load-balancers.ts';
import { amphoraOf } from '../support/heartbeats.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

const given = usePlane(tables[0]!.make);

it('refuses the failover of an amphora whose load balancer could not be deleted', async () => {
  const { services } = given.plane;
  const lb = await given.api.createLoadBalancer();
  await given.plane.settle();
  const amphora = await amphoraOf(given.plane, lb['id']);
  await changeLoadBalancer(services, lb['id'], () => ({ provisioning_status: 'ERROR', failed: 'delete' }));
  const admin = given.plane.as('admin');
  const whole = await admin.put(`loadbalancers/${lb['id']}/failover`);
  const one = await admin.ask('PUT', `/v2.0/octavia/amphorae/${amphora.id}/failover`);
  expect([whole.status, one.status]).toEqual([409, 409]);
});
