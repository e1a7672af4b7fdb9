// The network of one machine, in Neutron's place: VIPs are loopback addresses, which any process may bind; so taking a VIP
// from an amphora means ending the HAProxy that serves it.
import type { AddressBookOptions } from '../../lambdas/drivers/network/address-book.ts';
import type { Vip, VipRequest } from '../../lambdas/drivers/network/network-driver.ts';
import { TableNetworkDriver } from '../../lambdas/drivers/network/table-network.ts';
import type { Fence } from '../../lambdas/drivers/network/vip-ownership.ts';
import type { HostAddresses } from './host-addresses.ts';

export interface LoopbackNetworkOptions extends Omit<AddressBookOptions, 'subnets'> {
  /** Inside 127.0.0.0/8. */
  cidr?: string;
  /** A second subnet of the same network, whose addresses are put on the loopback interface while they are in use. */
  version6?: { cidr: string; host: HostAddresses } | undefined;
  fence: Fence;
}

const network_name = 'vip-net';

const addressesOf = ({ vip_address, additional_vips = [] }: Vip): string[] => [
  vip_address,
  ...additional_vips.map(({ ip_address }) => ip_address),
];

export class LoopbackNetworkDriver extends TableNetworkDriver {
  readonly #host: HostAddresses | undefined;

  constructor({ cidr = '127.78.0.0/16', version6, fence, ...options }: LoopbackNetworkOptions) {
    const subnets = [{ name: 'vip-subnet', network_name, cidr }];
    if (version6) subnets.push({ name: 'vip-subnet-v6', network_name, cidr: version6.cidr });
    super({ ...options, subnets }, fence);
    this.#host = version6?.host;
  }

  override async allocateVip(request: VipRequest): Promise<Vip> {
    const vip = await super.allocateVip(request);
    await this.#host?.add(addressesOf(vip));
    return vip;
  }

  override async releaseVip(loadBalancerId: string, vip: Vip): Promise<void> {
    await super.releaseVip(loadBalancerId, vip);
    await this.#host?.remove(addressesOf(vip));
  }
}
