import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { parseSubnets, type VpcSubnet } from '../../lambdas/drivers/network/vpc-subnets.ts';
import { vpcSubnets } from '../support/ec2-world.ts';
import { subnetId, VpcWorld } from '../support/vpc-world.ts';

it('a VIP in a VPC is for amphorae of the zone of its subnet', async () => {
  await using world = await VpcWorld.start();
  expect((await world.balancer({ subnet_id: subnetId('subnet-b') })).vip.vip_zone).toBe('az2');
  const zones = [];
  const { network_id } = await world.network().getSubnet(subnetId('subnet-a'));
  for (const availability_zone of ['az1', 'az2'])
    zones.push((await world.balancer({ network_id, availability_zone })).vip.vip_zone);
  expect(zones).toEqual(['az1', 'az2']);
  expect(world.ec2.asked).toEqual([]);
});

it('addresses of VIPs are not where a setting leaves AWS no room, nor outside of their subnet', () => {
  const parse = (more: Partial<VpcSubnet>) => () => parseSubnets(JSON.stringify([{ ...vpcSubnets[1], ...more }]));
  expect(parse({})()).toEqual([vpcSubnets[1]]);
  for (const vips of ['10.0.2.0/28', '10.0.2.240/28', '10.0.3.16/28', '10.0.0.0/16', 'all'])
    expect(parse({ vips })).toThrow(/setting subnets: subnet-b: vips/);
  expect(parse({ vips_v6: '2001:db8::100/120' })).toThrow(/setting subnets: subnet-b: vips_v6/);
});

it('whoever only reserves addresses carries no client of EC2', async () => {
  const entry = fileURLToPath(new URL('../../lambdas/drivers/network/vpc.ts', import.meta.url));
  const options = { bundle: true, write: false, metafile: true, platform: 'node', format: 'esm' } as const;
  const { metafile } = await build({ ...options, entryPoints: [entry] });
  const files = Object.keys(metafile.inputs);
  expect(files.some((file) => file.endsWith('vpc-traces.ts'))).toBe(true);
  expect(files.filter((file) => file.includes('@aws-sdk') || file.endsWith('vpc-side.ts'))).toEqual([]);
});
