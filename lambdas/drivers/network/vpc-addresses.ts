// Addresses of VIPs, moved from interface to interface: what keepalived's gratuitous ARP is in Octavia, and a fence besides.
import {
  AssignIpv6AddressesCommand,
  AssignPrivateIpAddressesCommand,
  type EC2Client,
  type Filter,
  type NetworkInterface,
  paginateDescribeNetworkInterfaces,
  UnassignIpv6AddressesCommand,
  UnassignPrivateIpAddressesCommand,
} from '@aws-sdk/client-ec2';
import { DriverError } from '../../domain/errors.ts';
import { canonical } from '../../domain/ip-addresses.ts';
import { isAlreadyThere, isInvalid, isNotFound } from '../aws-errors.ts';
import { asking, isNotAssigned } from '../ec2-errors.ts';
import { isOf } from './vpc-tags.ts';

export class VpcAddresses {
  readonly #client: () => EC2Client;
  readonly #deployment: string;

  constructor(client: () => EC2Client, deployment: string) {
    this.#client = client;
    this.#deployment = deployment;
  }

  /** Away from whichever interface has it; again: it stays. */
  async move(address: string, target: NetworkInterface): Promise<void> {
    if (address.includes(':')) await this.#moveVersion6(address, target);
    else await this.#moveVersion4(address, target);
  }

  /** No error when it is not there. */
  async unassign(address: string, from: string): Promise<void> {
    if (address.includes(':')) await this.#unassignVersion6(address, from);
    else await this.#unassignVersion4(address, from);
  }

  /** In one call, which is why it is the fence: the address is at one interface before and after. */
  async #moveVersion4(address: string, { NetworkInterfaceId, SubnetId }: NetworkInterface): Promise<void> {
    await this.#refuseStranger(address, SubnetId!);
    // Even if it seems to be there: what EC2 shows may be old, and who has it keeps it.
    const command = new AssignPrivateIpAddressesCommand({
      NetworkInterfaceId,
      PrivateIpAddresses: [address],
      AllowReassignment: true,
    });
    await asking(`${address} to ${NetworkInterfaceId}`, () => this.#client().send(command));
  }

  /** IPv6 has no move: it is taken away, then given, and each may have been done before. */
  async #moveVersion6(address: string, { NetworkInterfaceId, SubnetId }: NetworkInterface): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const holder = await this.#refuseStranger(address, SubnetId!);
      if (holder?.NetworkInterfaceId === NetworkInterfaceId) return;
      if (holder) await this.#unassignVersion6(address, holder.NetworkInterfaceId!);
      const command = new AssignIpv6AddressesCommand({ NetworkInterfaceId, Ipv6Addresses: [address] });
      try {
        await asking(`${address} to ${NetworkInterfaceId}`, () => this.#client().send(command));
        return;
      } catch (error) {
        // Somebody has it: this one by now, or one that was not seen.
        const { message, cause } = error as Error;
        if (!isInvalid(cause) && !isAlreadyThere(cause)) throw error;
        // Several who move it at once take it from each other, until the last one is by itself.
        if (attempt === 2) throw new DriverError(message, { cause, isTransient: true });
      }
    }
  }

  async #unassignVersion4(address: string, NetworkInterfaceId: string): Promise<void> {
    const command = new UnassignPrivateIpAddressesCommand({ NetworkInterfaceId, PrivateIpAddresses: [address] });
    await this.#unassigning(address, NetworkInterfaceId, () => this.#client().send(command));
  }

  async #unassignVersion6(address: string, NetworkInterfaceId: string): Promise<void> {
    const command = new UnassignIpv6AddressesCommand({ NetworkInterfaceId, Ipv6Addresses: [address] });
    await this.#unassigning(address, NetworkInterfaceId, () => this.#client().send(command));
  }

  async #unassigning(address: string, from: string, request: () => Promise<unknown>): Promise<void> {
    try {
      await leaving(() => asking(`${address} from ${from}`, request));
    } catch (error) {
      if (!isNotAssigned((error as Error).cause)) throw error;
    }
  }

  /** Who has the address. @throws DriverError when it is not one of ours: it was taken by hand out of the range that is reserved */
  async #refuseStranger(address: string, subnetId: string): Promise<NetworkInterface | undefined> {
    const name = address.includes(':') ? 'ipv6-addresses.ipv6-address' : 'addresses.private-ip-address';
    const [holder] = await findInterfaces(this.#client(), [
      { Name: name, Values: [canonical(address)] },
      { Name: 'subnet-id', Values: [subnetId] },
    ]);
    if (holder === undefined || isOf(this.#deployment, holder.TagSet)) return holder;
    throw new DriverError(`${address} of ${subnetId} is at ${holder.NetworkInterfaceId}, which is not an amphora's`, {
      userText: `The VIP address ${address} is in use by something else.`,
    });
  }
}

export async function findInterfaces(client: EC2Client, Filters: Filter[]): Promise<NetworkInterface[]> {
  return asking('interfaces', async () => {
    const pages = await Array.fromAsync(paginateDescribeNetworkInterfaces({ client }, { Filters, MaxResults: 1_000 }));
    return pages.flatMap(({ NetworkInterfaces = [] }) => NetworkInterfaces);
  });
}

/** No error when it has left with its machine. */
export async function leaving(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isNotFound((error as Error).cause)) throw error;
  }
}
