// Networks and subnets VIPs can be in, and the QoS policies of VIPs: none, but clients ask before they say so.
import { ApiError } from '../domain/errors.ts';
import type { Subnet } from '../drivers/network/network-driver.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import { filtered } from './filters.ts';

const shownSubnet = ({ id, name, network_id, cidr, ip_version }: Subnet) => ({
  id,
  name,
  network_id,
  cidr,
  ip_version,
  enable_dhcp: false,
  gateway_ip: null,
  allocation_pools: [],
  dns_nameservers: [],
  host_routes: [],
  tags: [],
});

const shownNetwork = (subnets: Subnet[]) => ({
  id: subnets[0]!.network_id,
  name: subnets[0]!.network_name,
  status: 'ACTIVE',
  admin_state_up: true,
  shared: true,
  'router:external': false,
  subnets: subnets.map(({ id }) => id),
  tags: [],
});

async function networksOf({ services }: ApiRequest) {
  const byNetwork = Map.groupBy(await services.network.listSubnets(), (subnet) => subnet.network_id);
  return [...byNetwork.values()].map(shownNetwork);
}

const subnetsOf = async ({ services }: ApiRequest) => (await services.network.listSubnets()).map(shownSubnet);

function oneOf<T extends { id: string }>(all: T[], noun: string, id: string): T {
  const found = all.find((one) => one.id === id);
  if (found === undefined) throw new ApiError(404, `${noun} ${id} could not be found.`);
  return found;
}

const ok = (body: unknown): ApiResponse => ({ status: 200, body });

export const routes = {
  'GET /network/v2.0/networks': async (request) => ok({ networks: filtered(request, await networksOf(request)) }),
  'GET /network/v2.0/networks/{id}': async (request) =>
    ok({ network: oneOf(await networksOf(request), 'Network', param(request, 'id')) }),
  'GET /network/v2.0/subnets': async (request) => ok({ subnets: filtered(request, await subnetsOf(request)) }),
  'GET /network/v2.0/subnets/{id}': async (request) =>
    ok({ subnet: oneOf(await subnetsOf(request), 'Subnet', param(request, 'id')) }),
  'GET /network/v2.0/qos/policies': async () => ok({ policies: [] }),
} satisfies Routes;
