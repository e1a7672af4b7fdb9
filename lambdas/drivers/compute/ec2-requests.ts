// The one request that starts an amphora, and the tags by which machines, disks and interfaces are known for whose they are.
import type { RunInstancesCommandInput, Tag, TagSpecification } from '@aws-sdk/client-ec2';
import type { AmphoraBoot } from './compute-driver.ts';
import type { Candidate } from './ec2-candidates.ts';

/** Permissions hang on the first of them. */
export const tagKeys = {
  deployment: 'octavia-serverless',
  amphora: 'octavia:amphora-id',
  serverGroup: 'octavia:server-group',
} as const;

export interface Machine {
  boot: AmphoraBoot;
  image: string;
  deployment: string;
  launchTemplate: string;
  securityGroups: readonly string[];
  userData: string;
}

function tagged({ boot, deployment }: Machine): TagSpecification[] {
  const Tags: Tag[] = [
    { Key: 'Name', Value: `${deployment} amphora ${boot.amphora_id}` },
    { Key: tagKeys.deployment, Value: deployment },
    { Key: tagKeys.amphora, Value: boot.amphora_id },
    ...(boot.server_group ? [{ Key: tagKeys.serverGroup, Value: boot.server_group }] : []),
  ];
  return (['instance', 'volume', 'network-interface'] as const).map((ResourceType) => ({ ResourceType, Tags }));
}

export function runRequest(machine: Machine, candidate: Candidate, ClientToken: string): RunInstancesCommandInput {
  const { image, launchTemplate, securityGroups, userData } = machine;
  const { instanceType, subnet, group } = candidate;
  return {
    ClientToken,
    MinCount: 1,
    MaxCount: 1,
    LaunchTemplate: { LaunchTemplateId: launchTemplate, Version: '$Latest' },
    ImageId: image,
    InstanceType: instanceType as RunInstancesCommandInput['InstanceType'],
    UserData: Buffer.from(userData).toString('base64'),
    NetworkInterfaces: [
      {
        DeviceIndex: 0,
        SubnetId: subnet.id,
        Groups: [...securityGroups],
        AssociatePublicIpAddress: false,
        DeleteOnTermination: true,
        ...(subnet.cidr_v6 === undefined ? {} : { Ipv6AddressCount: 1 }),
      },
    ],
    // Version 2 alone, and no further than the machine itself.
    MetadataOptions: { HttpEndpoint: 'enabled', HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
    InstanceInitiatedShutdownBehavior: 'terminate',
    ...(group === undefined ? {} : { Placement: { GroupName: group } }),
    TagSpecifications: tagged(machine),
  };
}
