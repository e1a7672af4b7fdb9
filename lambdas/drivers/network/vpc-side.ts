// What of load balancers lies with AWS, and who does it. Apart from the driver, because a function that only reads subnets and reserves
// addresses must not carry a client of EC2: this is loaded with its first call.
import { EC2Client } from '@aws-sdk/client-ec2';
import type { VipRule } from './network-driver.ts';
import { VpcAddresses } from './vpc-addresses.ts';
import { VpcElasticIps } from './vpc-elastic-ips.ts';
import { VpcInterfaces } from './vpc-interfaces.ts';
import { VpcSecurityGroups } from './vpc-security-groups.ts';
import type { VpcSubnet } from './vpc-subnets.ts';

export { EC2Client };

/** An address of a load balancer. */
export interface PlacedAddress {
  address: string;
  subnet: VpcSubnet;
}

export interface VpcPlug {
  loadBalancerId: string;
  addresses: PlacedAddress[];
  /** Of users; none: the load balancer has a group of its own. */
  groups: string[];
}

export interface VpcSide {
  plug(
    plug: VpcPlug & { amphora: { id: string; compute_id: string } },
  ): Promise<{ interfaceId: string; address: string }>;
  /** No error when the machine is gone. */
  unplug(loadBalancerId: string, computeId: string, addresses: PlacedAddress[]): Promise<void>;
  /** To this machine, away from whichever has them; again: they stay. */
  move(loadBalancerId: string, computeId: string, addresses: PlacedAddress[]): Promise<void>;
  allow(wanted: VpcPlug & { rules: VipRule[] }, computeIds: string[]): Promise<void>;
  /** What no machine has: group, Elastic IPs, interfaces that were never attached. */
  release(loadBalancerId: string): Promise<void>;
}

export interface Ec2SideOptions {
  client: () => EC2Client;
  deployment: string;
  /** Of users, which a load balancer may be given and lose again. */
  securityGroups: readonly string[];
}

export class Ec2Side implements VpcSide {
  readonly #addresses: VpcAddresses;
  readonly #interfaces: VpcInterfaces;
  readonly #groups: VpcSecurityGroups;
  readonly #elasticIps: VpcElasticIps;
  readonly #named: ReadonlySet<string>;

  constructor({ client, deployment, securityGroups }: Ec2SideOptions) {
    let made: EC2Client | undefined;
    const once = () => {
      made ??= client();
      return made;
    };
    this.#addresses = new VpcAddresses(once, deployment);
    this.#interfaces = new VpcInterfaces(once, deployment, this.#addresses);
    this.#groups = new VpcSecurityGroups(once, deployment);
    this.#elasticIps = new VpcElasticIps(once, deployment);
    this.#named = new Set(securityGroups);
  }

  async plug({ loadBalancerId, amphora, addresses, groups }: Parameters<VpcSide['plug']>[0]) {
    const wanted = groups.length > 0 ? groups : [await this.#groups.ensure(loadBalancerId, addresses[0]!.subnet.vpc)];
    const owner = { loadBalancerId, amphoraId: amphora.id, groups: wanted };
    let first: { interfaceId: string; address: string } | undefined;
    for (const subnet of subnetsOf(addresses)) {
      const plugged = await this.#interfaces.ensure(amphora.compute_id, subnet, owner);
      await this.#interfaces.setGroups(plugged, wanted, this.#named);
      first ??= { interfaceId: plugged.NetworkInterfaceId!, address: plugged.PrivateIpAddress! };
    }
    return first!;
  }

  async unplug(loadBalancerId: string, computeId: string, addresses: PlacedAddress[]): Promise<void> {
    const group = await this.#groups.find(loadBalancerId);
    const gone = new Set([...this.#named, ...(group ? [group] : [])]);
    await this.#interfaces.unplug(loadBalancerId, computeId, addresses, gone);
  }

  async move(loadBalancerId: string, computeId: string, addresses: PlacedAddress[]): Promise<void> {
    for (const { address, subnet } of addresses) {
      const target = await this.#interfaces.of(computeId, subnet);
      await this.#addresses.move(address, target);
      if (subnet.public && !address.includes(':')) await this.#elasticIps.associate(loadBalancerId, address, target);
    }
  }

  async allow({ loadBalancerId, addresses, groups, rules }: VpcPlug & { rules: VipRule[] }, computeIds: string[]) {
    const own = groups.length > 0 ? undefined : await this.#groups.ensure(loadBalancerId, addresses[0]!.subnet.vpc);
    if (own) await this.#groups.setRules(own, rules);
    const wanted = own ? [own] : groups;
    const group = own ?? (await this.#groups.find(loadBalancerId));
    const named = new Set([...this.#named, ...(group ? [group] : [])]);
    for (const computeId of computeIds)
      for (const each of await this.#interfaces.all(computeId, subnetsOf(addresses)))
        await this.#interfaces.setGroups(each, wanted, named);
  }

  async release(loadBalancerId: string): Promise<void> {
    await this.#elasticIps.release(loadBalancerId);
    await this.#interfaces.removeLeft(loadBalancerId);
    await this.#groups.remove(loadBalancerId);
  }
}

const subnetsOf = (addresses: PlacedAddress[]): VpcSubnet[] => [
  ...new Map(addresses.map(({ subnet }) => [subnet.id, subnet])).values(),
];
