// The built-in identity service: Keystone's v3 API, as much of it as clients of a load balancer need to log in.
import { STATUS_CODES } from 'node:http';
import { ApiError } from '../domain/errors.ts';
import type { ApiRequest, Caller } from '../runtime/http/request.ts';
import { type HttpHandler, httpHandler, type Service } from '../runtime/http/stack.ts';
import type { Services } from '../runtime/services.ts';
import { routes as auth } from './auth.ts';
import { routes as projects } from './projects.ts';
import { routes as versions } from './versions.ts';

const routes = { ...versions, ...auth, ...projects };

const publicRoutes = new Set(['GET /identity', 'GET /identity/v3', 'POST /identity/v3/auth/tokens']);

/** Names of Keystone's policies, for the text of a 403. Routes without one are for every caller. */
const actions: Partial<Record<string, string>> = {
  'GET /identity/v3/auth/tokens': 'identity:validate_token',
  'HEAD /identity/v3/auth/tokens': 'identity:check_token',
  'DELETE /identity/v3/auth/tokens': 'identity:revoke_token',
  'GET /identity/v3/projects/{project_id}': 'identity:get_project',
  'GET /identity/v3/users/{user_id}': 'identity:get_user',
};

/** What is not the caller's own is for administrators; that a thing is the caller's own is seen by the route itself. */
function authorize({ route }: ApiRequest, { roles }: Caller): void {
  if (roles.includes('admin')) return;
  throw new ApiError(403, `You are not authorized to perform the requested action: ${actions[route] ?? route}.`);
}

/** Keystone's body of an error. */
function fault({ status, faultstring }: ApiError) {
  const body = { error: { code: status, message: faultstring, title: STATUS_CODES[status] ?? 'Error' } };
  return status === 401 ? { body, headers: { 'www-authenticate': 'Keystone uri="/identity"' } } : { body };
}

const service: Service = {
  routes,
  canonicalPath: (path) => path.replace(/(?<=[^/])\/+$/, ''),
  isPublic: (method, path) => publicRoutes.has(`${method} ${path}`),
  authorize,
  fault,
};

export const identityHandler = (services: Services): HttpHandler => httpHandler(services, service);
