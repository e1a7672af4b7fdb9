import { afterEach, beforeEach, expect, it } from 'vitest';
import { configFromEnvironment } from '../../lambdas/runtime/config.ts';
import { newId } from '../../lambdas/runtime/ids.ts';
import { vpcNetwork } from '../../lambdas/runtime/vpc-network.ts';
import { vpcSubnets } from '../support/ec2-world.ts';
import { wanted } from '../support/vip-requests.ts';
import { Balancer, groupId, subnetId, VpcWorld } from '../support/vpc-world.ts';

let world: VpcWorld;
/** The only way to tell a client of AWS where it is to go, when nobody hands it in. */
const before = { ...process.env };
beforeEach(async () => {
  world = await VpcWorld.start();
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_EC2: world.ec2.endpoint,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  });
});
afterEach(async () => {
  process.env = { ...before };
  await world[Symbol.asyncDispose]();
});

it('a VIP in a VPC is moved as the settings of its function say, and AWS is asked no sooner', async () => {
  const config = configFromEnvironment({
    OCTAVIA_NETWORK_DRIVER: 'vpc',
    OCTAVIA_DEPLOYMENT_NAME: 'octavia',
    OCTAVIA_SUBNETS: JSON.stringify(vpcSubnets),
    OCTAVIA_VIP_SECURITY_GROUPS: 'sg-mine, sg-ours',
    OCTAVIA_REGION: 'eu-central-1',
  });
  const { clock, table } = world.ec2World;
  const network = vpcNetwork({ config, clock, table, newId });
  const request = wanted({ subnet_id: subnetId('subnet-a') });
  const vip = await network.allocateVip(request);
  await network.checkSecurityGroup(groupId('sg-ours'));
  expect(world.ec2.asked).toEqual([]);
  const balancer = new Balancer(network, request.load_balancer_id, { ...vip, vip_sg_ids: [groupId('sg-ours')] });
  await balancer.plug('a');
  await balancer.take('a', 1);
  expect(world.holderOf(vip.vip_address)).toBe('a');
  expect(world.interfacesOf('a')[0]!.groups).toContain('sg-ours');
});
