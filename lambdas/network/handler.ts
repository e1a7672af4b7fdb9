// What clients of a load balancer ask Neutron: names and ids of networks, subnets and the ports of VIPs. Read from the network driver.
import { ApiError } from '../domain/errors.ts';
import type { ApiRequest, Caller, Routes } from '../runtime/http/request.ts';
import { type HttpHandler, httpHandler, type Service } from '../runtime/http/stack.ts';
import type { Services } from '../runtime/services.ts';
import { routes as networks } from './networks.ts';
import { routes as ports } from './ports.ts';
import { routes as versions } from './versions.ts';

const routes: Routes = { ...versions, ...networks, ...ports };

/** Networks are everybody's to see; whose ports are seen is for the route to say. */
function authorize(_request: ApiRequest, caller: Caller, projectId: string | null): void {
  if (caller.roles.includes('admin') || projectId === null || caller.project_id === projectId) return;
  throw new ApiError(403, 'rule:get_port is disallowed by policy');
}

const types: Record<number, string> = { 404: 'HTTPNotFound', 403: 'PolicyNotAuthorized', 401: 'Unauthorized' };

/** Neutron's body of an error. */
function fault({ status, faultstring }: ApiError) {
  const body = { NeutronError: { type: types[status] ?? 'NeutronError', message: faultstring, detail: '' } };
  return status === 401 ? { body, headers: { 'www-authenticate': 'Keystone uri="/identity"' } } : { body };
}

const service: Service = {
  routes,
  canonicalPath: (path) => path.replace(/(?<=[^/])\/+$/, '').replace(/\.json$/, ''),
  isPublic: (method, path) => method === 'GET' && (path === '/network' || path === '/network/v2.0'),
  authorize,
  fault,
};

export const networkHandler = (services: Services): HttpHandler => httpHandler(services, service);
