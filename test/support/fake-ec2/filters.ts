// Security groups and Elastic IPs of the fake.
import {
  asList,
  asTexts,
  Ec2Fault,
  type FakeAccount,
  type FakeElasticIp,
  type FakeGroup,
  isFound,
  need,
  tagsFor,
} from './account.ts';
import type { Parameters, Value } from './query.ts';

const rulesAtMost = 60;

function CreateSecurityGroup(account: FakeAccount, parameters: Parameters) {
  const name = need(parameters, 'GroupName');
  const vpc = need(parameters, 'VpcId');
  need(parameters, 'GroupDescription');
  if (!account.subnets.some((subnet) => subnet.vpc === vpc)) throw new Ec2Fault('InvalidVpcID.NotFound', vpc);
  if ([...account.groups.values()].some((one) => one.name === name && one.vpc === vpc))
    throw new Ec2Fault('InvalidGroup.Duplicate', `The security group '${name}' already exists for VPC '${vpc}'`);
  const made: FakeGroup = {
    id: account.newId('sg'),
    name,
    vpc,
    rules: [],
    tags: tagsFor(parameters, 'security-group'),
    since: account.now,
  };
  account.groups.set(made.id, made);
  return { return: true, groupId: made.id };
}

function DescribeSecurityGroups(account: FakeAccount, parameters: Parameters) {
  const found = [...account.groups.values()].filter(account.isSeen).filter((one) => isFound(parameters, one.tags, {}));
  const securityGroupInfo = found.map((one) => ({
    groupId: one.id,
    groupName: one.name,
    vpcId: one.vpc,
    tagSet: one.tags,
  }));
  return { securityGroupInfo };
}

function DeleteSecurityGroup(account: FakeAccount, parameters: Parameters) {
  const group = account.group(need(parameters, 'GroupId'));
  if ([...account.interfaces.values()].some(({ groups }) => groups.includes(group.id)))
    throw new Ec2Fault('DependencyViolation', `resource ${group.id} has a dependent object`);
  account.groups.delete(group.id);
  return { return: true };
}

function DescribeSecurityGroupRules(account: FakeAccount, parameters: Parameters) {
  const securityGroupRuleSet = [...account.groups.values()].flatMap((group) =>
    isFound(parameters, group.tags, { 'group-id': [group.id] })
      ? group.rules.map(({ id, protocol, from, to, cidr }) => ({
          securityGroupRuleId: id,
          groupId: group.id,
          isEgress: false,
          ipProtocol: protocol,
          fromPort: from,
          toPort: to,
          ...(cidr.includes(':') ? { cidrIpv6: cidr } : { cidrIpv4: cidr }),
        }))
      : [],
  );
  return { securityGroupRuleSet };
}

interface Permission {
  IpProtocol: string;
  FromPort: string;
  ToPort: string;
  IpRanges?: Value;
  Ipv6Ranges?: Value;
}

function rulesOf(permission: Permission) {
  const { IpProtocol, FromPort, ToPort, IpRanges, Ipv6Ranges } = permission;
  if (!['tcp', 'udp', '132'].includes(IpProtocol))
    throw new Ec2Fault('InvalidParameterValue', `Invalid value '${IpProtocol}' for IP protocol.`);
  const cidrs = [
    ...asList(IpRanges).map((one) => (one as Parameters)['CidrIp'] as string),
    ...asList(Ipv6Ranges).map((one) => (one as Parameters)['CidrIpv6'] as string),
  ];
  return cidrs.map((cidr) => ({ protocol: IpProtocol, from: Number(FromPort), to: Number(ToPort), cidr }));
}

/** All of them or none. */
function AuthorizeSecurityGroupIngress(account: FakeAccount, parameters: Parameters) {
  const group = account.group(need(parameters, 'GroupId'));
  const added = (asList(parameters['IpPermissions']) as unknown as Permission[]).flatMap(rulesOf);
  const textOf = ({ protocol, from, to, cidr }: (typeof added)[number]) => `${protocol} ${from} ${to} ${cidr}`;
  const known = new Set(group.rules.map(textOf));
  if (added.some((rule) => known.has(textOf(rule))))
    throw new Ec2Fault('InvalidPermission.Duplicate', 'the specified rule already exists');
  if (group.rules.length + added.length > rulesAtMost)
    throw new Ec2Fault(
      'RulesPerSecurityGroupLimitExceeded',
      'The maximum number of rules per security group has been reached.',
    );
  group.rules.push(...added.map((rule) => ({ id: account.newId('sgr'), ...rule })));
  return { return: true };
}

function RevokeSecurityGroupIngress(account: FakeAccount, parameters: Parameters) {
  const group = account.group(need(parameters, 'GroupId'));
  const ids = asTexts(parameters['SecurityGroupRuleId']);
  for (const id of ids)
    if (!group.rules.some((rule) => rule.id === id))
      throw new Ec2Fault('InvalidSecurityGroupRuleId.NotFound', `The security group rule ID '${id}' does not exist`);
  group.rules = group.rules.filter(({ id }) => !ids.includes(id));
  return { return: true };
}

function AllocateAddress(account: FakeAccount, parameters: Parameters) {
  if (account.elasticIps.size >= account.elasticIpLimit)
    throw new Ec2Fault('AddressLimitExceeded', 'The maximum number of addresses has been reached.');
  const made: FakeElasticIp = {
    id: account.newId('eipalloc'),
    ip: `203.0.113.${account.elasticIps.size + 1}`,
    tags: tagsFor(parameters, 'elastic-ip'),
    since: account.now,
  };
  account.elasticIps.set(made.id, made);
  return { publicIp: made.ip, allocationId: made.id, domain: 'vpc' };
}

function elasticIp(account: FakeAccount, id: string): FakeElasticIp {
  const found = account.elasticIps.get(id);
  if (found) return found;
  throw new Ec2Fault('InvalidAllocationID.NotFound', `The allocation ID '${id}' does not exist`);
}

function AssociateAddress(account: FakeAccount, parameters: Parameters) {
  const elastic = elasticIp(account, need(parameters, 'AllocationId'));
  const its = account.interface(need(parameters, 'NetworkInterfaceId'));
  const address = need(parameters, 'PrivateIpAddress');
  if (!its.addresses.includes(address))
    throw new Ec2Fault('InvalidParameterValue', `${address} is not assigned to ${its.id}`);
  const isElsewhere = elastic.association && elastic.association.interface !== its.id;
  if (isElsewhere && parameters['AllowReassociation'] !== 'true')
    throw new Ec2Fault('Resource.AlreadyAssociated', `resource ${elastic.id} is already associated`);
  elastic.association = { id: elastic.association?.id ?? account.newId('eipassoc'), interface: its.id, address };
  return { return: true, associationId: elastic.association.id };
}

function DescribeAddresses(account: FakeAccount, parameters: Parameters) {
  const found = [...account.elasticIps.values()].filter(
    (one) => account.isSeen(one) && isFound(parameters, one.tags, {}),
  );
  const addressesSet = found.map(({ id, ip, association, tags }) => ({
    allocationId: id,
    publicIp: ip,
    associationId: association?.id,
    networkInterfaceId: association?.interface,
    privateIpAddress: association?.address,
    tagSet: tags,
  }));
  return { addressesSet };
}

function DisassociateAddress(account: FakeAccount, parameters: Parameters) {
  const id = need(parameters, 'AssociationId');
  const found = [...account.elasticIps.values()].find(({ association }) => association?.id === id);
  if (found === undefined)
    throw new Ec2Fault('InvalidAssociationID.NotFound', `The association ID '${id}' does not exist`);
  delete found.association;
  return { return: true };
}

function ReleaseAddress(account: FakeAccount, parameters: Parameters) {
  const elastic = elasticIp(account, need(parameters, 'AllocationId'));
  if (elastic.association) throw new Ec2Fault('InvalidIPAddress.InUse', `Address ${elastic.ip} is in use.`);
  account.elasticIps.delete(elastic.id);
  return { return: true };
}

export const filterActions = {
  CreateSecurityGroup,
  DescribeSecurityGroups,
  DeleteSecurityGroup,
  DescribeSecurityGroupRules,
  AuthorizeSecurityGroupIngress,
  RevokeSecurityGroupIngress,
};
export const elasticIpActions = {
  AllocateAddress,
  AssociateAddress,
  DescribeAddresses,
  DisassociateAddress,
  ReleaseAddress,
};
