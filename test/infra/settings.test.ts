import { App } from 'aws-cdk-lib';
import { describe, expect, it } from 'vitest';
import { deploymentOf } from '../../infra/settings.ts';

const deployment = (context: Record<string, unknown>) => deploymentOf(new App({ context }).node);

const subnet = (more: object = {}) => ({
  id: 'subnet-1',
  zone: 'a',
  cidr: '10.0.1.0/24',
  vips: '10.0.1.64/26',
  amphorae: true,
  ...more,
});
const given = (more: object, ...subnets: object[]) => ({
  'octavia:vpc': {
    id: 'vpc-1',
    cidr: '10.0.0.0/16',
    availability_zones: ['a', 'b'],
    subnet_ids: ['subnet-8', 'subnet-9'],
  },
  ...(subnets.length > 0 && { 'octavia:subnets': subnets }),
  ...more,
});

describe('context of a deployment', () => {
  it('may be left out', () => {
    expect(deployment({})).toEqual({
      name: 'octavia',
      amphorae: { egress: 'ipv6', areVipsPublic: false, memberCidrs: ['10.0.0.0/16'], vipSecurityGroups: [] },
      settings: {
        compute_driver: 'ec2',
        network_driver: 'vpc',
        amphora_image: 'tag:octavia-arm64',
        instance_types: 't4g.small,t4g.medium',
      },
    });
  });

  it('hands on settings, and a VPC that is there already', () => {
    const vpc = {
      id: 'vpc-1',
      cidr: '10.0.0.0/16',
      availability_zones: ['a', 'b'],
      subnet_ids: ['subnet-1', 'subnet-2'],
    };
    const subnets = [{ id: 'subnet-1', zone: 'a', cidr: '10.0.1.0/24', vips: '10.0.1.64/26', amphorae: true }];
    const given = {
      'octavia:name': 'blue',
      'octavia:vpc': JSON.stringify(vpc),
      'octavia:subnets': JSON.stringify(subnets),
      'octavia:spare_amphorae': 2,
    };
    expect(deployment(given)).toMatchObject({
      name: 'blue',
      vpc,
      amphorae: { subnets, egress: 'given', memberCidrs: ['10.0.0.0/16'] },
      settings: { spare_amphorae: '2', amphora_image: 'tag:blue-arm64' },
    });
  });

  it('may leave out the amphorae', () => {
    const { amphorae, settings } = deployment({ 'octavia:compute_driver': 'noop' });
    expect(amphorae).toBeUndefined();
    expect(settings).toEqual({ compute_driver: 'noop', network_driver: 'noop', amphora_driver: 'noop' });
  });

  it('takes types of machines that fit the images that are made', () => {
    const { settings } = deployment({ 'octavia:image': { architectures: ['amd64'] } });
    expect(settings).toMatchObject({ amphora_image: 'tag:octavia-amd64', instance_types: 't3.small,t3.medium' });
  });

  it.each([
    [{ 'octavia:topologie': 'SINGLE' }, 'context octavia:topologie: there is no such setting'],
    [{ 'octavia:topology': 'TRIPLE' }, 'setting topology: expected one of SINGLE, ACTIVE_STANDBY, not "TRIPLE"'],
    [{ 'octavia:compute_driver': 'lambda' }, 'setting compute_driver: expected one of noop, ec2, not "lambda"'],
    [
      { 'octavia:network_driver': 'noop' },
      'context octavia:compute_driver: "ec2" does not go with network_driver "noop"',
    ],
    [{ 'octavia:amphora_driver': 'noop' }, 'context octavia:amphora_driver: noop goes with compute_driver noop alone'],
    [{ 'octavia:amphora_image': 'debian' }, 'context octavia:amphora_image: "debian" is none of ami-ID'],
    [{ 'octavia:launch_template_id': 'lt-1' }, 'context octavia:launch_template_id: is not for choosing'],
    [{ 'octavia:amphora_egress': 'nat' }, 'context octavia:amphora_egress: "nat" is none of ipv6, endpoint, given'],
    [{ 'octavia:amphora_egress': 'given' }, 'context octavia:amphora_egress: a VPC that is made has no way out'],
    [{ 'octavia:member_cidrs': '["10.1.0.0"]' }, 'context octavia:member_cidrs: "10.1.0.0" is not a list of CIDRs'],
    [{ 'octavia:subnets': '[oops' }, 'context octavia:subnets: is not JSON'],
    [{ 'octavia:subnets': [] }, 'context octavia:subnets: are of a given VPC'],
    [
      { 'octavia:compute_driver': 'noop', 'octavia:public_vips': 'true' },
      'public_vips: means nothing with compute_driver',
    ],
    [given({}), 'context octavia:subnets: a given VPC needs them'],
    [given({ 'octavia:public_vips': true }, subnet()), 'context octavia:public_vips: is of a VPC that is made'],
    [given({}, subnet({ id: 'mine' })), 'context octavia:subnets: "mine" needs id and zone'],
    [given({}, subnet({ zone: 'z' })), 'context octavia:subnets: subnet-1: octavia:vpc has no zone z'],
    [given({}, subnet({ cidr: '10.0.1.0' })), 'context octavia:subnets: subnet-1: cidr "10.0.1.0" is none'],
    [
      given({}, subnet({ vips: '10.0.1.128/25' })),
      'context octavia:subnets: subnet-1: vips: 10.0.1.128/25 is not within 10.0.1.0/24, without its first four addresses and its last',
    ],
    [
      given({}, subnet({ vips: '10.0.2.0/25' })),
      'context octavia:subnets: subnet-1: "10.0.2.0/25" is no part of 10.0.1.0/24',
    ],
    [given({}, subnet({ amphorae: false })), 'context octavia:subnets: none is for amphorae'],
    [given({}, { ...subnet(), vips: undefined }), 'context octavia:subnets: none has addresses for VIPs'],
    [
      given({}, subnet(), subnet({ id: 'subnet-2', zone: 'b', amphorae: false })),
      'VIPs of subnet-2 would have no amphora',
    ],
    [
      given({ 'octavia:amphora_egress': 'ipv6' }, subnet()),
      'context octavia:amphora_egress: ipv6 needs cidr_v6 of subnet-1',
    ],
    [{ 'octavia:table_name': 'mine' }, 'context octavia:table_name: is not for choosing'],
    [{ 'octavia:name': 'Blue!' }, 'context octavia:name: "Blue!"'],
    [{ 'octavia:alarm_topic_arn': 'me' }, 'context octavia:alarm_topic_arn: "me" is not the ARN of an SNS topic'],
    [{ 'octavia:image': { architectures: ['s390x'] } }, 'context octavia:image: architectures are arm64 and amd64'],
    [{ 'octavia:image': { subnet_id: 'subnet-1' } }, 'context octavia:image: needs subnet_id and security_group_ids'],
    [
      { 'octavia:restored_table': { name: 'one', stream_arn: 'arn:aws:dynamodb:eu-central-1:1:table/two/stream/1' } },
      'stream_arn of that table',
    ],
    [{ 'octavia:vpc': { id: 'vpc-1' } }, 'context octavia:vpc: needs id, cidr'],
  ])('%j is refused', (context, text) => {
    expect(() => deployment(context)).toThrow(text);
  });
});
