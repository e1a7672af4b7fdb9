// A network whose ports and VIPs are kept in the table: what the noop driver and the one of one machine have in common.
import { AddressBook, type AddressBookOptions } from './address-book.ts';
import type { NetworkDriver, PluggedInterface, Subnet, Vip, VipRequest } from './network-driver.ts';
import { missing } from './ports.ts';
import { type Fence, VipOwnership } from './vip-ownership.ts';

export interface TableNetworkOptions extends AddressBookOptions {
  /** Ids of what there is to be named; nothing is done to packets by it. None unless told. */
  security_groups?: readonly string[];
  qos_policies?: readonly string[];
}

export class TableNetworkDriver implements NetworkDriver {
  /** Ports of its own accord, as Neutron's API makes them. */
  readonly addresses: AddressBook;
  readonly #owners: VipOwnership;
  readonly #securityGroups: ReadonlySet<string>;
  readonly #qosPolicies: ReadonlySet<string>;

  constructor(options: TableNetworkOptions, fence: Fence) {
    this.#securityGroups = new Set(options.security_groups);
    this.#qosPolicies = new Set(options.qos_policies);
    this.addresses = new AddressBook(options);
    this.#owners = new VipOwnership(options.table, fence);
  }

  async allocateVip(request: VipRequest): Promise<Vip> {
    return this.addresses.allocateVip(request);
  }

  async releaseVip(loadBalancerId: string, vip: Vip): Promise<void> {
    const held = await this.addresses.vipOf(loadBalancerId);
    // A late release of an earlier VIP must not take the present one away.
    if (held && held.vip_port_id !== vip.vip_port_id) return;
    // Nobody may serve the address any more when somebody else can get it.
    await this.#owners.fenceEveryone(loadBalancerId);
    if (held) await this.addresses.releaseVip(loadBalancerId, vip);
    await this.#owners.forget(loadBalancerId);
  }

  async plugVip(loadBalancerId: string, vip: Vip, amphora: { id: string }): Promise<PluggedInterface> {
    return this.addresses.plug(loadBalancerId, vip, amphora.id);
  }

  async unplugVip(loadBalancerId: string, _vip: Vip, amphoraId: string): Promise<void> {
    await this.#owners.drop(loadBalancerId, amphoraId);
    await this.addresses.unplug(loadBalancerId, amphoraId);
  }

  async takeVip(
    loadBalancerId: string,
    _vip: Vip,
    amphora: { id: string },
    epoch: number,
    leaving: string | null = null,
  ): Promise<void> {
    await this.#owners.take(loadBalancerId, amphora.id, epoch, leaving);
  }

  /** Nothing filters packets here but HAProxy. */
  async allow(): Promise<void> {}

  /** All of it is in the table. */
  async listTagged(): Promise<string[]> {
    return [];
  }

  async removeTagged(): Promise<void> {}

  async vipOwner(loadBalancerId: string): Promise<string | null> {
    return this.#owners.ownerOf(loadBalancerId);
  }

  async getSubnet(id: string): Promise<Subnet> {
    return this.addresses.getSubnet(id);
  }

  async listSubnets(): Promise<Subnet[]> {
    return this.addresses.listSubnets();
  }

  async checkSecurityGroup(id: string): Promise<void> {
    if (!this.#securityGroups.has(id)) throw missing('Security Group', id);
  }

  async checkQosPolicy(id: string): Promise<void> {
    if (!this.#qosPolicies.has(id)) throw missing('qos_policy', id);
  }

  async listVips(): Promise<{ load_balancer_id: string; vip: Vip; allocated_at: number }[]> {
    return this.addresses.listVips();
  }
}
