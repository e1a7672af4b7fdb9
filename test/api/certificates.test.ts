// Certificates of amphorae end; amphorae are to go on.
import { expect, it } from 'vitest';
import { readAllAmphorae } from '../../lambdas/repositories/amphorae.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

const given = usePlane(tables[0]!.make, { config: { spare_amphorae: 1 } });

it('no amphora, spare ones included, is left with a certificate that is about to end', async () => {
  const { services } = given.plane;
  await given.plane.runHousekeeping();
  await given.plane.settle();
  await given.api.createLoadBalancer();
  await given.plane.settle();
  await given.plane.runHousekeeping();
  await given.plane.settle();
  services.clock.turn(29 * 86_400_000);
  for (let round = 0; round < 3; round++) {
    await given.plane.runHousekeeping();
    await given.plane.settle();
  }
  const rows = await readAllAmphorae(services.table);
  expect(rows).toHaveLength(2);
  const soon = new Date(services.clock.now() + 3 * 86_400_000).toISOString();
  expect(rows.filter((row) => row.cert_expiration! < soon)).toEqual([]);
});
