// Elastic IPs of VIPs in public subnets: one for each address, found by its tags, as asking for one cannot be told from asking twice.
import {
  type Address,
  AllocateAddressCommand,
  AssociateAddressCommand,
  DescribeAddressesCommand,
  DisassociateAddressCommand,
  type EC2Client,
  type Filter,
  type NetworkInterface,
  ReleaseAddressCommand,
} from '@aws-sdk/client-ec2';
import { asking } from '../ec2-errors.ts';
import { leaving } from './vpc-addresses.ts';
import { forAddress, loadBalancersOf, madeFor, madeForAny, taggedForAddress } from './vpc-tags.ts';

export class VpcElasticIps {
  readonly #client: () => EC2Client;
  readonly #deployment: string;

  constructor(client: () => EC2Client, deployment: string) {
    this.#client = client;
    this.#deployment = deployment;
  }

  /** It moves along with the address it belongs to; the first time, and should it not have, it is put there. */
  async associate(loadBalancerId: string, address: string, target: NetworkInterface): Promise<void> {
    const [first, ...others] = await this.#find([...madeFor(this.#deployment, loadBalancerId), forAddress(address)]);
    // Of an allocation whose answer was lost.
    for (const other of others) await this.#release(other);
    const AllocationId = first?.AllocationId ?? (await this.#allocate(loadBalancerId, address));
    const at = { NetworkInterfaceId: target.NetworkInterfaceId!, PrivateIpAddress: address, AllowReassociation: true };
    await asking(`Elastic IP of load balancer ${loadBalancerId}`, () =>
      this.#client().send(new AssociateAddressCommand({ AllocationId, ...at })),
    );
  }

  async release(loadBalancerId: string): Promise<void> {
    for (const address of await this.#find(madeFor(this.#deployment, loadBalancerId))) await this.#release(address);
  }

  /** Load balancers that have any. */
  async tagged(): Promise<string[]> {
    return loadBalancersOf((await this.#find(madeForAny(this.#deployment))).map(({ Tags }) => Tags));
  }

  /** The one that serves first. */
  async #find(Filters: Filter[]): Promise<Address[]> {
    const { Addresses = [] } = await asking('Elastic IPs of load balancers', () =>
      this.#client().send(new DescribeAddressesCommand({ Filters })),
    );
    const isIdle = (one: Address) => Number(one.AssociationId === undefined);
    return Addresses.toSorted((a, b) => isIdle(a) - isIdle(b) || (a.AllocationId! < b.AllocationId! ? -1 : 1));
  }

  async #allocate(loadBalancerId: string, address: string): Promise<string> {
    const TagSpecifications = taggedForAddress(this.#deployment, loadBalancerId, address);
    const command = new AllocateAddressCommand({ Domain: 'vpc', TagSpecifications });
    const made = await asking(`Elastic IP for load balancer ${loadBalancerId}`, () => this.#client().send(command));
    return made.AllocationId!;
  }

  async #release({ AllocationId, AssociationId }: Address): Promise<void> {
    const client = this.#client();
    if (AssociationId) {
      const disassociate = new DisassociateAddressCommand({ AssociationId });
      await leaving(() => asking(`taking away ${AssociationId}`, () => client.send(disassociate)));
    }
    const release = new ReleaseAddressCommand({ AllocationId });
    await leaving(() => asking(`release of ${AllocationId}`, () => client.send(release)));
  }
}
