// Addresses on the fake's interfaces: an IPv4 address is moved in one call where that is allowed, an IPv6 address never.
import { canonical } from '../../../lambdas/domain/ip-addresses.ts';
import type { FakeAccount, FakeInterface } from './account.ts';
import { Ec2Fault } from './fault.ts';
import type { Parameters } from './query.ts';
import { asTexts, need } from './questions.ts';

function AssignPrivateIpAddresses(account: FakeAccount, parameters: Parameters) {
  const its = account.interface(need(parameters, 'NetworkInterfaceId'));
  const addresses = asTexts(parameters['PrivateIpAddress']);
  if (addresses.length === 0) throw new Ec2Fault('MissingParameter', 'addresses or their number');
  for (const address of addresses) {
    if (!account.isAssignable(its.subnet, address))
      throw new Ec2Fault('InvalidParameterValue', `Address ${address} does not fall within the subnet's address range`);
    const holder = account.holderOf(its.subnet, address);
    if (holder === its) continue;
    if (holder && parameters['AllowReassignment'] !== 'true')
      throw new Ec2Fault('InvalidParameterValue', `[${address}] have been assigned to another interface`);
    if (holder?.addresses[0] === address)
      throw new Ec2Fault('InvalidParameterValue', `[${address}] is the primary address of ${holder.id}`);
    const type = its.attachment && account.instances.get(its.attachment.instance)!.type;
    const limit = type ? account.limitsOf(type)!.addresses : 50;
    if (its.addresses.length >= limit)
      throw new Ec2Fault('PrivateIpAddressLimitExceeded', `Number of private addresses will exceed limit of ${limit}.`);
    if (holder) reassign(account, holder, its, address);
    its.addresses.push(address);
  }
  return { return: true, networkInterfaceId: its.id };
}

/** An Elastic IP goes where its address goes. */
function reassign(account: FakeAccount, from: FakeInterface, to: FakeInterface, address: string): void {
  from.addresses = from.addresses.filter((one) => one !== address);
  for (const { association: at } of account.elasticIps.values())
    if (at?.interface === from.id && at.address === address) at.interface = to.id;
}

function UnassignPrivateIpAddresses(account: FakeAccount, parameters: Parameters) {
  const its = account.interface(need(parameters, 'NetworkInterfaceId'));
  for (const address of asTexts(parameters['PrivateIpAddress'])) {
    if (!its.addresses.slice(1).includes(address))
      throw new Ec2Fault(
        'InvalidParameterValue',
        `Some of the specified addresses are not assigned to interface ${its.id}`,
      );
    its.addresses = its.addresses.filter((one) => one !== address);
    for (const elastic of account.elasticIps.values())
      if (elastic.association?.interface === its.id && elastic.association.address === address)
        delete elastic.association;
  }
  return { return: true };
}

function AssignIpv6Addresses(account: FakeAccount, parameters: Parameters) {
  const its = account.interface(need(parameters, 'NetworkInterfaceId'));
  const addresses = asTexts(parameters['Ipv6Addresses']).map(canonical);
  for (const address of addresses) {
    if (!account.isAssignable(its.subnet, address))
      throw new Ec2Fault('InvalidParameterValue', `Address ${address} does not fall within the subnet's address range`);
    // There is no reassignment of IPv6.
    if (account.holderOf(its.subnet, address))
      throw new Ec2Fault('InvalidParameterValue', `[${address}] is already assigned`);
    its.addresses_v6.push(address);
  }
  return { networkInterfaceId: its.id, assignedIpv6Addresses: addresses };
}

function UnassignIpv6Addresses(account: FakeAccount, parameters: Parameters) {
  const its = account.interface(need(parameters, 'NetworkInterfaceId'));
  const addresses = asTexts(parameters['Ipv6Addresses']).map(canonical);
  for (const address of addresses) {
    if (!its.addresses_v6.includes(address))
      throw new Ec2Fault(
        'InvalidParameterValue',
        `Some of the specified addresses are not assigned to interface ${its.id}`,
      );
    its.addresses_v6 = its.addresses_v6.filter((one) => one !== address);
  }
  return { networkInterfaceId: its.id, unassignedIpv6Addresses: addresses };
}

export const addressActions = {
  AssignPrivateIpAddresses,
  UnassignPrivateIpAddresses,
  AssignIpv6Addresses,
  UnassignIpv6Addresses,
};
