// Security groups of the fake, and their rules.
import type { FakeAccount, FakeGroup } from './account.ts';
import { Ec2Fault } from './fault.ts';
import type { Parameters, Value } from './query.ts';
import { asList, asTexts, isFound, need, paged, tagsFor } from './questions.ts';

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
  const { rows, nextToken } = paged(account, parameters, found);
  const securityGroupInfo = rows.map((one) => ({
    groupId: one.id,
    groupName: one.name,
    vpcId: one.vpc,
    tagSet: one.tags,
  }));
  return { securityGroupInfo, nextToken };
}

function DeleteSecurityGroup(account: FakeAccount, parameters: Parameters) {
  const group = account.group(need(parameters, 'GroupId'));
  if ([...account.interfaces.values()].some(({ groups }) => groups.includes(group.id)))
    throw new Ec2Fault('DependencyViolation', `resource ${group.id} has a dependent object`);
  account.groups.delete(group.id);
  return { return: true };
}

function DescribeSecurityGroupRules(account: FakeAccount, parameters: Parameters) {
  const groups = [...account.groups.values()].filter(account.isSeen);
  const all = groups.flatMap((group) =>
    isFound(parameters, group.tags, { 'group-id': [group.id] })
      ? [anywhereOut(group), ...group.rules].map(({ id, protocol, from, to, cidr }) => ({
          securityGroupRuleId: id,
          groupId: group.id,
          isEgress: protocol === '-1',
          ipProtocol: protocol,
          fromPort: from,
          toPort: to,
          ...(cidr.includes(':') ? { cidrIpv6: cidr } : { cidrIpv4: cidr }),
        }))
      : [],
  );
  const { rows: securityGroupRuleSet, nextToken } = paged(account, parameters, all);
  return { securityGroupRuleSet, nextToken };
}

/** Each new group lets everything out. */
const anywhereOut = ({ id }: FakeGroup) => ({
  id: `sgr-out-${id}`,
  protocol: '-1',
  from: -1,
  to: -1,
  cidr: '0.0.0.0/0',
});

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
  // Of a protocol known by its number all ports are open, whichever were asked for.
  const [from, to] = IpProtocol === '132' ? [-1, -1] : [Number(FromPort), Number(ToPort)];
  return cidrs.map((cidr) => ({ protocol: IpProtocol, from, to, cidr }));
}

/** All of them or none. */
function AuthorizeSecurityGroupIngress(account: FakeAccount, parameters: Parameters) {
  const group = account.group(need(parameters, 'GroupId'));
  const added = (asList(parameters['IpPermissions']) as unknown as Permission[]).flatMap(rulesOf);
  const textOf = ({ protocol, from, to, cidr }: (typeof added)[number]) => `${protocol} ${from} ${to} ${cidr}`;
  const known = new Set(group.rules.map(textOf));
  if (new Set(added.map(textOf)).size < added.length)
    throw new Ec2Fault('InvalidParameterValue', 'The same permission must not appear multiple times');
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

export const securityGroupActions = {
  CreateSecurityGroup,
  DescribeSecurityGroups,
  DeleteSecurityGroup,
  DescribeSecurityGroupRules,
  AuthorizeSecurityGroupIngress,
  RevokeSecurityGroupIngress,
};
