// What is refused leaves nothing behind.
import { expect, it } from 'vitest';
import { queryAll } from '../../lambdas/drivers/table/table.ts';
import { memberAt } from '../support/octavia-api.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

const given = usePlane(tables[0]!.make);

it('a load balancer too large for one transaction that the quota refuses leaves nothing in the table', async () => {
  const { services } = given.plane;
  const ids: string[] = [];
  const newId = services.newId;
  services.newId = () => {
    ids.push(newId());
    return ids.at(-1)!;
  };
  const lb = await given.api.createLoadBalancer();
  await given.plane.limit(lb['project_id'], { loadbalancer: 1 });
  ids.length = 0;
  const members = Array.from({ length: 40 }, (_, number) => memberAt(number));
  const pools = [{ name: 'many', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', members }];
  const { status } = await given.api.post('loadbalancers', given.api.loadBalancer({ pools }));
  expect(status).toBe(403);
  const left = await Promise.all(ids.map((id) => queryAll(services.table, { pk: `LB#${id}` })));
  expect(left.flat().map(({ sk }) => sk)).toEqual([]);
});
