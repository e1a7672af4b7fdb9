// Interfaces of the fake: made once for a token, attached to one machine, deleted when they are free.
import type { FakeAccount, FakeInterface, FakeSubnet, Tag } from './account.ts';
import { Ec2Fault } from './fault.ts';
import type { Parameters } from './query.ts';
import { asTexts, isFound, need, paged, tagsFor } from './questions.ts';

const groupsAtMost = 5;

export function newInterface(account: FakeAccount, subnet: FakeSubnet, groups: string[], tags: Tag[]): FakeInterface {
  const made: FakeInterface = {
    id: account.newId('eni'),
    subnet,
    groups,
    addresses: [account.freeAddress(subnet)],
    addresses_v6: [],
    tags,
    since: account.now,
  };
  account.interfaces.set(made.id, made);
  return made;
}

function association(account: FakeAccount, { id }: FakeInterface, address: string) {
  const found = [...account.elasticIps.values()].find(
    (one) => one.association?.interface === id && one.association.address === address,
  );
  return found && { publicIp: found.ip, allocationId: found.id, associationId: found.association!.id };
}

const shown = (account: FakeAccount, one: FakeInterface) => ({
  networkInterfaceId: one.id,
  subnetId: one.subnet.id,
  vpcId: one.subnet.vpc,
  availabilityZone: one.subnet.zone,
  status: one.attachment ? 'in-use' : 'available',
  privateIpAddress: one.addresses[0],
  groupSet: one.groups.map((groupId) => ({ groupId, groupName: account.groups.get(groupId)?.name })),
  attachment: one.attachment && {
    attachmentId: one.attachment.id,
    instanceId: one.attachment.instance,
    deviceIndex: one.attachment.device,
    deleteOnTermination: one.attachment.deleteOnTermination,
    status: one.attachment.until === undefined ? 'attached' : 'detaching',
  },
  privateIpAddressesSet: one.addresses.map((privateIpAddress, index) => ({
    privateIpAddress,
    primary: index === 0,
    association: association(account, one, privateIpAddress),
  })),
  ipv6AddressesSet: one.addresses_v6.map((ipv6Address) => ({ ipv6Address })),
  tagSet: one.tags,
});

function DescribeNetworkInterfaces(account: FakeAccount, parameters: Parameters) {
  const isAsked = (one: FakeInterface) =>
    isFound(parameters, one.tags, {
      'attachment.instance-id': one.attachment ? [one.attachment.instance] : [],
      'addresses.private-ip-address': one.addresses,
      'ipv6-addresses.ipv6-address': one.addresses_v6,
      'subnet-id': [one.subnet.id],
      status: [one.attachment ? 'in-use' : 'available'],
    });
  const found = [...account.interfaces.values()].filter(account.isSeen).filter(isAsked);
  const { rows, nextToken } = paged(account, parameters, found);
  return { networkInterfaceSet: rows.map((one) => shown(account, one)), nextToken };
}

function CreateNetworkInterface(account: FakeAccount, parameters: Parameters) {
  const key = `CreateNetworkInterface ${need(parameters, 'ClientToken')}`;
  const asked = JSON.stringify(parameters);
  const before = account.tokens.get(key);
  if (before && before.asked !== asked) throw new Ec2Fault('IdempotentParameterMismatch', 'inconsistent arguments');
  if (before?.id) return { networkInterface: { networkInterfaceId: before.id, ...lost(account, before.id) } };
  const groups = asTexts(parameters['SecurityGroupId']).map((id) => account.group(id).id);
  const subnet = account.subnet(need(parameters, 'SubnetId'));
  const made = newInterface(account, subnet, groups, tagsFor(parameters, 'network-interface'));
  account.tokens.set(key, { asked, id: made.id });
  return { networkInterface: shown(account, made) };
}

const lost = (account: FakeAccount, id: string) => {
  const one = account.interfaces.get(id);
  return one ? shown(account, one) : {};
};

function AttachNetworkInterface(account: FakeAccount, parameters: Parameters) {
  const its = account.interface(need(parameters, 'NetworkInterfaceId'));
  const instance = account.instance(need(parameters, 'InstanceId'));
  if (its.attachment) throw new Ec2Fault('InvalidNetworkInterface.InUse', `Interface: [${its.id}] in use.`);
  if (instance.ended !== undefined) throw new Ec2Fault('IncorrectState', `The instance ${instance.id} is not running`);
  if (its.subnet.zone !== instance.subnet.zone)
    throw new Ec2Fault(
      'InvalidParameterCombination',
      'You may not attach a network interface to an instance if they are not in the same availability zone',
    );
  const others = account.interfacesOf(instance.id);
  const device = Number(need(parameters, 'DeviceIndex'));
  if (others.length >= account.limitsOf(instance.type)!.interfaces)
    throw new Ec2Fault(
      'AttachmentLimitExceeded',
      `Interface count ${others.length + 1} exceeds the limit for ${instance.type}`,
    );
  if (others.some((one) => one.attachment!.device === device))
    throw new Ec2Fault(
      'InvalidParameterValue',
      `Instance already has an interface attached at device index '${device}'.`,
    );
  its.attachment = { id: account.newId('eni-attach'), instance: instance.id, device, deleteOnTermination: false };
  return { attachmentId: its.attachment.id };
}

function ModifyNetworkInterfaceAttribute(account: FakeAccount, parameters: Parameters) {
  const its = account.interface(need(parameters, 'NetworkInterfaceId'));
  const attachment = parameters['Attachment'] as Parameters | undefined;
  const groups = asTexts(parameters['SecurityGroupId']);
  if (attachment && groups.length > 0) throw new Ec2Fault('InvalidParameterCombination', 'one attribute at a time');
  if (attachment) {
    if (its.attachment?.id !== attachment['AttachmentId'])
      throw new Ec2Fault('InvalidAttachmentID.NotFound', String(attachment['AttachmentId']));
    its.attachment!.deleteOnTermination = attachment['DeleteOnTermination'] === 'true';
    return { return: true };
  }
  if (groups.length === 0) throw new Ec2Fault('MissingParameter', 'an interface has one security group at least');
  if (groups.length > groupsAtMost)
    throw new Ec2Fault('SecurityGroupsPerInterfaceLimitExceeded', `${groups.length} groups`);
  if (new Set(groups).size < groups.length) throw new Ec2Fault('InvalidParameterValue', 'a group twice');
  its.groups = groups.map((id) => account.group(id).id);
  return { return: true };
}

function DetachNetworkInterface(account: FakeAccount, parameters: Parameters) {
  const id = need(parameters, 'AttachmentId');
  const its = [...account.interfaces.values()].find(({ attachment }) => attachment?.id === id);
  if (its === undefined) throw new Ec2Fault('InvalidAttachmentID.NotFound', `The attachment '${id}' does not exist`);
  if (its.attachment!.device === 0)
    throw new Ec2Fault('OperationNotPermitted', 'The network interface at device index 0 cannot be detached.');
  if (account.detachmentRequests > 0) its.attachment!.until ??= account.now + account.detachmentRequests;
  else delete its.attachment;
  return { return: true };
}

function DeleteNetworkInterface(account: FakeAccount, parameters: Parameters) {
  const its = account.interface(need(parameters, 'NetworkInterfaceId'));
  if (its.attachment) throw new Ec2Fault('InvalidParameterValue', `Network interface '${its.id}' is currently in use.`);
  account.drop(its);
  return { return: true };
}

export const interfaceActions = {
  DescribeNetworkInterfaces,
  CreateNetworkInterface,
  AttachNetworkInterface,
  ModifyNetworkInterfaceAttribute,
  DetachNetworkInterface,
  DeleteNetworkInterface,
};
