// A control plane with nothing behind it takes everything the API takes.
import { expect, it } from 'vitest';
import { defaultConfig } from '../../lambdas/runtime/config.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

const given = usePlane(tables[0]!.make, { config: { ...defaultConfig, amphora_driver: 'noop' } });

it('what only the amphora provider cannot do is accepted where there are no amphorae', async () => {
  const lb = await given.api.createLoadBalancer();
  const pool = await given.api.createPool(
    { loadbalancer_id: lb['id'] },
    { protocol: 'UDP', lb_algorithm: 'SOURCE_IP_PORT' },
  );
  await given.api.createMember(pool, { address: '2001:db8::1', protocol_port: 53 });
  await given.plane.settle();
  const { body } = await given.api.ask('GET', `/v2.0/lbaas/pools/${pool['id']}`);
  expect(body.pool.provisioning_status).toBe('ACTIVE');
});

it('a listener that no HAProxy can serve is ACTIVE where there is none', async () => {
  const lb = await given.api.createLoadBalancer();
  const listener = await given.api.createListener(lb, { protocol: 'UDP', protocol_port: 53 });
  await given.plane.settle();
  const { body } = await given.api.ask('GET', `/v2.0/lbaas/listeners/${listener['id']}`);
  expect(body.listener.provisioning_status).toBe('ACTIVE');
});
