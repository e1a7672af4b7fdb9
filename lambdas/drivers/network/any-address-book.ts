// An address book that believes in every subnet, network and port it is told of, as Octavia's noop network driver does: for trying
// the API with ids of a Neutron that is not there. Those it has itself it keeps as strictly as ever.
import { randomInt } from 'node:crypto';
import { isIP } from 'node:net';
import { type Item, type Operation, type Table, TransactionCancelled } from '../table/table.ts';
import { AddressBook, type AddressBookOptions, vipKey } from './address-book.ts';
import type { PluggedInterface, Subnet, Vip, VipRequest } from './network-driver.ts';
import { addressRange, canonical, stableId, toAddress } from './subnets.ts';

/** Ranges for documentation and benchmarks (RFC 2544, RFC 3849), by family. */
const ranges = { 4: '198.18.0.0/15', 6: '2001:db8::/32' } as const;

/** In a subnet nobody has looked after, two may have the same. */
function anyAddress(version: 4 | 6): string {
  const { first } = addressRange(ranges[version]);
  return toAddress(first + BigInt(randomInt(0, 131_070)), version);
}

export class AnyAddressBook extends AddressBook {
  readonly #table: Table;
  readonly #options: AddressBookOptions;

  constructor(options: AddressBookOptions) {
    super(options);
    this.#table = options.table;
    this.#options = options;
  }

  #hasSubnet(id: string | null): boolean {
    return this.listSubnets().some((subnet) => subnet.id === id);
  }

  /** Never missing. */
  override getSubnet(id: string): Subnet {
    if (this.#hasSubnet(id)) return super.getSubnet(id);
    const network_id = stableId(`network of ${id}`);
    return { id, name: '', network_id, network_name: '', cidr: ranges[4], ip_version: 4 };
  }

  override async allocateVip(request: VipRequest): Promise<Vip> {
    if (await this.#isOwn(request)) return super.allocateVip(request);
    const key = vipKey(request.load_balancer_id);
    const allocated_at = this.#options.clock.now();
    const item: Item = { ...key, vip: this.#believed(request), project_id: request.project_id, allocated_at };
    // Who asks again is answered with what is there.
    await this.#written({ kind: 'put', item, when: { exists: false } });
    return (await this.vipOf(request.load_balancer_id))!;
  }

  /** A port of ours, or one of our subnets or networks. */
  async #isOwn({ subnet_id, network_id, port_id }: VipRequest): Promise<boolean> {
    if (port_id !== null) return (await this.findPort(port_id)) !== undefined;
    if (subnet_id !== null) return this.#hasSubnet(subnet_id);
    return this.listSubnets().some((subnet) => subnet.network_id === network_id);
  }

  #believed({ address, subnet_id, network_id, port_id }: VipRequest): Vip {
    const subnetId = subnet_id ?? this.#options.newId();
    return {
      vip_address: address === null ? anyAddress(4) : canonical(address),
      vip_port_id: port_id ?? this.#options.newId(),
      vip_subnet_id: subnetId,
      vip_network_id: network_id ?? this.getSubnet(subnetId).network_id,
    };
  }

  override async releaseVip(loadBalancerId: string, vip: Vip): Promise<void> {
    if (await this.findPort(vip.vip_port_id)) return super.releaseVip(loadBalancerId, vip);
    await this.#table.transact([{ kind: 'delete', key: vipKey(loadBalancerId) }]);
  }

  override async plug(loadBalancerId: string, vip: Vip, amphoraId: string): Promise<PluggedInterface> {
    if (this.#hasSubnet(vip.vip_subnet_id)) return super.plug(loadBalancerId, vip, amphoraId);
    const version = isIP(vip.vip_address) === 6 ? 6 : 4;
    const { first } = addressRange(ranges[version]);
    const id = stableId(`interface of ${amphoraId}`);
    return { vrrp_ip: toAddress(first + BigInt(`0x${id.slice(0, 4)}`), version), vrrp_port_id: id };
  }

  async #written(operation: Operation): Promise<void> {
    try {
      await this.#table.transact([operation]);
    } catch (error) {
      if (!(error instanceof TransactionCancelled) || error.isConflict) throw error;
    }
  }
}
