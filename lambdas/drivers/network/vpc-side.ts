// What of load balancers lies with AWS, and who does it. Apart from the driver, because a function that only reads subnets and reserves
// addresses must not carry a client of EC2: this is loaded with its first call.
import { EC2Client, type GroupIdentifier } from '@aws-sdk/client-ec2';
import { eventually } from '../ec2-errors.ts';
import type { VipRule } from './network-driver.ts';
import { VpcAddresses } from './vpc-addresses.ts';
import { VpcElasticIps } from './vpc-elastic-ips.ts';
import { VpcInterfaces } from './vpc-interfaces.ts';
import { VpcSecurityGroups } from './vpc-security-groups.ts';
import type { VpcSubnet } from './vpc-subnets.ts';
import { forAmphora } from './vpc-tags.ts';

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

export interface PluggedAmphora {
  id: string;
  compute_id: string;
}

export interface VpcSide {
  /** @param plug its token is the same for what is the same plugging tried again */
  plug(plug: VpcPlug & { amphora: PluggedAmphora; token: string }): Promise<{ interfaceId: string; address: string }>;
  /** No error when the machine is gone. */
  unplug(loadBalancerId: string, amphora: PluggedAmphora, addresses: PlacedAddress[]): Promise<void>;
  /** Takes the addresses away, and nothing else; no error when it has none. */
  drop(computeId: string, addresses: PlacedAddress[]): Promise<void>;
  /** To this machine, away from whichever has them; again: they stay. */
  move(loadBalancerId: string, computeId: string, addresses: PlacedAddress[]): Promise<void>;
  allow(wanted: VpcPlug & { rules: VipRule[] }, computeIds: string[]): Promise<void>;
  /** What no machine has: group, Elastic IPs, interfaces that were never attached. */
  release(loadBalancerId: string): Promise<void>;
  /** Ids of load balancers that something has as its tag. */
  tagged(): Promise<string[]>;
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

  plug(wish: Parameters<VpcSide['plug']>[0]) {
    return eventually(() => this.#plug(wish));
  }

  async #plug({ loadBalancerId, amphora, addresses, groups, token }: Parameters<VpcSide['plug']>[0]) {
    const wanted = groups.length > 0 ? groups : [await this.#groups.ensure(loadBalancerId, addresses[0]!.subnet.vpc)];
    const owner = { loadBalancerId, amphoraId: amphora.id, groups: wanted, token };
    let first: { interfaceId: string; address: string } | undefined;
    for (const subnet of subnetsOf(addresses)) {
      const plugged = await this.#interfaces.ensure(amphora.compute_id, subnet, owner);
      await this.#interfaces.setGroups(plugged, wanted, this.#isFor(loadBalancerId));
      first ??= { interfaceId: plugged.NetworkInterfaceId!, address: plugged.PrivateIpAddress! };
    }
    return first!;
  }

  async tagged(): Promise<string[]> {
    const all = await Promise.all([this.#groups.tagged(), this.#interfaces.tagged(), this.#elasticIps.tagged()]);
    return [...new Set(all.flat())].toSorted();
  }

  unplug(loadBalancerId: string, { id, compute_id }: PluggedAmphora, addresses: PlacedAddress[]): Promise<void> {
    return eventually(async () => {
      await this.#interfaces.remove(loadBalancerId, forAmphora(id));
      await this.#interfaces.clear(compute_id, addresses, this.#isFor(loadBalancerId));
    });
  }

  drop(computeId: string, addresses: PlacedAddress[]): Promise<void> {
    return eventually(() => this.#interfaces.clear(computeId, addresses, () => false));
  }

  move(loadBalancerId: string, computeId: string, addresses: PlacedAddress[]): Promise<void> {
    return eventually(async () => {
      for (const { address, subnet } of addresses) {
        const target = await this.#interfaces.of(computeId, subnet);
        await this.#addresses.move(address, target);
        if (subnet.public && !address.includes(':')) await this.#elasticIps.associate(loadBalancerId, address, target);
      }
    });
  }

  allow(wanted: Parameters<VpcSide['allow']>[0], computeIds: string[]): Promise<void> {
    return eventually(() => this.#allow(wanted, computeIds));
  }

  async #allow({ loadBalancerId, addresses, groups, rules }: Parameters<VpcSide['allow']>[0], computeIds: string[]) {
    const own = groups.length > 0 ? undefined : await this.#groups.ensure(loadBalancerId, addresses[0]!.subnet.vpc);
    if (own) await this.#groups.setRules(own, rules);
    for (const computeId of computeIds)
      for (const each of await this.#interfaces.all(computeId, subnetsOf(addresses)))
        await this.#interfaces.setGroups(each, own ? [own] : groups, this.#isFor(loadBalancerId));
  }

  release(loadBalancerId: string): Promise<void> {
    return eventually(async () => {
      await this.#elasticIps.release(loadBalancerId);
      await this.#interfaces.remove(loadBalancerId);
      await this.#groups.remove(loadBalancerId);
    });
  }

  /** Which groups of an interface are there for a load balancer: users', and its own, by name as EC2 may not show it yet. */
  #isFor(loadBalancerId: string): (group: GroupIdentifier) => boolean {
    const own = this.#groups.nameFor(loadBalancerId);
    return ({ GroupId, GroupName }) => GroupName === own || this.#named.has(GroupId!);
  }
}

const subnetsOf = (addresses: PlacedAddress[]): VpcSubnet[] => [
  ...new Map(addresses.map(({ subnet }) => [subnet.id, subnet])).values(),
];
