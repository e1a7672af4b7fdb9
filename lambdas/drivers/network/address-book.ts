// What Neutron keeps for Octavia: which address of which subnet belongs to which port, and which port to whom. One item
// per address, put only if absent, so that no address is ever given twice, whoever asks and from wherever.
import { setTimeout as delay } from 'node:timers/promises';
import { ApiError, conflict, invalid } from '../../domain/errors.ts';
import { type Item, type Key, type Operation, queryAll, type Table, TransactionCancelled } from '../table/table.ts';
import { addressKey, FreeAddresses } from './free-addresses.ts';
import type { PluggedInterface, Subnet, Vip, VipRequest } from './network-driver.ts';
import { addressRange, canonical, contains, makeSubnet, type SubnetSettings, toAddress, toNumber } from './subnets.ts';

export interface Port {
  id: string;
  subnet_id: string;
  network_id: string;
  address: string;
  /** Load balancer or amphora it is attached to. */
  device_id: string | null;
  /** Made before the VIP was asked for: it outlives the load balancer. */
  is_given: boolean;
}

export interface AddressBookOptions {
  table: Table;
  clock: { now(): number };
  newId: () => string;
  subnets: SubnetSettings[];
}

/** An allocation that somebody else completed first, for the same device. */
interface Taken {
  port: Port;
  record: Item;
}

const portKey = (id: string): Key => ({ pk: 'NET#ports', sk: `PORT#${id}` });
export const vipKey = (loadBalancerId: string): Key => ({ pk: 'NET#vips', sk: loadBalancerId });
const interfaceKey = (loadBalancerId: string, amphoraId: string): Key => ({
  pk: `NET#interfaces#${loadBalancerId}`,
  sk: amphoraId,
});

/** With a pause of up to 10 ms, doubling to 160 ms: a second in all, on average. */
const attemptsAtMost = 15;

const missing = (resource: string, id: string) => new ApiError(400, `${resource} ${id} not found.`);

export class AddressBook {
  readonly #options: AddressBookOptions;
  readonly #table: Table;
  readonly #subnets: Map<string, Subnet>;
  readonly #free = new Map<string, FreeAddresses>();

  constructor(options: AddressBookOptions) {
    this.#options = options;
    this.#table = options.table;
    this.#subnets = new Map(options.subnets.map(makeSubnet).map((subnet) => [subnet.id, subnet]));
    for (const { id, cidr } of this.#subnets.values()) {
      this.#free.set(id, new FreeAddresses(this.#table, id, addressRange(cidr)));
    }
  }

  listSubnets(): Subnet[] {
    return [...this.#subnets.values()];
  }

  getSubnet(id: string): Subnet {
    const subnet = this.#subnets.get(id);
    if (!subnet) throw missing('Subnet', id);
    return subnet;
  }

  /** A port nothing is attached to yet, for a load balancer that names it as `vip_port_id`. */
  async createPort(subnetId: string, address: string | null = null): Promise<Port> {
    const taken = await this.#allocate(this.getSubnet(subnetId), address, { device_id: null, is_given: true });
    return taken.port;
  }

  /** @throws ApiError 400 `Port <id> not found.` */
  async getPort(id: string): Promise<Port> {
    const item = await this.#table.get(portKey(id));
    if (!item) throw missing('Port', id);
    return item['port'] as Port;
  }

  async allocateVip(request: VipRequest): Promise<Vip> {
    const key = vipKey(request.load_balancer_id);
    const before = await this.#table.get(key);
    if (before) return before['vip'] as Vip;
    if (request.port_id !== null) return this.#attach(await this.#givenPort(request, request.port_id), request);
    const record = (port: Port) => this.#vipRecord(request, port);
    const owner = { device_id: request.load_balancer_id, is_given: false };
    const taken = await this.#allocate(this.#chooseSubnet(request), request.address, owner, record);
    return taken.record['vip'] as Vip;
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
    const port = await this.getPort(vip.vip_port_id);
    const gone: Operation = { kind: 'delete', key: vipKey(loadBalancerId), when: { exists: true } };
    if (port.is_given) await this.#write([gone, putPort({ ...port, device_id: null })]);
    else await this.#removePort(port, gone);
  }

  async plug(loadBalancerId: string, vip: Vip, amphoraId: string): Promise<PluggedInterface> {
    const key = interfaceKey(loadBalancerId, amphoraId);
    const before = await this.#table.get(key);
    if (before) return plugged(before['port'] as Port);
    const owner = { device_id: amphoraId, is_given: false };
    const record = (port: Port): Item => ({ ...key, port });
    const taken = await this.#allocate(this.getSubnet(vip.vip_subnet_id), null, owner, record);
    return plugged(taken.record['port'] as Port);
  }

  async unplug(loadBalancerId: string, amphoraId: string): Promise<void> {
    const key = interfaceKey(loadBalancerId, amphoraId);
    const record = await this.#table.get(key);
    if (record) await this.#removePort(record['port'] as Port, { kind: 'delete', key, when: { exists: true } });
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
  #chooseSubnet({ subnet_id, network_id, address }: VipRequest): Subnet {
    if (subnet_id !== null) {
      const subnet = this.getSubnet(subnet_id);
      if (network_id !== null && subnet.network_id !== network_id) throw missing('Subnet', subnet_id);
      return subnet;
    }
    if (network_id === null) throw invalid('VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.');
    const subnets = this.listSubnets().filter((subnet) => subnet.network_id === network_id);
    if (subnets.length === 0) throw missing('Network', network_id);
    if (address === null) return subnets.find(({ ip_version }) => ip_version === 4) ?? subnets[0]!;
    const around = subnets.find((subnet) => contains(subnet, address));
    if (!around) throw invalid('Supplied network does not contain a subnet for VIP address specified.');
    return around;
  }

  async #givenPort({ subnet_id, network_id, address }: VipRequest, portId: string): Promise<Port> {
    const port = await this.getPort(portId);
    if (network_id !== null && network_id !== port.network_id) throw missing('Port', portId);
    if (subnet_id !== null && this.getSubnet(subnet_id).id !== port.subnet_id)
      throw invalid('No VIP address found on the specified VIP port within the specified subnet.');
    if (address !== null && canonical(address) !== port.address)
      throw invalid('Specified VIP address not found on the specified VIP port.');
    return port;
  }

  async #attach(port: Port, request: VipRequest): Promise<Vip> {
    const attached = { ...port, device_id: request.load_balancer_id };
    const record = this.#vipRecord(request, attached);
    const failed = await this.#write([
      { kind: 'put', item: record, when: { exists: false } },
      { ...putPort(attached), when: { equals: { device_id: null } } },
    ]);
    if (failed === undefined) return record['vip'] as Vip;
    if (failed === 0) return this.allocateVip(request);
    throw conflict(`The VIP IP address is already in use: Port ${port.id} is in use by another device.`);
  }

  #vipRecord(request: VipRequest, port: Port): Item {
    const vip: Vip = {
      vip_address: port.address,
      vip_port_id: port.id,
      vip_subnet_id: port.subnet_id,
      vip_network_id: port.network_id,
    };
    const allocated_at = this.#options.clock.now();
    return { ...vipKey(request.load_balancer_id), vip, project_id: request.project_id, allocated_at };
  }

  /** @param makeRecord what the address is for; when it is there already, nothing is allocated */
  async #allocate(
    subnet: Subnet,
    address: string | null,
    owner: Pick<Port, 'device_id' | 'is_given'>,
    makeRecord?: (port: Port) => Item,
  ): Promise<Taken> {
    const id = this.#options.newId();
    let taken: Taken | undefined;
    const take = async (number: bigint): Promise<boolean> => {
      const where = { subnet_id: subnet.id, network_id: subnet.network_id };
      const port: Port = { id, ...where, address: toAddress(number, subnet.ip_version), ...owner };
      taken = await this.#takeAddress(number, port, makeRecord?.(port) ?? { ...portKey(id), port });
      if (taken && taken.port.id !== id) this.#free.get(subnet.id)?.giveBack(number);
      return taken !== undefined;
    };
    if (address === null) await this.#free.get(subnet.id)!.pick(take);
    else await take(requested(subnet, address));
    if (taken) return taken;
    if (address === null) throw conflict(`No more IP addresses available on network ${subnet.network_id}.`);
    throw conflict(
      `The VIP IP address is already in use: IP address ${address} already allocated in subnet ${subnet.id}.`,
    );
  }

  /** Undefined when somebody has the address. */
  async #takeAddress(number: bigint, port: Port, record: Item): Promise<Taken | undefined> {
    const key = addressKey(port.subnet_id, number);
    const isPortItself = record.sk === portKey(port.id).sk;
    const operations: Operation[] = [
      isPortItself ? putPort(port) : { kind: 'put', item: record, when: { exists: false } },
      { kind: 'put', item: { ...key, port_id: port.id }, when: { exists: false } },
    ];
    const failed = await this.#write(isPortItself ? operations : [...operations, putPort(port)]);
    if (failed === undefined) return { port, record };
    if (failed !== 0) return undefined;
    const first = await this.#table.get(record);
    // Gone again between the two requests: the address itself may still be had.
    if (!first) return this.#takeAddress(number, port, record);
    return { port: { ...port, id: '' }, record: first };
  }

  async #removePort(port: Port, record: Operation): Promise<void> {
    const number = toNumber(port.address);
    const address = addressKey(port.subnet_id, number);
    const failed = await this.#write([
      record,
      { kind: 'delete', key: address, when: { equals: { port_id: port.id } } },
      { kind: 'delete', key: portKey(port.id) },
    ]);
    if (failed === undefined) this.#free.get(port.subnet_id)?.giveBack(number);
  }

  /** @returns the first operation whose condition failed, undefined when all were written */
  async #write(operations: Operation[], attempts = 0): Promise<number | undefined> {
    try {
      await this.#table.transact(operations);
      return undefined;
    } catch (error) {
      if (!(error instanceof TransactionCancelled)) throw error;
      if (!error.isConflict) return error.reasons.findIndex(({ code }) => code === 'ConditionalCheckFailed');
      if (attempts >= attemptsAtMost) throw error;
    }
    // Many who want one address only meet again when they come back at once.
    await delay(Math.random() * 10 * 2 ** Math.min(attempts, 4));
    return this.#write(operations, attempts + 1);
  }
}

const putPort = (port: Port): Operation & { kind: 'put' } => ({
  kind: 'put',
  // device_id beside the port, where a condition can see it.
  item: { ...portKey(port.id), port, device_id: port.device_id },
});

const plugged = (port: Port): PluggedInterface => ({ vrrp_ip: port.address, vrrp_port_id: port.id });

function requested(subnet: Subnet, address: string): bigint {
  if (!contains(subnet, address)) throw invalid(`IP address ${address} is not a valid IP for the specified subnet.`);
  return toNumber(address);
}
