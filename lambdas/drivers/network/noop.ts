// A network that is bookkeeping alone: addresses are unique and survive restarts, but no packet ever reaches one.
import type { SubnetSettings } from './subnets.ts';
import { TableNetworkDriver, type TableNetworkOptions } from './table-network.ts';

/** The range for benchmarks of network devices (RFC 2544): 131,070 addresses nobody routes. */
const defaultSubnets: SubnetSettings[] = [{ name: 'vip-subnet', network_name: 'vip-net', cidr: '198.18.0.0/15' }];

export type NoopNetworkOptions = Omit<TableNetworkOptions, 'subnets'> & { subnets?: SubnetSettings[] };

export class NoopNetworkDriver extends TableNetworkDriver {
  constructor({ subnets = defaultSubnets, ...options }: NoopNetworkOptions) {
    super({ ...options, subnets }, async () => {});
  }
}
