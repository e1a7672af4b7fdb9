// VIPs in a VPC, from the settings. EC2's client comes with the first call that asks AWS, so that the API carries none.
import type { NetworkDriver } from '../drivers/network/network-driver.ts';
import { VpcNetworkDriver } from '../drivers/network/vpc.ts';
import type { VpcSide } from '../drivers/network/vpc-side.ts';
import { parseSubnets } from '../drivers/network/vpc-subnets.ts';
import type { Table } from '../drivers/table/table.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { NewId } from './ids.ts';
import { lazily } from './lazily.ts';

export function vpcNetwork(parts: { config: Config; clock: Clock; newId: NewId; table: Table }): NetworkDriver {
  const { region, deployment_name: deployment, subnets, vip_security_groups } = parts.config;
  const securityGroups = vip_security_groups.split(',').flatMap((one) => one.trim() || []);
  const side = lazily<VpcSide>(async () => {
    const { Ec2Side, EC2Client } = await import('../drivers/network/vpc-side.ts');
    return new Ec2Side({ client: () => new EC2Client({ region }), deployment, securityGroups });
  });
  return new VpcNetworkDriver({ ...parts, subnets: parseSubnets(subnets), securityGroups, side });
}
