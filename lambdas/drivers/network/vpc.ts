// A VPC in Neutron's place. Which address is whose stands in the table, as everywhere: addresses come from ranges that are reserved in the
// subnets for us, so that the API asks nobody else. AWS is told when an amphora gets them: secondary addresses of its interfaces.
import { Superseded } from '../../domain/errors.ts';
import { AddressBook } from './address-book.ts';
import type {
  FilteredVip,
  NetworkDriver,
  PluggedInterface,
  Subnet,
  Vip,
  VipRequest,
  VipRule,
} from './network-driver.ts';
import { missing, type PortsOptions } from './ports.ts';
import { stableId } from './subnets.ts';
import { VipOwnership } from './vip-ownership.ts';
import type { PlacedAddress, PluggedAmphora, VpcSide } from './vpc-side.ts';
import { byStableId, subnetSettings, type VpcSubnet } from './vpc-subnets.ts';
import { VpcTraces } from './vpc-traces.ts';

export interface VpcNetworkOptions extends Omit<PortsOptions, 'subnets'> {
  clock: { now(): number };
  subnets: VpcSubnet[];
  /** AWS ids of the groups that users may name for a VIP; they see UUIDs made of them. */
  securityGroups: readonly string[];
  /** What lies with AWS; functions that only read and reserve never call it. */
  side: VpcSide;
}

export class VpcNetworkDriver implements NetworkDriver {
  readonly addresses: AddressBook;
  readonly #traces: VpcTraces;
  readonly #owners: VipOwnership;
  readonly #side: VpcSide;
  readonly #subnets: Map<string, VpcSubnet>;
  readonly #groups: Map<string, string>;

  constructor({ subnets, securityGroups, side, ...options }: VpcNetworkOptions) {
    this.#traces = new VpcTraces(options.table, options.newId);
    this.#side = side;
    this.#subnets = byStableId(subnets);
    this.#groups = new Map(securityGroups.map((id) => [stableId(`security-group:${id}`), id]));
    this.addresses = new AddressBook({ ...options, subnets: subnets.flatMap(subnetSettings) });
    // Nobody needs to be fenced: an address is at one interface, and moving it takes it from the other.
    this.#owners = new VipOwnership(options.table, async () => {});
  }

  allocateVip(request: VipRequest): Promise<Vip> {
    return this.addresses.allocateVip(request);
  }

  async releaseVip(loadBalancerId: string, vip: Vip): Promise<void> {
    const held = await this.addresses.vipOf(loadBalancerId);
    // A late release of an earlier VIP must not take the present one away.
    if (held && held.vip_port_id !== vip.vip_port_id) return;
    // A VIP that no amphora was ever given takes no call.
    if (await this.#traces.has(loadBalancerId)) await this.#removeTraces(loadBalancerId, vip);
    if (held) await this.addresses.releaseVip(loadBalancerId, vip);
    await this.#owners.forget(loadBalancerId);
  }

  async #removeTraces(loadBalancerId: string, vip: Vip): Promise<void> {
    for (const each of await this.#traces.amphorae(loadBalancerId)) await this.#takeAway(loadBalancerId, vip, each);
    await this.#side.release(loadBalancerId);
    await this.#traces.forgetAll(loadBalancerId);
  }

  async plugVip(loadBalancerId: string, vip: FilteredVip, amphora: PluggedAmphora): Promise<PluggedInterface> {
    const addresses = this.#placed(vip);
    const groups = this.#namedBy(vip);
    const token = await this.#traces.note(loadBalancerId, amphora);
    const plugged = await this.#side.plug({ loadBalancerId, amphora, addresses, groups, token });
    return { vrrp_ip: plugged.address, vrrp_port_id: stableId(`interface:${plugged.interfaceId}`) };
  }

  async unplugVip(loadBalancerId: string, vip: Vip, amphoraId: string): Promise<void> {
    await this.#owners.drop(loadBalancerId, amphoraId);
    const plugged = await this.#traces.amphora(loadBalancerId, amphoraId);
    if (plugged) await this.#takeAway(loadBalancerId, vip, plugged);
  }

  async takeVip(loadBalancerId: string, vip: Vip, amphora: PluggedAmphora, epoch: number): Promise<void> {
    try {
      // The epoch first: from here on whoever has a lower one is turned away here, or finds out below.
      await this.#owners.take(loadBalancerId, amphora.id, epoch);
      await this.#traces.note(loadBalancerId, amphora);
      await this.#side.move(loadBalancerId, amphora.compute_id, this.#placed(vip));
      await this.#owners.confirm(loadBalancerId, amphora.id, epoch);
    } catch (error) {
      // Also when it is turned away at once: a try before it may have been killed after its move.
      if (error instanceof Superseded) await this.#handBack(loadBalancerId, vip, amphora);
      throw error;
    }
  }

  /**
   * AWS knows no epochs: a move that was overtaken may have come last, and is undone by whoever made it. Whoever moves looks afterwards who
   * has it, so that the last move of all is to the owner.
   */
  async #handBack(loadBalancerId: string, vip: Vip, late: PluggedAmphora): Promise<void> {
    const owner = await this.#owners.ownerOf(loadBalancerId);
    if (owner === null) return this.#giveUp(loadBalancerId, vip, late);
    const plugged = await this.#traces.amphora(loadBalancerId, owner);
    // It has not moved it yet.
    if (plugged === undefined) return;
    await this.#side.move(loadBalancerId, plugged.compute_id, this.#placed(vip));
    if ((await this.#owners.ownerOf(loadBalancerId)) !== owner) await this.#handBack(loadBalancerId, vip, late);
  }

  async #giveUp(loadBalancerId: string, vip: Vip, late: PluggedAmphora): Promise<void> {
    // It may yet be told to take the VIP, by a call that is not late.
    if (await this.#owners.isKnown(loadBalancerId)) return this.#side.drop(late.compute_id, this.#placed(vip));
    await this.#takeAway(loadBalancerId, vip, late);
    await this.#removeTraces(loadBalancerId, vip);
  }

  async allow(loadBalancerId: string, vip: FilteredVip, rules: VipRule[]): Promise<void> {
    const computeIds = (await this.#traces.amphorae(loadBalancerId)).map(({ compute_id }) => compute_id);
    if (computeIds.length === 0) return;
    const wanted = { loadBalancerId, addresses: this.#placed(vip), groups: this.#namedBy(vip), rules };
    await this.#side.allow(wanted, computeIds);
  }

  listTagged(): Promise<string[]> {
    return this.#side.tagged();
  }

  async removeTagged(loadBalancerId: string): Promise<void> {
    await this.#side.release(loadBalancerId);
    await this.#traces.forgetAll(loadBalancerId);
    await this.#owners.forget(loadBalancerId);
  }

  vipOwner(loadBalancerId: string): Promise<string | null> {
    return this.#owners.ownerOf(loadBalancerId);
  }

  async getSubnet(id: string): Promise<Subnet> {
    return this.addresses.getSubnet(id);
  }

  async listSubnets(): Promise<Subnet[]> {
    return this.addresses.listSubnets();
  }

  async checkSecurityGroup(id: string): Promise<void> {
    if (!this.#groups.has(id)) throw missing('Security Group', id);
  }

  /** A VPC has none. */
  async checkQosPolicy(id: string): Promise<void> {
    throw missing('qos_policy', id);
  }

  listVips(): Promise<{ load_balancer_id: string; vip: Vip; allocated_at: number }[]> {
    return this.addresses.listVips();
  }

  #placed({ vip_address, vip_subnet_id, additional_vips = [] }: Vip): PlacedAddress[] {
    const all = [{ ip_address: vip_address, subnet_id: vip_subnet_id }, ...additional_vips];
    return all.map(({ ip_address: address, subnet_id }) => {
      const subnet = this.#subnets.get(subnet_id);
      if (subnet === undefined) throw missing('Subnet', subnet_id);
      return { address, subnet };
    });
  }

  #namedBy({ vip_sg_ids = [] }: FilteredVip): string[] {
    return vip_sg_ids.map((id) => {
      const group = this.#groups.get(id);
      if (group === undefined) throw missing('Security Group', id);
      return group;
    });
  }

  async #takeAway(loadBalancerId: string, vip: Vip, amphora: PluggedAmphora): Promise<void> {
    await this.#side.unplug(loadBalancerId, amphora, this.#placed(vip));
    await this.#traces.forget(loadBalancerId, amphora.id);
  }
}
