// What Neutron keeps for Octavia: VIPs and the interfaces of amphorae, each a port of its load balancer or amphora.
import { invalid } from '../../domain/errors.ts';
import { canonical } from '../../domain/ip-addresses.ts';
import { type AdditionalVip, type AdditionalVipWish, duplicateSubnet } from '../../domain/load-balancer.ts';
import { type Item, type Key, queryAll, type Table } from '../table/table.ts';
import type { PluggedInterface, Subnet, Vip, VipRequest } from './network-driver.ts';
import { missing, type Port, Ports, type PortsOptions } from './ports.ts';
import { contains, stableId } from './subnets.ts';

export interface AddressBookOptions extends PortsOptions {
  clock: { now(): number };
}

export const vipKey = (loadBalancerId: string): Key => ({ pk: 'NET#vips', sk: loadBalancerId });
const additionalVipKey = (loadBalancerId: string, subnetId: string): Key => ({
  pk: `NET#additional-vips#${loadBalancerId}`,
  sk: subnetId,
});
const interfaceKey = (loadBalancerId: string, amphoraId: string): Key => ({
  pk: `NET#interfaces#${loadBalancerId}`,
  sk: amphoraId,
});

export class AddressBook {
  readonly #clock: { now(): number };
  readonly #table: Table;
  readonly #ports: Ports;

  constructor(options: AddressBookOptions) {
    this.#clock = options.clock;
    this.#table = options.table;
    this.#ports = new Ports(options);
  }

  listSubnets(): Subnet[] {
    return this.#ports.listSubnets();
  }

  getSubnet(id: string): Subnet {
    return this.#ports.getSubnet(id);
  }

  /** A port nothing is attached to yet, for a load balancer that names it as `vip_port_id`. */
  createPort(subnetId: string, address: string | null = null): Promise<Port> {
    return this.#ports.create(subnetId, address);
  }

  /** @throws ApiError 400 `Port <id> not found.` */
  getPort(id: string): Promise<Port> {
    return this.#ports.get(id);
  }

  async allocateVip(request: VipRequest): Promise<Vip> {
    const before = await this.vipOf(request.load_balancer_id);
    const vip = before ?? (await this.#allocatePrimary(request));
    if (request.additional_vips.length === 0) return vip;
    try {
      return { ...vip, additional_vips: await this.#allocateAdditional(request) };
    } catch (error) {
      if (before === null) await this.releaseVip(request.load_balancer_id, vip);
      throw error;
    }
  }

  async #allocatePrimary(request: VipRequest): Promise<Vip> {
    const record = (port: Port) => this.#vipRecord(request, port);
    if (request.port_id !== null) {
      const port = await this.#givenPort(request, request.port_id);
      this.#checkSubnets(this.getSubnet(port.subnet_id), request.additional_vips);
      const attached = { ...port, device_id: request.load_balancer_id };
      return (await this.#ports.attach(attached, record(attached)))['vip'] as Vip;
    }
    const subnet = this.#chooseSubnet(request);
    this.#checkSubnets(subnet, request.additional_vips);
    const owner = { device_id: request.load_balancer_id, is_given: false };
    const taken = await this.#ports.allocate(subnet, request.address, owner, record);
    return taken.record['vip'] as Vip;
  }

  /** One address per subnet, and all of one network. */
  #checkSubnets(first: Subnet, wishes: AdditionalVipWish[]): void {
    const known = new Map(this.listSubnets().map((subnet) => [subnet.id, subnet]));
    for (const { subnet_id } of wishes) {
      if (subnet_id === first.id) throw duplicateSubnet();
      const subnet = known.get(subnet_id);
      if (subnet === undefined) throw invalid(`Subnet ${subnet_id} not found`);
      if (subnet.network_id !== first.network_id) throw invalid('All VIP subnets must belong to the same network.');
    }
  }

  async #allocateAdditional({ load_balancer_id, additional_vips }: VipRequest): Promise<AdditionalVip[]> {
    const vips: AdditionalVip[] = [];
    for (const wish of additional_vips) {
      const key = additionalVipKey(load_balancer_id, wish.subnet_id);
      const record = (await this.#table.get(key)) ?? (await this.#takeAdditional(wish, load_balancer_id, key));
      vips.push(record['vip'] as AdditionalVip);
    }
    return vips;
  }

  async #takeAdditional(wish: AdditionalVipWish, loadBalancerId: string, key: Key): Promise<Item> {
    const { subnet_id, ip_address, port_id } = wish;
    const record = (port: Port): Item => ({ ...key, vip: { subnet_id, ip_address: port.address, port_id: port.id } });
    const asked = { subnet_id, network_id: null, address: ip_address };
    if (port_id !== null) {
      const attached = { ...(await this.#givenPort(asked, port_id)), device_id: loadBalancerId };
      return this.#ports.attach(attached, record(attached));
    }
    const owner = { device_id: loadBalancerId, is_given: false };
    return (await this.#ports.allocate(this.getSubnet(subnet_id), ip_address, owner, record)).record;
  }

  /** The VIP the load balancer has, null when none. */
  async vipOf(loadBalancerId: string): Promise<Vip | null> {
    const record = await this.#table.get(vipKey(loadBalancerId));
    return (record?.['vip'] as Vip | undefined) ?? null;
  }

  async releaseVip(loadBalancerId: string, vip: Vip): Promise<void> {
    for (const { sk } of await queryAll(this.#table, { pk: interfaceKey(loadBalancerId, '').pk })) {
      await this.unplug(loadBalancerId, sk);
    }
    // The first address goes last: until then the sweep finds what is left by it.
    for (const record of await queryAll(this.#table, { pk: additionalVipKey(loadBalancerId, '').pk })) {
      await this.#ports.release(await this.getPort((record['vip'] as AdditionalVip).port_id), record);
    }
    await this.#ports.release(await this.getPort(vip.vip_port_id), vipKey(loadBalancerId));
  }

  async plug(loadBalancerId: string, vip: Vip, amphoraId: string): Promise<PluggedInterface> {
    const key = interfaceKey(loadBalancerId, amphoraId);
    const before = await this.#table.get(key);
    if (before) return plugged(before['port'] as Port);
    const owner = { device_id: amphoraId, is_given: false };
    const record = (port: Port): Item => ({ ...key, port });
    const taken = await this.#ports.allocate(this.getSubnet(vip.vip_subnet_id), null, owner, record);
    return plugged(taken.record['port'] as Port);
  }

  async unplug(loadBalancerId: string, amphoraId: string): Promise<void> {
    const key = interfaceKey(loadBalancerId, amphoraId);
    const record = await this.#table.get(key);
    if (record) await this.#ports.release(record['port'] as Port, key);
  }

  async listVips(): Promise<{ load_balancer_id: string; vip: Vip; allocated_at: number }[]> {
    const records = await queryAll(this.#table, { pk: vipKey('').pk });
    return records.map(({ sk, vip, allocated_at }) => ({
      load_balancer_id: sk,
      vip: vip as Vip,
      allocated_at: allocated_at as number,
    }));
  }

  /** Octavia's order: a port says everything; else the network, in which the address or the family finds the subnet. */
  #chooseSubnet({ load_balancer_id, subnet_id, network_id, address, availability_zone }: VipRequest): Subnet {
    if (subnet_id !== null) {
      const subnet = this.getSubnet(subnet_id);
      if (network_id !== null && subnet.network_id !== network_id) throw missing('Subnet', subnet_id);
      return subnet;
    }
    if (network_id === null) throw invalid('VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.');
    const subnets = this.listSubnets().filter((subnet) => subnet.network_id === network_id && subnet.range !== null);
    if (subnets.length === 0) throw missing('Network', network_id);
    if (address === null) return chosen(subnets, load_balancer_id, availability_zone ?? null);
    const around = subnets.find((subnet) => contains(subnet, address));
    if (!around) throw invalid('Supplied network does not contain a subnet for VIP address specified.');
    return around;
  }

  async #givenPort(asked: Pick<VipRequest, 'subnet_id' | 'network_id' | 'address'>, portId: string): Promise<Port> {
    const { subnet_id, network_id, address } = asked;
    const port = await this.getPort(portId);
    if (network_id !== null && network_id !== port.network_id) throw missing('Port', portId);
    if (subnet_id !== null && this.getSubnet(subnet_id).id !== port.subnet_id)
      throw invalid('No VIP address found on the specified VIP port within the specified subnet.');
    if (address !== null && canonical(address) !== port.address)
      throw invalid('Specified VIP address not found on the specified VIP port.');
    return port;
  }

  #zoneOf({ subnet_id }: Port): Pick<Vip, 'vip_zone'> {
    const { availability_zone: vip_zone } = this.getSubnet(subnet_id);
    return vip_zone === undefined ? {} : { vip_zone };
  }

  #vipRecord(request: VipRequest, port: Port): Item {
    const vip: Vip = {
      vip_address: port.address,
      vip_port_id: port.id,
      vip_subnet_id: port.subnet_id,
      vip_network_id: port.network_id,
      ...this.#zoneOf(port),
    };
    const allocated_at = this.#clock.now();
    return { ...vipKey(request.load_balancer_id), vip, project_id: request.project_id, allocated_at };
  }
}

const plugged = (port: Port): PluggedInterface => ({ vrrp_ip: port.address, vrrp_port_id: port.id });

/** IPv4 where there is some. Where each subnet is a zone's, load balancers are spread over them. */
function chosen(subnets: Subnet[], loadBalancerId: string, zone: string | null): Subnet {
  const first = subnets.filter(({ ip_version }) => ip_version === 4);
  const fitting = first.length === 0 ? subnets : first;
  const there = fitting.filter(({ availability_zone }) => zone === null || (availability_zone ?? zone) === zone);
  if (there.length === 0) throw invalid(`Supplied network does not contain a subnet in availability zone ${zone}.`);
  const isZoned = there.every(({ availability_zone }) => availability_zone !== undefined);
  return isZoned ? there[Number.parseInt(stableId(loadBalancerId).slice(0, 8), 16) % there.length]! : there[0]!;
}
