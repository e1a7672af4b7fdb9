// Elastic IPs of the fake.
import type { FakeAccount, FakeElasticIp } from './account.ts';
import { Ec2Fault } from './fault.ts';
import type { Parameters } from './query.ts';
import { isFound, need, tagsFor } from './questions.ts';

function AllocateAddress(account: FakeAccount, parameters: Parameters) {
  if (account.elasticIps.size >= account.elasticIpLimit)
    throw new Ec2Fault('AddressLimitExceeded', 'The maximum number of addresses has been reached.');
  const made: FakeElasticIp = {
    id: account.newId('eipalloc'),
    ip: account.newPublicAddress(),
    tags: tagsFor(parameters, 'elastic-ip'),
    since: account.now,
  };
  account.elasticIps.set(made.id, made);
  return { publicIp: made.ip, allocationId: made.id, domain: 'vpc' };
}

function elasticIp(account: FakeAccount, id: string): FakeElasticIp {
  const text = `The allocation ID '${id}' does not exist`;
  return account.seen(account.elasticIps.get(id), 'InvalidAllocationID.NotFound', text);
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

export const elasticIpActions = {
  AllocateAddress,
  AssociateAddress,
  DescribeAddresses,
  DisassociateAddress,
  ReleaseAddress,
};
