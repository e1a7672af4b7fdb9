// Ports as Neutron keeps them: which address of which subnet belongs to which port, and which port to whom. One item per address,
// put only if absent, so that no address is ever given twice, whoever asks and from wherever.
import { setTimeout as delay } from 'node:timers/promises';
import { ApiError, conflict, invalid } from '../../domain/errors.ts';
import { toAddress, toNumber } from '../../domain/ip-addresses.ts';
import { type Item, type Key, type Operation, type Table, TransactionCancelled } from '../table/table.ts';
import { addressKey, FreeAddresses } from './free-addresses.ts';
import type { Subnet } from './network-driver.ts';
import { contains, handedOut, makeSubnet, type SubnetSettings } from './subnets.ts';

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

export interface PortsOptions {
  table: Table;
  newId: () => string;
  subnets: SubnetSettings[];
}

/** An allocation that somebody else completed first, for the same device. */
export interface Taken {
  port: Port;
  record: Item;
}

const portKey = (id: string): Key => ({ pk: 'NET#ports', sk: `PORT#${id}` });
/** With a pause of up to 10 ms, doubling to 160 ms: a second in all, on average. */
const attemptsAtMost = 15;

export const missing = (resource: string, id: string) => new ApiError(400, `${resource} ${id} not found.`);

export class Ports {
  readonly #options: PortsOptions;
  readonly #table: Table;
  readonly #subnets: Map<string, Subnet>;
  readonly #free = new Map<string, FreeAddresses>();

  constructor(options: PortsOptions) {
    this.#options = options;
    this.#table = options.table;
    this.#subnets = new Map(options.subnets.map(makeSubnet).map((subnet) => [subnet.id, subnet]));
    for (const subnet of this.#subnets.values()) {
      if (subnet.range === null) continue;
      this.#free.set(subnet.id, new FreeAddresses(this.#table, subnet.id, handedOut(subnet)));
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
  async create(subnetId: string, address: string | null = null): Promise<Port> {
    const taken = await this.allocate(this.getSubnet(subnetId), address, { device_id: null, is_given: true });
    return taken.port;
  }

  /** @throws ApiError 400 `Port <id> not found.` */
  async get(id: string): Promise<Port> {
    const item = await this.#table.get(portKey(id));
    if (!item) throw missing('Port', id);
    return item['port'] as Port;
  }

  /** @param makeRecord what the address is for; when it is there already, nothing is allocated */
  async allocate(
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
    if (address === null) await this.#free.get(subnet.id)?.pick(take);
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

  /** Gives a port that was there before to a device. @returns the record of whoever was faster, for the same device */
  async attach(port: Port, record: Item): Promise<Item> {
    const failed = await this.#write([
      { kind: 'put', item: record, when: { exists: false } },
      { ...putPort(port), when: { equals: { device_id: null } } },
    ]);
    if (failed === undefined) return record;
    const first = failed === 0 ? await this.#table.get(record) : undefined;
    if (first) return first;
    throw conflict(`The VIP IP address is already in use: Port ${port.id} is in use by another device.`);
  }

  /** Takes a port from its device, with the record of what it was for: a port that was there before stays. */
  async release(port: Port, record: Key): Promise<void> {
    const gone: Operation = { kind: 'delete', key: { pk: record.pk, sk: record.sk }, when: { exists: true } };
    if (port.is_given) await this.#write([gone, putPort({ ...port, device_id: null })]);
    else await this.#removePort(port, gone);
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

function requested(subnet: Subnet, address: string): bigint {
  if (!contains(subnet, address)) throw invalid(`IP address ${address} is not a valid IP for the specified subnet.`);
  return toNumber(address);
}
