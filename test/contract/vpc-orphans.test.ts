// What a load balancer that is no more left with AWS, of which nothing is written any more: found by its tag, and swept.
import { expect, it } from 'vitest';
import { VpcNetworkDriver } from '../../lambdas/drivers/network/vpc.ts';
import { Ec2Side } from '../../lambdas/drivers/network/vpc-side.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { sweepOrphans } from '../../lambdas/housekeeping/sweep.ts';
import { newLoadBalancerItem } from '../../lambdas/repositories/load-balancers.ts';
import { newId } from '../../lambdas/runtime/ids.ts';
import { aLoadBalancer } from '../support/builders.ts';
import { deployment, vpcSubnets } from '../support/ec2-world.ts';
import { testServices } from '../support/services.ts';
import { subnetId, VpcWorld } from '../support/vpc-world.ts';

const elsewhere = { subnet_id: subnetId('subnet-p') };

it('sweeps interfaces, groups and Elastic IPs of load balancers that are gone, and touches nothing of those that are there', async () => {
  await using world = await VpcWorld.start();
  const [gone, there] = [await world.balancer(elsewhere), await world.balancer()];
  await there.plug('b');
  const ofThere = world.footprint();
  await gone.plug('a');
  await gone.take('a', 1);
  await gone.allow([{ protocol: 'tcp', port: 80, cidr: '0.0.0.0/0' }]);
  // What the driver wrote of both is lost; one still has its row.
  const { clock } = world.ec2World;
  const side = new Ec2Side({ client: () => world.ec2.client(), deployment, securityGroups: world.groups });
  const table = new SqliteTable({ path: ':memory:' });
  const parts = { clock, table, newId, subnets: vpcSubnets, securityGroups: world.groups, side };
  const services = testServices({ network: new VpcNetworkDriver(parts) });
  const row = aLoadBalancer({ id: there.id, load_balancer_id: there.id, name: 'there' });
  await services.table.transact([{ kind: 'put', item: newLoadBalancerItem(row) }]);
  expect(await services.network.listTagged()).toEqual([gone.id, there.id].toSorted());
  expect(await sweepOrphans(services)).toMatchObject({ tagged: 1 });
  expect(world.footprint()).toEqual(ofThere);
  expect(await sweepOrphans(services)).toMatchObject({ tagged: 0 });
});
