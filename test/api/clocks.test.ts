// The clock of an amphora is not ours.
import { expect, it } from 'vitest';
import { scanHealth } from '../../lambdas/health-manager/scan.ts';
import { BeatingAmphora } from '../support/heartbeats.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

const given = usePlane(tables[0]!.make);

it('an amphora whose clock was set back and that goes on speaking is not failed over', async () => {
  const { services } = given.plane;
  const lb = await given.api.createLoadBalancer();
  await given.plane.settle();
  const amphora = await BeatingAmphora.of(given.plane, lb['id']);
  await amphora.send();
  let failedOver = 0;
  for (let passed = 0; passed < 200_000; passed += 10_000) {
    services.clock.turn(10_000);
    await amphora.send({ sent_at: services.clock.now() - 3_600_000 });
    failedOver += (await scanHealth(services)).failed_over;
  }
  expect(failedOver).toBe(0);
});
