import { App } from 'aws-cdk-lib';
import { describe, expect, it } from 'vitest';
import { deploymentOf } from '../../infra/settings.ts';

const deployment = (context: Record<string, unknown>) => deploymentOf(new App({ context }).node);

describe('context of a deployment', () => {
  it('may be left out', () => {
    expect(deployment({})).toEqual({ name: 'octavia', settings: {} });
  });

  it('hands on settings, and a VPC that is there already', () => {
    const vpc = {
      id: 'vpc-1',
      cidr: '10.0.0.0/16',
      availability_zones: ['a', 'b'],
      subnet_ids: ['subnet-1', 'subnet-2'],
    };
    const given = { 'octavia:name': 'blue', 'octavia:vpc': JSON.stringify(vpc), 'octavia:spare_amphorae': 2 };
    expect(deployment(given)).toMatchObject({ name: 'blue', vpc, settings: { spare_amphorae: '2' } });
  });

  it.each([
    [{ 'octavia:topologie': 'SINGLE' }, 'context octavia:topologie: there is no such setting'],
    [{ 'octavia:topology': 'TRIPLE' }, 'setting topology: expected one of SINGLE, ACTIVE_STANDBY, not "TRIPLE"'],
    [{ 'octavia:compute_driver': 'ec2' }, 'setting compute_driver: expected one of noop, not "ec2"'],
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
