// Where functions that talk to amphorae live, and amphorae: a given VPC or one made here, without NAT, as the gateways of DynamoDB and S3
// are free.
import { CfnOutput, Fn, Stack, type StackProps } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type { Construct } from 'constructs';
import type { VpcSubnet } from '../../lambdas/drivers/network/vpc-subnets.ts';
import { type AmphoraChoices, newVpcCidr } from '../amphora-choices.ts';
import { acknowledgeRule } from '../constructs/acknowledge.ts';
import { AmphoraNetwork } from '../constructs/amphora-network.ts';
import type { GivenVpc } from '../settings.ts';

export interface NetworkProps extends StackProps {
  given: GivenVpc | undefined;
  /** Undefined: there are none. */
  amphorae: AmphoraChoices | undefined;
}

/** Of 4,096 addresses the third quarter is for VIPs: the first and the last are AWS's. */
const amphoraMask = 20;

export class Network extends Stack {
  readonly vpc: ec2.IVpc;
  /** Of functions that talk to amphorae. */
  readonly functionSubnets: ec2.SubnetSelection;
  readonly securityGroup: ec2.SecurityGroup;
  readonly amphorae: AmphoraNetwork | undefined;

  constructor(scope: Construct, id: string, { given, amphorae, ...props }: NetworkProps) {
    super(scope, id, props);
    this.vpc = given ? this.#givenVpc(given) : this.#newVpc(amphorae);
    this.functionSubnets = { subnets: this.vpc.isolatedSubnets };
    this.securityGroup = new ec2.SecurityGroup(this, 'Functions', {
      vpc: this.vpc,
      description: 'Functions that talk to amphorae',
      allowAllOutbound: false,
    });
    // Any address, but the only ones with a route are those of the gateways.
    this.securityGroup.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(443), 'DynamoDB and S3');
    if (amphorae === undefined) return;
    const { vpc, securityGroup: functions } = this;
    const given_ = amphorae.subnets?.map((subnet) => ({ ...subnet, vpc: vpc.vpcId }));
    const subnets = given_ ?? this.#newSubnets(amphorae);
    this.amphorae = new AmphoraNetwork(this, { vpc, choices: amphorae, subnets, functions });
  }

  #givenVpc({ id, cidr, availability_zones, subnet_ids }: GivenVpc): ec2.IVpc {
    return ec2.Vpc.fromVpcAttributes(this, 'Vpc', {
      vpcId: id,
      vpcCidrBlock: cidr,
      availabilityZones: availability_zones,
      isolatedSubnetIds: subnet_ids,
    });
  }

  #newVpc(amphorae: AmphoraChoices | undefined): ec2.Vpc {
    const control = { name: 'control', subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 24 };
    const vpc = new ec2.Vpc(this, 'Vpc', {
      ipAddresses: ec2.IpAddresses.cidr(newVpcCidr),
      ...(amphorae?.egress === 'ipv6' && { ipProtocol: ec2.IpProtocol.DUAL_STACK }),
      maxAzs: 2,
      natGateways: 0,
      createInternetGateway: amphorae?.areVipsPublic ?? false,
      // Closing the default group takes a function of CDK's own, and nothing is ever put into that group.
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [control, ...(amphorae ? [subnetsOf(amphorae)] : [])],
      gatewayEndpoints: {
        DynamoDb: { service: ec2.GatewayVpcEndpointAwsService.DYNAMODB },
        S3: { service: ec2.GatewayVpcEndpointAwsService.S3 },
      },
    });
    acknowledgeRule(
      vpc,
      'VPC7',
      'Only listeners are reached from outside, and flow logs cost more than the control plane',
    );
    return vpc;
  }

  #newSubnets(amphorae: AmphoraChoices): VpcSubnet[] {
    const { subnets } = this.vpc.selectSubnets({ subnetGroupName: 'amphorae' });
    return subnets.map((subnet, index) => ({
      id: subnet.subnetId,
      vpc: this.vpc.vpcId,
      name: `amphorae-${index + 1}`,
      zone: subnet.availabilityZone,
      cidr: subnet.ipv4CidrBlock,
      vips: thirdQuarter(subnet.ipv4CidrBlock),
      amphorae: true,
      ...(amphorae.areVipsPublic && { public: true }),
      ...(amphorae.egress === 'ipv6' && { cidr_v6: this.#version6Of(subnet, index) }),
    }));
  }

  /** AWS chooses it, so other stacks learn it by name. */
  #version6Of(subnet: ec2.ISubnet, index: number): string {
    const { attrIpv6CidrBlocks } = subnet.node.defaultChild as ec2.CfnSubnet;
    const exportName = `${this.stackName}:amphorae-${index + 1}-v6`;
    new CfnOutput(this, `AmphoraeV6-${index + 1}`, { value: Fn.select(0, attrIpv6CidrBlocks), exportName });
    return Fn.importValue(exportName);
  }
}

/** With IPv6 a way out is free, to what is asked for from inside. */
function subnetsOf({ egress, areVipsPublic }: AmphoraChoices): ec2.SubnetConfiguration {
  const { PUBLIC, PRIVATE_WITH_EGRESS, PRIVATE_ISOLATED } = ec2.SubnetType;
  const inside = egress === 'ipv6' ? PRIVATE_WITH_EGRESS : PRIVATE_ISOLATED;
  const of = { name: 'amphorae', cidrMask: amphoraMask };
  // Amphorae themselves have no public address, VIPs have.
  return areVipsPublic ? { ...of, subnetType: PUBLIC, mapPublicIpOnLaunch: false } : { ...of, subnetType: inside };
}

function thirdQuarter(cidr: string): string {
  const [address, length] = cidr.split('/') as [string, string];
  const bytes = address.split('.').map(Number);
  const half = 2 ** (31 - Number(length));
  const begin = bytes.reduce((sum, byte) => sum * 256 + byte, 0) + half;
  return `${[24, 16, 8, 0].map((shift) => (begin >>> shift) & 255).join('.')}/${Number(length) + 2}`;
}
