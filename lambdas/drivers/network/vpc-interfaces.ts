// Interfaces of amphorae and the addresses on them. An amphora serves VIPs of its own subnet on the interface it was born with; for one in
// another subnet it gets an interface more, as Octavia plugs a port.
import {
  AttachNetworkInterfaceCommand,
  CreateNetworkInterfaceCommand,
  DeleteNetworkInterfaceCommand,
  DetachNetworkInterfaceCommand,
  type EC2Client,
  type Filter,
  type GroupIdentifier,
  ModifyNetworkInterfaceAttributeCommand,
  type NetworkInterface,
} from '@aws-sdk/client-ec2';
import { DriverError } from '../../domain/errors.ts';
import { canonical } from '../../domain/ip-addresses.ts';
import { asking } from '../ec2-errors.ts';
import { stableId } from './subnets.ts';
import { findInterfaces, leaving, type VpcAddresses } from './vpc-addresses.ts';
import type { PlacedAddress } from './vpc-side.ts';
import type { VpcSubnet } from './vpc-subnets.ts';
import { forAmphora, isFor, loadBalancersOf, madeFor, madeForAny, taggedFor } from './vpc-tags.ts';

export interface InterfaceOwner {
  loadBalancerId: string;
  amphoraId: string;
  groups: string[];
  /** Of this plugging. */
  token: string;
}

type IsGone = (group: GroupIdentifier) => boolean;

const transient = (text: string) => new DriverError(text, { isTransient: true });

export class VpcInterfaces {
  readonly #client: () => EC2Client;
  readonly #deployment: string;
  readonly #addresses: VpcAddresses;

  constructor(client: () => EC2Client, deployment: string, addresses: VpcAddresses) {
    this.#client = client;
    this.#deployment = deployment;
    this.#addresses = addresses;
  }

  async all(computeId: string, subnets: VpcSubnet[]): Promise<NetworkInterface[]> {
    const ids = new Set(subnets.map(({ id }) => id));
    return (await this.#attachedTo(computeId)).filter(({ SubnetId }) => ids.has(SubnetId!));
  }

  /** @throws DriverError when it has none there, or EC2 does not show it yet */
  async of(computeId: string, subnet: VpcSubnet): Promise<NetworkInterface> {
    const [found] = await this.all(computeId, [subnet]);
    if (found) return found;
    throw transient(`EC2 shows no interface of machine ${computeId} in ${subnet.id}`);
  }

  async ensure(computeId: string, subnet: VpcSubnet, owner: InterfaceOwner): Promise<NetworkInterface> {
    const attached = await this.#attachedTo(computeId);
    const there = attached.find(({ SubnetId }) => SubnetId === subnet.id);
    if (there) {
      if (isFor(owner.loadBalancerId, there.TagSet)) await this.#endWithMachine(there);
      return there;
    }
    if (attached.length === 0) throw transient(`EC2 shows no interface of machine ${computeId}`);
    const made = (await this.#unattached(owner, subnet)) ?? (await this.#create(owner, subnet));
    const devices = attached.map(({ Attachment }) => Attachment?.DeviceIndex ?? 0);
    await this.#attach(computeId, made.NetworkInterfaceId!, Math.max(...devices) + 1);
    return made;
  }

  /** Load balancers that have some of their own. */
  async tagged(): Promise<string[]> {
    const all = await findInterfaces(this.#client(), madeForAny(this.#deployment));
    return loadBalancersOf(all.map(({ TagSet }) => TagSet));
  }

  /** @param isGone those that may be taken away; all others of an interface stay */
  async setGroups({ NetworkInterfaceId, Groups: before = [] }: NetworkInterface, wanted: string[], isGone: IsGone) {
    const ids = before.map(({ GroupId }) => GroupId!);
    const kept = before.filter((group) => !isGone(group)).map(({ GroupId }) => GroupId!);
    const after = [...kept.filter((id) => !wanted.includes(id)), ...wanted];
    if (after.length === ids.length && after.every((id) => ids.includes(id))) return;
    const change = new ModifyNetworkInterfaceAttributeCommand({ NetworkInterfaceId, Groups: after });
    await asking(`security groups of ${NetworkInterfaceId}`, () => this.#client().send(change));
  }

  /** Takes away what is the load balancer's from the interfaces that the machine keeps. */
  async clear(computeId: string, addresses: PlacedAddress[], isGone: IsGone): Promise<void> {
    for (const each of await this.#attachedTo(computeId)) await this.#clear(each, addresses, isGone);
  }

  /** Interfaces that are the load balancer's alone: attached, detached by a try before, or never attached. */
  async remove(loadBalancerId: string, ...more: Filter[]): Promise<void> {
    const Filters = [...madeFor(this.#deployment, loadBalancerId), ...more];
    for (const each of await findInterfaces(this.#client(), Filters)) {
      if (each.Attachment?.InstanceId) await this.#detach(each);
      else await this.#delete(each.NetworkInterfaceId!);
    }
  }

  async #clear(its: NetworkInterface, addresses: PlacedAddress[], isGone: IsGone): Promise<void> {
    const has = new Set([
      ...(its.PrivateIpAddresses ?? []).map((one) => one.PrivateIpAddress),
      ...(its.Ipv6Addresses ?? []).map((one) => canonical(one.Ipv6Address!)),
    ]);
    for (const { address } of addresses.filter((one) => has.has(canonical(one.address)))) {
      await this.#addresses.unassign(address, its.NetworkInterfaceId!);
    }
    const isLast = (its.Groups ?? []).every(isGone);
    if (!isLast) await leaving(() => this.setGroups(its, [], isGone));
  }

  async #detach({ NetworkInterfaceId, Attachment }: NetworkInterface): Promise<void> {
    const command = new DetachNetworkInterfaceCommand({ AttachmentId: Attachment?.AttachmentId, Force: true });
    await leaving(() => asking(`detachment of ${NetworkInterfaceId}`, () => this.#client().send(command)));
    await this.#delete(NetworkInterfaceId!);
  }

  async #delete(NetworkInterfaceId: string): Promise<void> {
    const command = new DeleteNetworkInterfaceCommand({ NetworkInterfaceId });
    await leaving(() => asking(`end of ${NetworkInterfaceId}`, () => this.#client().send(command)));
  }

  async #unattached(
    { loadBalancerId, amphoraId }: InterfaceOwner,
    subnet: VpcSubnet,
  ): Promise<NetworkInterface | undefined> {
    const left = await findInterfaces(this.#client(), [
      ...madeFor(this.#deployment, loadBalancerId),
      forAmphora(amphoraId),
      { Name: 'subnet-id', Values: [subnet.id] },
      { Name: 'status', Values: ['available'] },
    ]);
    return left[0];
  }

  async #create({ loadBalancerId, amphoraId, groups, token }: InterfaceOwner, { id: SubnetId }: VpcSubnet) {
    const command = new CreateNetworkInterfaceCommand({
      ClientToken: stableId(`interface:${token}:${SubnetId}:${groups}`),
      SubnetId,
      Groups: groups,
      Description: `VIP of load balancer ${loadBalancerId} at amphora ${amphoraId}`,
      TagSpecifications: taggedFor('network-interface', this.#deployment, loadBalancerId, amphoraId),
    });
    const { NetworkInterface: made } = await asking(`interface of amphora ${amphoraId} in ${SubnetId}`, () =>
      this.#client().send(command),
    );
    return made!;
  }

  async #attach(InstanceId: string, NetworkInterfaceId: string, DeviceIndex: number): Promise<void> {
    const what = `interface ${NetworkInterfaceId} of machine ${InstanceId}`;
    const attach = new AttachNetworkInterfaceCommand({ InstanceId, NetworkInterfaceId, DeviceIndex });
    const { AttachmentId } = await asking(what, () => this.#client().send(attach));
    await this.#endWithMachine({ NetworkInterfaceId, Attachment: { AttachmentId } });
  }

  /** Otherwise it stays when the machine ends, which may be without us. */
  async #endWithMachine({ NetworkInterfaceId, Attachment: at }: NetworkInterface): Promise<void> {
    if (at?.DeleteOnTermination) return;
    const Attachment = { AttachmentId: at?.AttachmentId, DeleteOnTermination: true };
    const change = new ModifyNetworkInterfaceAttributeCommand({ NetworkInterfaceId, Attachment });
    await asking(`end of ${NetworkInterfaceId} with its machine`, () => this.#client().send(change));
  }

  #attachedTo(computeId: string): Promise<NetworkInterface[]> {
    return findInterfaces(this.#client(), [{ Name: 'attachment.instance-id', Values: [computeId] }]);
  }
}
