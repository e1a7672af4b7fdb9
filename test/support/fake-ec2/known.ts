// What the fake understands of each action. Whatever else is said would be ignored here and heeded by EC2, so it is refused.
import { Ec2Fault } from './fault.ts';
import type { Parameters } from './query.ts';
import { asList } from './questions.ts';

const paging = ['MaxResults', 'NextToken'];
const addressing = ['NetworkInterfaceId', 'PrivateIpAddress'];

const parametersOf: Record<string, string[]> = {
  RunInstances: [
    ...['ClientToken', 'MinCount', 'MaxCount', 'LaunchTemplate', 'ImageId', 'InstanceType', 'UserData', 'Placement'],
    ...['NetworkInterface', 'MetadataOptions', 'InstanceInitiatedShutdownBehavior', 'TagSpecification'],
  ],
  DescribeInstances: ['InstanceId', 'Filter', ...paging],
  TerminateInstances: ['InstanceId'],
  DescribeImages: ['Owner', 'Filter'],
  CreatePlacementGroup: ['GroupName', 'Strategy', 'TagSpecification'],
  DescribeNetworkInterfaces: ['Filter', ...paging],
  CreateNetworkInterface: ['ClientToken', 'SubnetId', 'SecurityGroupId', 'Description', 'TagSpecification'],
  AttachNetworkInterface: ['NetworkInterfaceId', 'InstanceId', 'DeviceIndex'],
  ModifyNetworkInterfaceAttribute: ['NetworkInterfaceId', 'Attachment', 'SecurityGroupId'],
  DetachNetworkInterface: ['AttachmentId', 'Force'],
  DeleteNetworkInterface: ['NetworkInterfaceId'],
  AssignPrivateIpAddresses: [...addressing, 'AllowReassignment'],
  UnassignPrivateIpAddresses: addressing,
  AssignIpv6Addresses: ['NetworkInterfaceId', 'Ipv6Addresses'],
  UnassignIpv6Addresses: ['NetworkInterfaceId', 'Ipv6Addresses'],
  CreateSecurityGroup: ['GroupName', 'GroupDescription', 'VpcId', 'TagSpecification'],
  DescribeSecurityGroups: ['Filter', ...paging],
  DeleteSecurityGroup: ['GroupId'],
  DescribeSecurityGroupRules: ['Filter', ...paging],
  AuthorizeSecurityGroupIngress: ['GroupId', 'IpPermissions'],
  RevokeSecurityGroupIngress: ['GroupId', 'SecurityGroupRuleId'],
  AllocateAddress: ['Domain', 'TagSpecification'],
  AssociateAddress: ['AllocationId', ...addressing, 'AllowReassociation'],
  DescribeAddresses: ['Filter'],
  DisassociateAddress: ['AssociationId'],
  ReleaseAddress: ['AllocationId'],
};

/** Beside those by tag. */
const filtersOf: Record<string, string[]> = {
  DescribeInstances: ['instance-state-name', 'client-token', 'instance-id'],
  DescribeImages: ['state', 'name'],
  DescribeNetworkInterfaces: [
    ...['attachment.instance-id', 'addresses.private-ip-address', 'ipv6-addresses.ipv6-address', 'subnet-id', 'status'],
  ],
  DescribeSecurityGroups: [],
  DescribeSecurityGroupRules: ['group-id'],
  DescribeAddresses: [],
};

const isByTag = (name: string) => name === 'tag-key' || name.startsWith('tag:');

export function checkKnown(action: string, parameters: Parameters): void {
  for (const name of Object.keys(parameters))
    if (!parametersOf[action]!.includes(name))
      throw new Ec2Fault('UnknownParameter', `The parameter ${name} is not recognized`);
  for (const { Name } of asList(parameters['Filter']) as { Name: string }[])
    if (!isByTag(Name) && !filtersOf[action]!.includes(Name))
      throw new Ec2Fault('InvalidParameterValue', `The filter '${Name}' is invalid`);
}
