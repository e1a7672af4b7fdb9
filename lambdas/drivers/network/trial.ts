// A network to try a load balancer on: subnets and addresses are judged as they are, and nothing is reserved.
import { conflict, invalid } from '../../domain/errors.ts';
import type { AdditionalVip } from '../../domain/load-balancer.ts';
import type { NetworkDriver, Subnet, Vip, VipRequest } from './network-driver.ts';
import { contains } from './subnets.ts';

/** Stand for the address that only a reservation would tell, by family. */
export const unknownAddresses: readonly string[] = ['0.0.0.0', '::'];
const unknownIn = (subnet: Subnet | undefined): string => (subnet?.ip_version === 6 ? '::' : '0.0.0.0');

async function additionalVips(network: NetworkDriver, { additional_vips }: VipRequest): Promise<AdditionalVip[]> {
  return Promise.all(
    additional_vips.map(async ({ subnet_id, ip_address, port_id }) => ({
      subnet_id,
      ip_address: ip_address ?? unknownIn(await network.getSubnet(subnet_id)),
      port_id: port_id ?? '',
    })),
  );
}

async function subnetOf(network: NetworkDriver, request: VipRequest): Promise<Subnet | undefined> {
  if (request.subnet_id !== null) return network.getSubnet(request.subnet_id);
  const subnets = (await network.listSubnets()).filter(({ network_id }) => network_id === request.network_id);
  const fitting = subnets.find((subnet) => request.address === null || contains(subnet, request.address));
  if (request.network_id !== null && fitting === undefined) throw invalid(`Network ${request.network_id} not found.`);
  return fitting;
}

async function allocateVip(network: NetworkDriver, request: VipRequest): Promise<Vip> {
  const { address } = request;
  const subnet = await subnetOf(network, request);
  if (subnet && address !== null && !contains(subnet, address))
    throw invalid(`IP address ${address} is not a valid IP for the specified subnet.`);
  const vips = address === null ? [] : await network.listVips();
  const isTaken = vips.some(({ vip }) => vip.vip_address === address && vip.vip_subnet_id === subnet?.id);
  if (isTaken) throw conflict(`The VIP IP address is already in use: IP address ${address} already allocated.`);
  return {
    vip_address: address ?? unknownIn(subnet),
    vip_port_id: request.port_id ?? '',
    vip_subnet_id: subnet?.id ?? '',
    vip_network_id: subnet?.network_id ?? request.network_id ?? '',
    additional_vips: await additionalVips(network, request),
  };
}

/** Writes are left out; whoever would move a VIP in a trial made a mistake. */
export function trialNetwork(network: NetworkDriver): NetworkDriver {
  const never = async () => {
    throw new Error('a trial moves nothing in the network');
  };
  return {
    allocateVip: (request) => allocateVip(network, request),
    releaseVip: async () => {},
    plugVip: never,
    unplugVip: never,
    takeVip: never,
    allow: never,
    vipOwner: (loadBalancerId, vip) => network.vipOwner(loadBalancerId, vip),
    getSubnet: (id) => network.getSubnet(id),
    listSubnets: () => network.listSubnets(),
    checkSecurityGroup: (id) => network.checkSecurityGroup(id),
    checkQosPolicy: (id) => network.checkQosPolicy(id),
    listVips: () => network.listVips(),
    listTagged: never,
    removeTagged: never,
  };
}
