// The VPC driver where the suite of all network drivers asks for one: subnets of any addresses, and machines of any id that have an interface.
import { VpcNetworkDriver, type VpcNetworkOptions } from '../../lambdas/drivers/network/vpc.ts';
import { Ec2Side } from '../../lambdas/drivers/network/vpc-side.ts';
import type { VpcSubnet } from '../../lambdas/drivers/network/vpc-subnets.ts';
import { FakeEc2 } from './fake-ec2/fake-ec2.ts';
import { addMachine } from './fake-ec2/machines.ts';

/** Whose amphorae the suite names. */
const machines = ['a', 'b', 'c', ...Array.from({ length: 10 }, (_, number) => `amphora-${number}`)];

export class VpcUnderContract implements AsyncDisposable {
  readonly #ec2: FakeEc2;

  private constructor(ec2: FakeEc2) {
    this.#ec2 = ec2;
  }

  static async start(): Promise<VpcUnderContract> {
    return new VpcUnderContract(await FakeEc2.start([]));
  }

  /** @param cidr which addresses VIPs get; the subnet is larger, as AWS keeps some for itself, and as amphorae are in it too */
  driver(parts: Pick<VpcNetworkOptions, 'table' | 'clock' | 'newId'>, cidr: string): VpcNetworkDriver {
    const subnet: VpcSubnet = {
      id: `subnet-${cidr}`,
      name: 'vip-subnet',
      vpc: 'vip-net',
      zone: 'az1',
      cidr,
      vips: cidr,
      amphorae: true,
    };
    this.#populate(subnet);
    const side = new Ec2Side({ client: () => this.#ec2.client(), deployment: 'octavia', securityGroups: [] });
    return new VpcNetworkDriver({ ...parts, subnets: [subnet], securityGroups: [], side });
  }

  #populate({ id, vpc, zone, cidr }: VpcSubnet): void {
    const { account } = this.#ec2;
    if (account.subnets.some((subnet) => subnet.id === id)) return;
    const subnet = { id, vpc, zone, cidr: '127.80.0.0/12', reserved: cidr };
    account.subnets.push(subnet);
    for (const name of machines) addMachine(account, subnet, `c-${name}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ec2[Symbol.asyncDispose]();
  }
}
