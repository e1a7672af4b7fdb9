// The ports that hold VIPs.
import { ApiError } from '../domain/errors.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import { readAll } from '../repositories/trees.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import { filtered } from './filters.ts';

const shownPort = (row: LoadBalancerRow) => ({
  id: row.vip_port_id,
  name: `octavia-lb-${row.id}`,
  network_id: row.vip_network_id,
  project_id: row.project_id,
  tenant_id: row.project_id,
  status: 'ACTIVE',
  admin_state_up: row.admin_state_up,
  device_owner: 'Octavia',
  device_id: `lb-${row.id}`,
  fixed_ips: [{ subnet_id: row.vip_subnet_id, ip_address: row.vip_address }],
  security_groups: [],
  tags: [],
});

/** Those of the caller's project; all for an administrator. */
async function portsOf({ services, caller }: ApiRequest) {
  const isAdmin = caller?.roles.includes('admin') ?? false;
  const rows = await readAll<LoadBalancerRow>(
    services.table,
    'loadbalancer',
    isAdmin ? null : (caller?.project_id ?? ''),
  );
  return rows.map(shownPort);
}

async function show(request: ApiRequest): Promise<ApiResponse> {
  const port = (await portsOf(request)).find(({ id }) => id === param(request, 'id'));
  if (port === undefined) throw new ApiError(404, `Port ${param(request, 'id')} could not be found.`);
  return { status: 200, body: { port } };
}

export const routes = {
  'GET /network/v2.0/ports': async (request) => ({
    status: 200,
    body: { ports: filtered(request, await portsOf(request)) },
  }),
  'GET /network/v2.0/ports/{id}': show,
} satisfies Routes;
