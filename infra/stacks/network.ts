// Where functions that talk to amphorae live: a given VPC or one made here, without NAT, as the gateways of DynamoDB and S3 are free.
import { Stack, type StackProps } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type { Construct } from 'constructs';
import { acknowledgeRule } from '../constructs/acknowledge.ts';
import type { GivenVpc } from '../settings.ts';

export interface NetworkProps extends StackProps {
  given: GivenVpc | undefined;
}

/** Where the agent in an amphora listens. */
const agentPort = 9443;
/** Of the VPC that is made here. */
const newVpcCidr = '10.0.0.0/16';

export class Network extends Stack {
  readonly vpc: ec2.IVpc;
  readonly securityGroup: ec2.SecurityGroup;

  constructor(scope: Construct, id: string, { given, ...props }: NetworkProps) {
    super(scope, id, props);
    this.vpc = given ? this.#givenVpc(given) : this.#newVpc();
    this.securityGroup = new ec2.SecurityGroup(this, 'Functions', {
      vpc: this.vpc,
      description: 'Functions that talk to amphorae',
      allowAllOutbound: false,
    });
    const amphorae = ec2.Peer.ipv4(given?.cidr ?? newVpcCidr);
    this.securityGroup.addEgressRule(amphorae, ec2.Port.tcp(agentPort), 'agents of amphorae');
    // Any address, but the only ones with a route are those of the gateways.
    this.securityGroup.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(443), 'DynamoDB and S3');
  }

  #givenVpc({ id, cidr, availability_zones, subnet_ids }: GivenVpc): ec2.IVpc {
    return ec2.Vpc.fromVpcAttributes(this, 'Vpc', {
      vpcId: id,
      vpcCidrBlock: cidr,
      availabilityZones: availability_zones,
      isolatedSubnetIds: subnet_ids,
    });
  }

  #newVpc(): ec2.Vpc {
    const vpc = new ec2.Vpc(this, 'Vpc', {
      ipAddresses: ec2.IpAddresses.cidr(newVpcCidr),
      maxAzs: 2,
      natGateways: 0,
      // Closing the default group takes a function of CDK's own, and nothing is ever put into that group.
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [{ name: 'control', subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 24 }],
      gatewayEndpoints: {
        DynamoDb: { service: ec2.GatewayVpcEndpointAwsService.DYNAMODB },
        S3: { service: ec2.GatewayVpcEndpointAwsService.S3 },
      },
    });
    acknowledgeRule(
      vpc,
      'VPC7',
      'Nothing in it is reached from outside, and flow logs cost more than the control plane',
    );
    return vpc;
  }
}
