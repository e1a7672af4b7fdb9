// Where amphorae live in the VPC: the group all of them have, the ranges of VIPs kept from everything else, and their way to SQS. Ports of
// listeners are not here: the network driver makes a group for each load balancer.
import { Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { VpcSubnet } from '../../lambdas/drivers/network/vpc-subnets.ts';
import type { AmphoraChoices } from '../amphora-choices.ts';

/** Where the agent in an amphora listens, to the control plane and to the other of a pair. */
export const agentPort = 9443;
/** Of HAProxy's peers: sessions pass between the amphorae of a pair. */
const peerPort = 1025;
const httpsPort = 443;

export interface AmphoraNetworkProps {
  vpc: ec2.IVpc;
  choices: AmphoraChoices;
  subnets: VpcSubnet[];
  /** Of functions that talk to amphorae. */
  functions: ec2.SecurityGroup;
}

export class AmphoraNetwork extends Construct {
  readonly securityGroup: ec2.SecurityGroup;
  readonly subnets: VpcSubnet[];
  readonly #props: AmphoraNetworkProps;

  constructor(scope: Construct, props: AmphoraNetworkProps) {
    super(scope, 'Amphorae');
    this.#props = props;
    this.subnets = props.subnets;
    this.securityGroup = this.#group();
    this.#reserveVips();
    if (props.choices.egress === 'endpoint') this.#endpoint();
  }

  #group(): ec2.SecurityGroup {
    const { vpc, functions, choices } = this.#props;
    const group = new ec2.SecurityGroup(this, 'Group', {
      vpc,
      description: 'Amphorae, beside the ports of their listeners',
      allowAllOutbound: false,
    });
    group.addIngressRule(functions, ec2.Port.tcp(agentPort), 'control plane');
    functions.addEgressRule(group, ec2.Port.tcp(agentPort), 'agents of amphorae');
    for (const [port, what] of [
      [agentPort, 'the other of a pair, asked whether it is there'],
      [peerPort, 'sessions of the other of a pair'],
    ] as const) {
      group.addIngressRule(group, ec2.Port.tcp(port), what);
      group.addEgressRule(group, ec2.Port.tcp(port), what);
    }
    for (const cidr of choices.memberCidrs) group.addEgressRule(peerOf(cidr), ec2.Port.allTraffic(), 'members');
    // S3 by its gateway, which is free; SQS by an endpoint, or whatever way a given VPC has.
    group.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(httpsPort), 'S3 and SQS');
    if (choices.egress === 'ipv6') group.addEgressRule(ec2.Peer.anyIpv6(), ec2.Port.tcp(httpsPort), 'SQS');
    return group;
  }

  /** What is reserved EC2 gives to nobody of its own accord; the network driver hands it out. */
  #reserveVips(): void {
    this.subnets.forEach(({ id: subnetId, vips, vips_v6 }, index) => {
      const ranges = { '': vips, '-v6': vips_v6 };
      for (const [family, cidr] of Object.entries(ranges))
        if (cidr !== undefined)
          new ec2.CfnSubnetCidrReservation(this, `Vips-${index}${family}`, {
            subnetId,
            cidr,
            reservationType: 'explicit',
            description: 'VIPs of load balancers',
          });
    });
  }

  /** In the zones with amphorae, a subnet of each. */
  #endpoint(): void {
    const { vpc } = this.#props;
    const group = new ec2.SecurityGroup(this, 'EndpointGroup', {
      vpc,
      description: 'SQS, for heartbeats of amphorae',
      allowAllOutbound: false,
    });
    group.addIngressRule(this.securityGroup, ec2.Port.tcp(httpsPort), 'heartbeats');
    const homes = new Map(this.subnets.filter(({ amphorae }) => amphorae).map(({ zone, id }) => [zone, id]));
    const { region, account } = Stack.of(this);
    new ec2.CfnVPCEndpoint(this, 'Sqs', {
      vpcId: vpc.vpcId,
      vpcEndpointType: 'Interface',
      serviceName: `com.amazonaws.${region}.sqs`,
      privateDnsEnabled: true,
      subnetIds: [...homes.values()],
      securityGroupIds: [group.securityGroupId],
      policyDocument: new iam.PolicyDocument({
        statements: [
          new iam.PolicyStatement({
            principals: [new iam.AnyPrincipal()],
            actions: ['sqs:SendMessage'],
            resources: ['*'],
            conditions: { StringEquals: { 'aws:ResourceAccount': account, 'aws:PrincipalAccount': account } },
          }),
        ],
      }),
    });
  }
}

const peerOf = (cidr: string) => (cidr.includes(':') ? ec2.Peer.ipv6(cidr) : ec2.Peer.ipv4(cidr));
