// What a deployment has for amphorae on EC2: how they are started, what they may do, who reaches them, and who may make and end them.
import { Match } from 'aws-cdk-lib/assertions';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FunctionName, functionNames, specOf } from '../../infra/functions.ts';
import { tagKeys } from '../../lambdas/drivers/compute/ec2-requests.ts';
import { parseSubnets } from '../../lambdas/drivers/network/vpc-subnets.ts';
import { allowed, environmentOf, onEc2 } from '../support/ec2-rights.ts';
import {
  discard,
  type Resource,
  resolved,
  resourcesOf,
  type Synthesised,
  synthesise,
  targetOf,
} from '../support/synthesised.ts';

const vpc = {
  id: 'vpc-0a1b2c3d',
  cidr: '10.0.0.0/16',
  availability_zones: ['eu-central-1a', 'eu-central-1b'],
  subnet_ids: ['subnet-0c1b2c3d', 'subnet-0d1b2c3d'],
};
const subnets = [
  { id: 'subnet-0a1b2c3d', zone: 'eu-central-1a', cidr: '10.0.1.0/24', vips: '10.0.1.64/26', amphorae: true },
  { id: 'subnet-0b1b2c3d', zone: 'eu-central-1b', cidr: '10.0.2.0/24', vips: '10.0.2.64/26', amphorae: true },
  { id: 'subnet-0e1b2c3d', zone: 'eu-central-1a', cidr: '10.0.3.0/24', vips: '10.0.3.64/26', public: true },
];

let made: Synthesised;
let given: Synthesised;
beforeAll(() => {
  made = synthesise();
  given = synthesise({
    'octavia:vpc': vpc,
    'octavia:subnets': subnets,
    'octavia:amphora_egress': 'endpoint',
    'octavia:amphora_image': 'name:136693071363/debian-12-arm64-*',
    'octavia:member_cidrs': ['10.0.0.0/16', '192.168.0.0/16'],
    'octavia:vip_security_groups': 'sg-0f1b2c3d',
  });
}, 400_000);
afterAll(() => {
  discard(made);
  discard(given);
});

const [instance, image, group] = ['instance/*', 'image/*', 'security-group/'];
describe('an amphora on EC2', () => {
  it('is started with IMDSv2 alone, no hop further than itself, an encrypted disk, and a role', () => {
    const data = {
      MetadataOptions: { HttpEndpoint: 'enabled', HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
      InstanceInitiatedShutdownBehavior: 'terminate',
      BlockDeviceMappings: [
        {
          DeviceName: '/dev/xvda',
          Ebs: Match.objectLike({ Encrypted: true, VolumeType: 'gp3', DeleteOnTermination: true }),
        },
      ],
      IamInstanceProfile: { Arn: Match.anyValue() },
    };
    made.controlPlane.hasResourceProperties('AWS::EC2::LaunchTemplate', {
      LaunchTemplateData: Match.objectEquals(data),
    });
  });

  it('may send heartbeats from its VPC and nothing else', () => {
    const policies = Object.values(resourcesOf(made.controlPlane, 'AWS::IAM::Policy'));
    const own = policies.filter(({ Properties }) => targetOf(Properties['Roles'][0]).startsWith('AmphoraeRole'));
    expect(own).toHaveLength(1);
    const [statement, ...others] = own[0]!.Properties['PolicyDocument'].Statement;
    expect(others).toEqual([]);
    expect(statement).toMatchObject({ Action: 'sqs:SendMessage', Effect: 'Allow' });
    expect(targetOf(statement.Resource)).toMatch(/^queueheartbeatsQueue/);
    expect(Object.keys(statement.Condition.StringEquals)).toEqual(['aws:Ec2InstanceSourceVpc']);
    const [role] = Object.entries(resourcesOf(made.controlPlane, 'AWS::IAM::Role')).filter(([id]) =>
      /^AmphoraeRole/.test(id),
    );
    expect(role![1].Properties['ManagedPolicyArns']).toBeUndefined();
  });

  it('finds its keys in a bucket that nobody reads by an old URL, and that is empty after a day', () => {
    made.controlPlane.hasResourceProperties('AWS::S3::Bucket', {
      LifecycleConfiguration: { Rules: [Match.objectLike({ ExpirationInDays: 1 })] },
      PublicAccessBlockConfiguration: Match.objectLike({ RestrictPublicBuckets: true, BlockPublicPolicy: true }),
      BucketEncryption: Match.objectLike({
        ServerSideEncryptionConfiguration: [
          Match.objectLike({ ServerSideEncryptionByDefault: Match.objectLike({ SSEAlgorithm: 'aws:kms' }) }),
        ],
      }),
    });
    const tooOld = { NumericGreaterThan: { 's3:signatureAge': '3600000' } };
    made.controlPlane.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: Match.objectLike({
        Statement: Match.arrayWith([Match.objectLike({ Effect: 'Deny', Action: 's3:GetObject', Condition: tooOld })]),
      }),
    });
    const bundles = allowed(made).filter(
      ({ action, resource }) => action.startsWith('s3:') && resource.endsWith('/boot/*'),
    );
    const readers = bundles.filter(({ action }) => action !== 's3:DeleteObject');
    expect(new Set(readers.map(({ name }) => name))).toEqual(new Set(['tasks-compute']));
  });
});

describe('who reaches amphorae', () => {
  const rulesOf = (stacks: Synthesised, type: string) =>
    Object.values(resourcesOf(stacks.network, `AWS::EC2::SecurityGroup${type}`)).map(({ Properties }) => Properties);
  const groupsOf = (stacks: Synthesised): [string, Resource][] =>
    Object.entries(resourcesOf(stacks.network, 'AWS::EC2::SecurityGroup'));
  const idOf = (stacks: Synthesised, start: string) => groupsOf(stacks).find(([id]) => id.startsWith(start))![0];

  it('is the control plane on 9443, the other of a pair there and on 1025, and nobody else', () => {
    const [amphorae, functions] = [idOf(made, 'AmphoraeGroup'), idOf(made, 'Functions')];
    const rules = rulesOf(made, 'Ingress').map(({ GroupId, SourceSecurityGroupId, FromPort, ToPort, IpProtocol }) => {
      expect([targetOf(GroupId), IpProtocol, ToPort]).toEqual([amphorae, 'tcp', FromPort]);
      return `${targetOf(SourceSecurityGroupId)} ${FromPort}`;
    });
    expect(rules.sort()).toEqual([`${amphorae} 1025`, `${amphorae} 9443`, `${functions} 9443`].sort());
    for (const [, { Properties }] of groupsOf(made)) expect(Properties['SecurityGroupIngress']).toBeUndefined();
  });

  it('lets them out to members, to each other and to AWS by HTTPS', () => {
    const egressOf = (stacks: Synthesised) => {
      const [, amphorae] = groupsOf(stacks).find(([id]) => id.startsWith('AmphoraeGroup'))!;
      return amphorae.Properties['SecurityGroupEgress'].map(
        ({ CidrIp, CidrIpv6, IpProtocol, FromPort }: Record<string, unknown>) =>
          `${CidrIp ?? CidrIpv6} ${FromPort ?? IpProtocol}`,
      );
    };
    expect(egressOf(made)).toEqual(['10.0.0.0/16 -1', '0.0.0.0/0 443', '::/0 443']);
    expect(egressOf(given)).toEqual(['10.0.0.0/16 -1', '192.168.0.0/16 -1', '0.0.0.0/0 443']);
  });

  it('is found in the subnets the drivers are told of, whose range of VIPs is kept from everything else', () => {
    const reserved = (stacks: Synthesised) =>
      Object.values(resourcesOf(stacks.network, 'AWS::EC2::SubnetCidrReservation')).map(({ Properties }) => {
        expect(Properties['ReservationType']).toBe('explicit');
        return Properties['Cidr'];
      });
    const told = (stacks: Synthesised) => resolved(environmentOf(stacks, 'tasks-network')['OCTAVIA_SUBNETS']);
    expect(reserved(made)).toEqual(['10.0.24.0/22', '10.0.40.0/22']);
    expect(reserved(given)).toEqual(subnets.map(({ vips }) => vips));
    expect(parseSubnets(told(made))).toMatchObject([
      { cidr: '10.0.16.0/20', vips: '10.0.24.0/22', amphorae: true },
      { cidr: '10.0.32.0/20', vips: '10.0.40.0/22', amphorae: true },
    ]);
    expect(parseSubnets(told(given))).toEqual(subnets.map((subnet) => ({ ...subnet, vpc: vpc.id })));
  });
});

describe('heartbeats', () => {
  const queueOf = (stacks: Synthesised) =>
    resolved(environmentOf(stacks, 'tasks-compute')['OCTAVIA_HEARTBEATS_QUEUE_URL']);

  it('go by IPv6 to a gateway that is free, in a VPC of ours', () => {
    expect(queueOf(made)).toMatch(/^https:\/\/sqs\.eu-central-1\.api\.aws\/123456789012\//);
    made.network.resourceCountIs('AWS::EC2::EgressOnlyInternetGateway', 1);
    made.network.resourceCountIs('AWS::EC2::InternetGateway', 0);
    made.network.resourceCountIs('AWS::EC2::NatGateway', 0);
    const types = Object.values(resourcesOf(made.network, 'AWS::EC2::VPCEndpoint'));
    expect(types.map(({ Properties }) => Properties['VpcEndpointType'])).toEqual(['Gateway', 'Gateway']);
  });

  it('go to an endpoint in each zone with amphorae where that is chosen, which takes messages of this account alone', () => {
    const [endpoint] = Object.values(resourcesOf(given.network, 'AWS::EC2::VPCEndpoint'));
    expect(endpoint!.Properties).toMatchObject({
      VpcEndpointType: 'Interface',
      PrivateDnsEnabled: true,
      SubnetIds: ['subnet-0a1b2c3d', 'subnet-0b1b2c3d'],
    });
    const [statement] = endpoint!.Properties['PolicyDocument'].Statement;
    expect(statement).toMatchObject({ Action: 'sqs:SendMessage' });
    expect(Object.keys(statement.Condition.StringEquals)).toEqual(['aws:ResourceAccount', 'aws:PrincipalAccount']);
  });
});

describe('functions', () => {
  const whoMay = (action: string) =>
    [
      ...new Set(
        onEc2(made)
          .filter((one) => one.action === action)
          .map(({ name }) => name),
      ),
    ].sort();

  it('make, end and plug amphorae each as it needs', () => {
    expect(whoMay('ec2:RunInstances')).toEqual(['tasks-compute']);
    expect(whoMay('iam:PassRole')).toEqual(['tasks-compute']);
    expect(whoMay('ec2:TerminateInstances')).toEqual(['compute-event', 'health-scan', 'housekeeping', 'tasks-compute']);
    expect(whoMay('ec2:AssignPrivateIpAddresses')).toEqual(['housekeeping', 'tasks-network']);
    expect(whoMay('ec2:AuthorizeSecurityGroupIngress')).toEqual(['housekeeping', 'tasks-network', 'worker-start']);
    const asks = (name: FunctionName) => {
      const { machines, vips, describesInstances } = specOf(name);
      return machines || describesInstances || (vips && vips !== 'knows');
    };
    expect([...new Set(onEc2(made).map(({ name }) => name))].sort()).toEqual(functionNames.filter(asks).sort());
  });

  it('change nothing that has not the tag of this deployment, and make nothing without', () => {
    const named = /(subnet|vpc|launch-template)\/[^*]+$|placement-group\/octavia-spread-\*$|security-group\/[^*]+$/;
    for (const { action, resource, statement } of onEc2(made)) {
      if (action.startsWith('ec2:Describe') || action === 'iam:PassRole' || resource.includes('image/')) continue;
      const { StringEquals = {} } = statement.Condition ?? {};
      const isOurs = [`aws:ResourceTag/${tagKeys.deployment}`, `aws:RequestTag/${tagKeys.deployment}`].some(
        (key) => StringEquals[key] === 'octavia',
      );
      const isTagging = action === 'ec2:CreateTags' && StringEquals['ec2:CreateAction'] !== undefined;
      // A rule is of a group, which the same request has to name.
      const isRule = resource.endsWith(':security-group-rule/*');
      expect(isOurs || isTagging || isRule || named.test(resource), `${action} on ${resource}`).toBe(true);
    }
  });

  it('start machines in our subnets, by our template, of our images with a tag, with our role and IMDSv2 alone', () => {
    const runs = onEc2(made).filter(({ action }) => action === 'ec2:RunInstances');
    const of = (end: string) => runs.filter(({ resource }) => resource.includes(`:${end}`));
    expect(of(instance!)[0]!.statement.Condition!['StringEquals']).toMatchObject({
      'ec2:MetadataHttpTokens': 'required',
    });
    expect(of(image!).map(({ statement }) => statement.Condition)).toEqual([
      {
        StringEquals: { 'ec2:Owner': { Ref: 'AWS::AccountId' } },
        Null: { 'aws:ResourceTag/octavia:image-tag': 'false' },
      },
    ]);
    expect(of('subnet/').map(({ resource }) => resource.endsWith('*'))).toEqual([false, false]);
    expect(of(group!).map(({ resource }) => resource.endsWith('*'))).toEqual([false]);
    expect(of('launch-template/').map(({ resource }) => resource.endsWith('*'))).toEqual([false]);
    const [pass] = onEc2(made).filter(({ action }) => action === 'iam:PassRole');
    expect(targetOf(pass!.statement.Resource)).toMatch(/^AmphoraeRole/);
    expect(pass!.statement.Condition).toEqual({ StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } });
  });

  it('take images of another owner, groups of users and Elastic IPs where the deployment says so, and else not', () => {
    const owners = (stacks: Synthesised) =>
      onEc2(stacks)
        .filter(({ resource }) => resource.includes(':image/'))
        .map(({ statement }) => statement.Condition!['StringEquals']!['ec2:Owner']);
    expect(owners(given)).toEqual([{ Ref: 'AWS::AccountId' }, '136693071363']);
    const may = (stacks: Synthesised, action: string, resource: RegExp) =>
      onEc2(stacks).some((one) => one.action === action && resource.test(one.resource));
    for (const [action, resource] of [
      ['ec2:ModifyNetworkInterfaceAttribute', /security-group\/sg-0f1b2c3d$/],
      ['ec2:AllocateAddress', /elastic-ip\/\*$/],
    ] as const) {
      expect(may(given, action, resource), action).toBe(true);
      expect(may(made, action, resource), action).toBe(false);
    }
  });
});

describe('a deployment without amphorae', () => {
  it('has nothing of EC2', () => {
    const noop = synthesise({ 'octavia:compute_driver': 'noop' });
    try {
      // Machines of users may register as members all the same.
      expect([...new Set(onEc2(noop).map(({ name }) => name))]).toEqual(['scaling-event']);
      noop.controlPlane.resourceCountIs('AWS::EC2::LaunchTemplate', 0);
      noop.network.resourceCountIs('AWS::EC2::SubnetCidrReservation', 0);
      expect(environmentOf(noop, 'tasks-compute')['OCTAVIA_COMPUTE_DRIVER']).toBe('noop');
    } finally {
      discard(noop);
    }
  }, 200_000);
});
