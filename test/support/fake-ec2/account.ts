// What there is in the account: resources with tags that are seen by others only after a while, limits, and addresses that belong to
// one interface each. Time is the number of requests so far, so that nothing waits.

import { toAddress, toNumber } from '../../../lambdas/domain/ip-addresses.ts';
import { contains } from '../../../lambdas/drivers/network/subnets.ts';
import { Ec2Fault } from './fault.ts';
import type {
  FakeElasticIp,
  FakeGroup,
  FakeImage,
  FakeInstance,
  FakeInterface,
  FakeSubnet,
  Resource,
} from './resources.ts';

export type * from './resources.ts';

/** Interfaces, and addresses of each family on one. */
const types: Record<string, { interfaces: number; addresses: number; vcpus: number }> = {
  't4g.nano': { interfaces: 2, addresses: 2, vcpus: 2 },
  't4g.small': { interfaces: 3, addresses: 4, vcpus: 2 },
  't4g.medium': { interfaces: 3, addresses: 6, vcpus: 2 },
  'c7g.large': { interfaces: 3, addresses: 10, vcpus: 2 },
};
/** Time a machine takes to run, and to be gone. */
const turnRequests = 2;

export class FakeAccount {
  now = 0;
  /** Requests until what was made is seen by others. */
  lag = 0;
  /** Requests that a detachment takes. */
  detachmentRequests = 0;
  /** Rows on a page at most, whatever is asked for. */
  pageSize = 1_000;
  vcpuLimit = 1_000;
  elasticIpLimit = 5;
  /** `<type> <zone>` that has no room; `*` stands for any. */
  readonly withoutCapacity = new Set<string>();
  readonly subnets: FakeSubnet[];
  readonly instances = new Map<string, FakeInstance>();
  readonly interfaces = new Map<string, FakeInterface>();
  readonly groups = new Map<string, FakeGroup>();
  readonly elasticIps = new Map<string, FakeElasticIp>();
  readonly images = new Map<string, FakeImage>();
  readonly launchTemplates = new Set(['lt-0']);
  readonly placementGroups = new Set<string>();
  /** By token, and zone where the action counts them so: what was asked for, and what came of it. */
  readonly tokens = new Map<string, { asked: string; id: string | undefined }>();
  #ids = 0;

  constructor(subnets: FakeSubnet[]) {
    this.subnets = subnets;
  }

  newId(prefix: string): string {
    this.#ids += 1;
    return `${prefix}-${this.#ids.toString(16).padStart(17, '0')}`;
  }

  newPublicAddress(): string {
    this.#ids += 1;
    return `203.0.113.${this.#ids % 254}`;
  }

  /** What has run out of its time has gone. */
  pass(): void {
    this.now += 1;
    for (const instance of this.instances.values())
      if (instance.ended !== undefined && this.now >= instance.ended + turnRequests) this.#leave(instance.id);
    for (const its of this.interfaces.values())
      if (its.attachment?.until !== undefined && this.now >= its.attachment.until) delete its.attachment;
  }

  #leave(instanceId: string): void {
    for (const its of this.interfaces.values()) {
      if (its.attachment?.instance !== instanceId) continue;
      if (its.attachment.deleteOnTermination) this.drop(its);
      else delete its.attachment;
    }
  }

  drop(its: FakeInterface): void {
    this.interfaces.delete(its.id);
    for (const elastic of this.elasticIps.values())
      if (elastic.association?.interface === its.id) delete elastic.association;
  }

  isSeen = ({ since }: Resource): boolean => this.now > since + this.lag;

  stateOf({ since, ended }: FakeInstance): 'pending' | 'running' | 'shutting-down' | 'terminated' {
    if (ended !== undefined) return this.now >= ended + turnRequests ? 'terminated' : 'shutting-down';
    return this.now >= since + turnRequests ? 'running' : 'pending';
  }

  limitsOf = (type: string) => types[type];

  instance(id: string): FakeInstance {
    return this.seen(this.instances.get(id), 'InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`);
  }

  interface(id: string): FakeInterface {
    const text = `The networkInterface ID '${id}' does not exist`;
    return this.seen(this.interfaces.get(id), 'InvalidNetworkInterfaceID.NotFound', text);
  }

  group(id: string): FakeGroup {
    return this.seen(this.groups.get(id), 'InvalidGroup.NotFound', `The security group '${id}' does not exist`);
  }

  seen<T extends Resource>(one: T | undefined, code: string, text: string): T {
    if (one === undefined || !this.isSeen(one)) throw new Ec2Fault(code, text);
    return one;
  }

  subnet(id: string): FakeSubnet {
    const found = this.subnets.find((subnet) => subnet.id === id);
    if (found) return found;
    throw new Ec2Fault('InvalidSubnetID.NotFound', `The subnet ID '${id}' does not exist`);
  }

  interfacesOf = (instanceId: string): FakeInterface[] =>
    [...this.interfaces.values()].filter(({ attachment }) => attachment?.instance === instanceId);

  holderOf(subnet: FakeSubnet, address: string): FakeInterface | undefined {
    const all = [...this.interfaces.values()].filter((one) => one.subnet === subnet);
    return all.find((one) => one.addresses.includes(address) || one.addresses_v6.includes(address));
  }

  /** AWS keeps the first four addresses and the last of a subnet, and gives none of a range that is reserved. */
  isAssignable(subnet: FakeSubnet, address: string): boolean {
    const cidr = address.includes(':') ? subnet.cidr_v6 : subnet.cidr;
    if (cidr === undefined || !within(cidr, address)) return false;
    const [base, length] = cidr.split('/') as [string, string];
    const offset = toNumber(address) - toNumber(base);
    const size = 1n << BigInt((address.includes(':') ? 128 : 32) - Number(length));
    return offset >= 4n && offset < size - 1n;
  }

  freeAddress(subnet: FakeSubnet, version: 4 | 6 = 4): string {
    const cidr = version === 4 ? subnet.cidr : subnet.cidr_v6!;
    // From the end: what is asked for by hand begins at the other.
    const [base, length] = cidr.split('/') as [string, string];
    const last = toNumber(base) + (1n << BigInt((version === 4 ? 32 : 128) - Number(length))) - 1n;
    for (let number = last; number > toNumber(base); number--) {
      const address = toAddress(number, version);
      const isReserved = version === 4 && subnet.reserved !== undefined && within(subnet.reserved, address);
      if (!isReserved && this.isAssignable(subnet, address) && !this.holderOf(subnet, address)) return address;
    }
    throw new Ec2Fault(
      'InsufficientFreeAddressesInSubnet',
      `There are not enough free addresses in subnet '${subnet.id}'`,
    );
  }
}

const within = (cidr: string, address: string): boolean =>
  contains(
    { id: '', name: '', network_id: '', network_name: '', cidr, ip_version: cidr.includes(':') ? 6 : 4, range: cidr },
    address,
  );
