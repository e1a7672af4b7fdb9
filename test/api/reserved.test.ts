// The metadata service by its other names.
import { expect, it } from 'vitest';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

const given = usePlane(tables[0]!.make);

it.each([
  { address: '169.254.169.254' },
  { address: '::ffff:169.254.169.254' },
  { address: '::ffff:a9fe:a9fe' },
  { address: 'FD00:EC2::254' },
  { address: 'fd00:ec2:0:0:0:0:0:254' },
  { address: '192.0.2.1', monitor_address: '169.254.169.254' },
])('refuses a member at $address, checked at $monitor_address', async (place) => {
  const lb = await given.api.createLoadBalancer();
  const pool = await given.api.createPool({ loadbalancer_id: lb['id'] });
  const member = { protocol_port: 80, ...place };
  expect((await given.api.post(`pools/${pool['id']}/members`, { member })).status).toBe(400);
});
