// The network of one machine, in Neutron's place: VIPs are loopback addresses, which any process may bind; so taking a VIP
// from an amphora means ending the HAProxy that serves it.
import type { AddressBookOptions } from '../../lambdas/drivers/network/address-book.ts';
import { TableNetworkDriver } from '../../lambdas/drivers/network/table-network.ts';
import type { Fence } from '../../lambdas/drivers/network/vip-ownership.ts';

export interface LoopbackNetworkOptions extends Omit<AddressBookOptions, 'subnets'> {
  /** Inside 127.0.0.0/8. */
  cidr?: string;
  fence: Fence;
}

export class LoopbackNetworkDriver extends TableNetworkDriver {
  constructor({ cidr = '127.78.0.0/16', fence, ...options }: LoopbackNetworkOptions) {
    super({ ...options, subnets: [{ name: 'vip-subnet', network_name: 'vip-net', cidr }] }, fence);
  }
}
