// Machines of the fake that were there before anybody looked.
import type { FakeAccount, FakeInstance, FakeSubnet, Tag } from './account.ts';
import { newInterface } from './interfaces.ts';

const long = -1_000;

/** Has its first interface, with a group of its own. */
export function addMachine(account: FakeAccount, subnet: FakeSubnet, id: string, type = 't4g.small'): FakeInstance {
  const group = 'sg-machines';
  account.groups.set(group, { id: group, name: group, vpc: subnet.vpc, rules: [], tags: [], since: long });
  const tags: Tag[] = [
    { key: 'octavia-serverless', value: 'octavia' },
    { key: 'octavia:amphora-id', value: id },
  ];
  const its = newInterface(account, subnet, [group], tags);
  its.since = long;
  if (subnet.cidr_v6 !== undefined) its.addresses_v6.push(account.freeAddress(subnet, 6));
  its.attachment = { id: `eni-attach-${id}`, instance: id, device: 0, deleteOnTermination: true };
  const parts = { image: 'ami-0', token: id, group: undefined, userData: '' };
  const made: FakeInstance = { id, type, subnet, ...parts, tags, since: long };
  account.instances.set(id, made);
  return made;
}
