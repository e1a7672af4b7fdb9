// Load balancers in a VPC: their VIPs, the machines that may have them, and what of them is in the account.
import { randomUUID } from 'node:crypto';
import { DriverError } from '../../lambdas/domain/errors.ts';
import type { FilteredVip, NetworkDriver, VipRequest, VipRule } from '../../lambdas/drivers/network/network-driver.ts';
import { stableId } from '../../lambdas/drivers/network/subnets.ts';
import type { VpcNetworkDriver } from '../../lambdas/drivers/network/vpc.ts';
import type { VpcSubnet } from '../../lambdas/drivers/network/vpc-subnets.ts';
import { Ec2World, vpcSubnets } from './ec2-world.ts';
import { addMachine } from './fake-ec2/machines.ts';
import { wanted } from './vip-requests.ts';

export const subnetId = (id: string): string => stableId(`subnet:${id}`);
export const groupId = (id: string): string => stableId(`security-group:${id}`);
export const machine = (id: string) => ({
  id,
  compute_id: `i-${id}`,
  lb_network_ip: '10.0.1.9',
  vrrp_port_id: randomUUID(),
});

/** A load balancer, and what is done to its VIP. */
export class Balancer {
  readonly id: string;
  readonly vip: FilteredVip;
  readonly #network: NetworkDriver;

  constructor(network: NetworkDriver, id: string, vip: FilteredVip) {
    this.#network = network;
    this.id = id;
    this.vip = vip;
  }

  plug = (id: string) => this.#network.plugVip(this.id, this.vip, machine(id));
  take = (id: string, epoch: number) => this.#network.takeVip(this.id, this.vip, machine(id), epoch);
  unplug = (id: string) => this.#network.unplugVip(this.id, this.vip, id);
  allow = (rules: VipRule[]) => this.#network.allow(this.id, this.vip, rules);
  release = () => this.#network.releaseVip(this.id, this.vip);
  owner = () => this.#network.vipOwner(this.id, this.vip);
}

export class VpcWorld implements AsyncDisposable {
  readonly ec2World: Ec2World;
  readonly groups: string[];

  private constructor(ec2World: Ec2World) {
    this.ec2World = ec2World;
    this.groups = [ec2World.group('mine'), ec2World.group('ours')];
  }

  /** Machines a, b and c in the first subnet. */
  static async start(subnets: VpcSubnet[] = vpcSubnets): Promise<VpcWorld> {
    const world = new VpcWorld(await Ec2World.start(subnets));
    for (const id of ['a', 'b', 'c']) world.addMachine(id);
    return world;
  }

  get ec2() {
    return this.ec2World.ec2;
  }

  get account() {
    return this.ec2World.ec2.account;
  }

  addMachine(id: string, type?: string, subnet = 'subnet-a'): void {
    addMachine(this.account, this.account.subnet(subnet), `i-${id}`, type);
  }

  /** Of a process of its own. */
  network = (): VpcNetworkDriver => this.ec2World.network(this.groups);

  async balancer(wish: Partial<VipRequest> = { subnet_id: subnetId('subnet-a') }): Promise<Balancer> {
    const network = this.network();
    const request = wanted(wish);
    return new Balancer(network, request.load_balancer_id, await network.allocateVip(request));
  }

  /** The machine whose packets those of an address are. */
  holderOf(address: string): string | undefined {
    const found = [...this.account.interfaces.values()].filter(
      (one) => one.addresses.includes(address) || one.addresses_v6.includes(address),
    );
    if (found.length > 1) throw new Error(`${address} is at ${found.length} interfaces`);
    return found[0]?.attachment?.instance.replace(/^i-/, '');
  }

  interfacesOf = (id: string) => this.account.interfacesOf(`i-${id}`);

  /** Everything in the account, but for what is made and named at random. */
  footprint(): object {
    const { interfaces, groups, elasticIps } = this.account;
    return {
      interfaces: [...interfaces.values()].map(({ subnet, attachment, addresses, addresses_v6, groups: its }) => ({
        subnet: subnet.id,
        at: `${attachment?.instance} ${attachment?.deleteOnTermination}`,
        addresses: [...addresses, ...addresses_v6].toSorted(),
        groups: its.map((id) => (groups.get(id)?.tags.length ? 'its own' : id)).toSorted(),
      })),
      groups: [...groups.values()].map(({ id, tags, rules }) => ({
        id: tags.length ? 'its own' : id,
        rules: rules.map(({ protocol, from, cidr }) => `${protocol} ${from} ${cidr}`).toSorted(),
      })),
      elasticIps: [...elasticIps.values()].map(({ association }) => association?.address ?? 'idle').toSorted(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ec2World[Symbol.asyncDispose]();
  }
}

export const failure = async (work: Promise<unknown>): Promise<DriverError> => {
  const error = await work.then(
    () => new Error('it worked'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof DriverError) return error;
  throw error;
};
