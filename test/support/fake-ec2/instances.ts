// Instances, images and placement groups of the fake.
import type { FakeAccount, FakeInstance, FakeInterface } from './account.ts';
import { Ec2Fault } from './fault.ts';
import { newInterface } from './interfaces.ts';
import type { Parameters } from './query.ts';
import { asList, asTexts, isFound, need, paged, tagsFor } from './questions.ts';

const codes = { pending: 0, running: 16, 'shutting-down': 32, terminated: 48 };

function shown(account: FakeAccount, one: FakeInstance) {
  const state = account.stateOf(one);
  const primary = account.interfacesOf(one.id).find(({ attachment }) => attachment?.device === 0);
  return {
    instanceId: one.id,
    imageId: one.image,
    instanceState: { code: codes[state], name: state },
    instanceType: one.type,
    clientToken: one.token,
    placement: { availabilityZone: one.subnet.zone, groupName: one.group },
    ...(state === 'terminated'
      ? {}
      : { subnetId: one.subnet.id, vpcId: one.subnet.vpc, privateIpAddress: primary?.addresses[0] }),
    tagSet: one.tags,
  };
}

const reservation = (instancesSet: object[]) => ({ reservationId: 'r-0', ownerId: '123456789012', instancesSet });

function checkRoom(account: FakeAccount, type: string, zone: string, group: string | undefined): void {
  const limits = account.limitsOf(type);
  if (limits === undefined) throw new Ec2Fault('InvalidParameterValue', `Invalid value '${type}' for InstanceType.`);
  const running = [...account.instances.values()].filter(({ ended }) => ended === undefined);
  const vcpus = running.reduce((sum, one) => sum + account.limitsOf(one.type)!.vcpus, limits.vcpus);
  if (vcpus > account.vcpuLimit)
    throw new Ec2Fault(
      'VcpuLimitExceeded',
      `You have requested more vCPU capacity than your current vCPU limit of ${account.vcpuLimit}`,
    );
  if ([`${type} ${zone}`, `* ${zone}`, `${type} *`].some((one) => account.withoutCapacity.has(one)))
    throw new Ec2Fault(
      'InsufficientInstanceCapacity',
      `We currently do not have sufficient ${type} capacity in ${zone}.`,
      500,
    );
  const together = running.filter((one) => one.group !== undefined && one.group === group && one.subnet.zone === zone);
  if (together.length >= 7)
    throw new Ec2Fault(
      'InstanceLimitExceeded',
      `The placement group ${group} has reached its limit of 7 instances in ${zone}`,
    );
}

function checkUserData(text: string): void {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text)
    throw new Ec2Fault('InvalidParameterValue', 'Invalid BASE64 encoding of user data');
  if (bytes.length > 16_384) throw new Ec2Fault('InvalidParameterValue', 'User data is limited to 16384 bytes');
}

function RunInstances(account: FakeAccount, parameters: Parameters) {
  if (need(parameters, 'MinCount') !== '1' || need(parameters, 'MaxCount') !== '1')
    throw new Ec2Fault('InvalidParameterValue', 'the fake starts one at a time');
  const [wish, ...more] = asList(parameters['NetworkInterface']) as Parameters[];
  if (wish === undefined || more.length > 0)
    throw new Ec2Fault('InvalidParameterCombination', 'one interface is needed');
  const subnet = account.subnet(need(wish, 'SubnetId'));
  const token = need(parameters, 'ClientToken');
  if (token.length > 64) throw new Ec2Fault('InvalidParameterValue', 'Client token is too long');
  // Counted per zone, as the zone follows from the subnet.
  const key = `RunInstances ${subnet.zone} ${token}`;
  const asked = JSON.stringify(parameters);
  const before = account.tokens.get(key);
  if (before && before.asked !== asked)
    throw new Ec2Fault(
      'IdempotentParameterMismatch',
      'Arguments on this idempotent request are inconsistent with arguments used in previous request(s).',
    );
  if (before?.id) return reservation([shown(account, account.instances.get(before.id)!)]);
  // Also when nothing comes of it: seen of EC2 with requests that failed for want of capacity.
  account.tokens.set(key, { asked, id: undefined });
  const made = start(account, parameters, wish);
  account.tokens.set(key, { asked, id: made.id });
  return reservation([shown(account, made)]);
}

function start(account: FakeAccount, parameters: Parameters, wish: Parameters): FakeInstance {
  const subnet = account.subnet(need(wish, 'SubnetId'));
  const template = need(parameters['LaunchTemplate'] as Parameters, 'LaunchTemplateId');
  if (!account.launchTemplates.has(template)) throw new Ec2Fault('InvalidLaunchTemplateId.NotFound', template);
  const image = need(parameters, 'ImageId');
  if (!account.images.has(image))
    throw new Ec2Fault('InvalidAMIID.NotFound', `The image id '[${image}]' does not exist`);
  const group = (parameters['Placement'] as Parameters | undefined)?.['GroupName'] as string | undefined;
  if (group && !account.placementGroups.has(group)) throw new Ec2Fault('InvalidPlacementGroup.Unknown', group);
  const type = need(parameters, 'InstanceType');
  const groups = asTexts(wish['SecurityGroupId']).map((id) => account.group(id).id);
  checkUserData(need(parameters, 'UserData'));
  if ((parameters['MetadataOptions'] as Parameters)['HttpTokens'] !== 'required')
    throw new Ec2Fault('UnauthorizedOperation', 'a policy asks for IMDSv2', 403);
  checkRoom(account, type, subnet.zone, group);
  const its = newInterface(account, subnet, groups, tagsFor(parameters, 'network-interface'));
  if (wish['Ipv6AddressCount'] === '1') its.addresses_v6.push(account.freeAddress(subnet, 6));
  const id = account.newId('i');
  const deleteOnTermination = wish['DeleteOnTermination'] === 'true';
  its.attachment = { id: account.newId('eni-attach'), instance: id, device: 0, deleteOnTermination };
  const made: FakeInstance = {
    id,
    type,
    image,
    subnet,
    group,
    token: need(parameters, 'ClientToken'),
    userData: Buffer.from(need(parameters, 'UserData'), 'base64').toString(),
    tags: tagsFor(parameters, 'instance'),
    since: account.now,
  };
  account.instances.set(id, made);
  return made;
}

function DescribeInstances(account: FakeAccount, parameters: Parameters) {
  const ids = asTexts(parameters['InstanceId']);
  for (const id of ids) account.instance(id);
  const isAsked = (one: FakeInstance) =>
    (ids.length === 0 || ids.includes(one.id)) &&
    isFound(parameters, one.tags, {
      'instance-state-name': [account.stateOf(one)],
      'client-token': [one.token],
      'instance-id': [one.id],
    });
  const found = [...account.instances.values()].filter(account.isSeen).filter(isAsked);
  const { rows, nextToken } = paged(account, parameters, found);
  return { reservationSet: rows.map((one) => reservation([shown(account, one)])), nextToken };
}

function TerminateInstances(account: FakeAccount, parameters: Parameters) {
  const ended = asTexts(parameters['InstanceId']).map((id) => account.instance(id));
  return {
    instancesSet: ended.map((one) => {
      const previous = account.stateOf(one);
      one.ended ??= account.now;
      const name = account.stateOf(one);
      return {
        instanceId: one.id,
        currentState: { code: codes[name], name },
        previousState: { code: codes[previous], name: previous },
      };
    }),
  };
}

function DescribeImages(account: FakeAccount, parameters: Parameters) {
  const owners = asTexts(parameters['Owner']);
  const found = [...account.images.values()].filter(
    (one) => owners.includes(one.owner) && isFound(parameters, one.tags, { state: ['available'], name: [one.name] }),
  );
  const imagesSet = found.map((one) => ({
    imageId: one.id,
    imageState: 'available',
    creationDate: one.created,
    name: one.name,
    tagSet: one.tags,
  }));
  return { imagesSet };
}

function CreatePlacementGroup(account: FakeAccount, parameters: Parameters) {
  const name = need(parameters, 'GroupName');
  if (parameters['Strategy'] !== 'spread') throw new Ec2Fault('InvalidParameterValue', 'the fake knows spread alone');
  if (account.placementGroups.has(name)) throw new Ec2Fault('InvalidPlacementGroup.Duplicate', name);
  account.placementGroups.add(name);
  return { placementGroup: { groupName: name, state: 'available', strategy: 'spread' } };
}

export const instanceActions = {
  RunInstances,
  DescribeInstances,
  TerminateInstances,
  DescribeImages,
  CreatePlacementGroup,
};
export type { FakeInterface };
