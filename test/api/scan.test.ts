// Silent amphorae whose load balancers take no failover now do not keep others from theirs.
import { expect, it } from 'vitest';
import { scanHealth } from '../../lambdas/health-manager/scan.ts';
import { changeLoadBalancer } from '../../lambdas/repositories/load-balancers.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

const given = usePlane(tables[0]!.make, { config: { concurrent_failovers: 1 } });

it('fails over an amphora although one that is silent for longer has to pause', async () => {
  const { services } = given.plane;
  const paused = await given.api.createLoadBalancer();
  await given.plane.settle();
  services.clock.turn(1_000);
  await given.api.createLoadBalancer();
  await given.plane.settle();
  await scanHealth(services);
  const pause = { until: services.clock.now() + 600_000, length_ms: 600_000 };
  await changeLoadBalancer(services, paused['id'], () => ({ failover_pause: pause }));
  for (let passed = 0; passed < 80_000; passed += 8_000) {
    services.clock.turn(8_000);
    const { failed_over } = await scanHealth(services);
    if (failed_over > 0) return;
  }
  expect.fail('nobody was failed over');
});
