// The noop network that believes in every subnet, network and port it is told of, as Octavia's noop network driver does: for trying
// the API with ids of a Neutron that is not there. What it has itself it keeps as strictly as ever.
import { isIP } from 'node:net';
import { ApiError } from '../../domain/errors.ts';
import { canonical, toAddress } from '../../domain/ip-addresses.ts';
import { type Item, type Table, TransactionCancelled } from '../table/table.ts';
import { vipKey } from './address-book.ts';
import type { PluggedInterface, Subnet, Vip, VipRequest } from './network-driver.ts';
import { NoopNetworkDriver, type NoopNetworkOptions } from './noop.ts';
import { addressRange, stableId } from './subnets.ts';

/** Ranges for benchmarks and documentation (RFC 2544, RFC 3849), by family. */
const ranges = { 4: '198.18.0.0/15', 6: '2001:db8::/32' } as const;

/** The same for the same name; two names may have one, as nobody looks after a subnet that is not there. */
function anyAddress(name: string, version: 4 | 6): string {
  const number = BigInt(`0x${stableId(name).slice(0, 4)}`);
  return toAddress(addressRange(ranges[version]).first + number, version);
}

export class AnyIdNetworkDriver extends NoopNetworkDriver {
  readonly #table: Table;
  readonly #clock: { now(): number };
  readonly #newId: () => string;

  constructor(options: NoopNetworkOptions) {
    super(options);
    this.#table = options.table;
    this.#clock = options.clock;
    this.#newId = options.newId;
  }

  #hasSubnet(id: string): boolean {
    return this.addresses.listSubnets().some((subnet) => subnet.id === id);
  }

  async #hasPort(id: string): Promise<boolean> {
    try {
      return (await this.addresses.getPort(id)).id === id;
    } catch (error) {
      if (error instanceof ApiError) return false;
      throw error;
    }
  }

  override async getSubnet(id: string): Promise<Subnet> {
    if (this.#hasSubnet(id)) return super.getSubnet(id);
    const network_id = stableId(`network of ${id}`);
    return { id, name: '', network_id, network_name: '', cidr: ranges[4], ip_version: 4 };
  }

  override async allocateVip(request: VipRequest): Promise<Vip> {
    if (await this.#isOurs(request)) return super.allocateVip(request);
    const key = vipKey(request.load_balancer_id);
    const vip = await this.#believed(request);
    const item: Item = { ...key, vip, project_id: request.project_id, allocated_at: this.#clock.now() };
    try {
      await this.#table.transact([{ kind: 'put', item, when: { exists: false } }]);
    } catch (error) {
      if (!(error instanceof TransactionCancelled) || error.isConflict) throw error;
    }
    // Who asks again is answered with what is there.
    return (await this.addresses.vipOf(request.load_balancer_id)) ?? vip;
  }

  /** Octavia's order: a port says everything, a subnet more than a network. */
  async #isOurs({ subnet_id, network_id, port_id }: VipRequest): Promise<boolean> {
    if (port_id !== null) return this.#hasPort(port_id);
    if (subnet_id !== null) return this.#hasSubnet(subnet_id);
    return this.addresses.listSubnets().some((subnet) => subnet.network_id === network_id);
  }

  async #believed(request: VipRequest): Promise<Vip> {
    const { address, subnet_id, network_id, port_id, additional_vips } = request;
    const vip_subnet_id = subnet_id ?? this.#newId();
    return {
      vip_address: address === null ? anyAddress(request.load_balancer_id, 4) : canonical(address),
      vip_port_id: port_id ?? this.#newId(),
      vip_subnet_id,
      vip_network_id: network_id ?? (await this.getSubnet(vip_subnet_id)).network_id,
      ...(additional_vips.length > 0 ? { additional_vips: this.#believedBeside(request) } : {}),
    };
  }

  #believedBeside({ load_balancer_id, additional_vips }: VipRequest) {
    return additional_vips.map(({ subnet_id, ip_address, port_id }) => ({
      subnet_id,
      ip_address: ip_address ?? anyAddress(`${load_balancer_id} ${subnet_id}`, 4),
      port_id: port_id ?? this.#newId(),
    }));
  }

  override async releaseVip(loadBalancerId: string, vip: Vip): Promise<void> {
    const held = await this.addresses.vipOf(loadBalancerId);
    const isBelieved = held?.vip_port_id === vip.vip_port_id && !(await this.#hasPort(vip.vip_port_id));
    if (isBelieved) await this.#table.transact([{ kind: 'delete', key: vipKey(loadBalancerId) }]);
    await super.releaseVip(loadBalancerId, vip);
  }

  override async plugVip(loadBalancerId: string, vip: Vip, amphora: { id: string }): Promise<PluggedInterface> {
    if (this.#hasSubnet(vip.vip_subnet_id)) return super.plugVip(loadBalancerId, vip, amphora);
    const name = `interface of ${amphora.id}`;
    return { vrrp_ip: anyAddress(name, isIP(vip.vip_address) === 6 ? 6 : 4), vrrp_port_id: stableId(name) };
  }
}
