// The built-in identity service: Keystone's v3 API, as much of it as clients of a load balancer need to log in.
import { STATUS_CODES } from 'node:http';
import { ApiError } from '../domain/errors.ts';
import type { ApiRequest, Caller, Routes } from '../runtime/http/request.ts';
import { type HttpHandler, httpHandler, type Service } from '../runtime/http/stack.ts';
import type { Services } from '../runtime/services.ts';
import { routes as applicationCredentials } from './application-credentials.ts';
import { routes as auth } from './auth.ts';
import { routes as domains } from './domains.ts';
import { routes as projects } from './projects.ts';
import { routes as assignments } from './role-assignments.ts';
import { routes as roles } from './roles.ts';
import { routes as services } from './services.ts';
import { routes as users } from './users.ts';
import { routes as versions } from './versions.ts';

const routes: Routes = {
  ...versions,
  ...auth,
  ...domains,
  ...projects,
  ...users,
  ...applicationCredentials,
  ...roles,
  ...assignments,
  ...services,
};

const publicRoutes = new Set(['GET /identity', 'GET /identity/v3', 'POST /identity/v3/auth/tokens']);

const grants = '/identity/v3/projects/{project_id}/users/{user_id}/roles';
const credentials = '/identity/v3/users/{user_id}/application_credentials';
const ownPassword = /^POST \/identity\/v3\/users\/[^/]+\/password$/;

/** Names of Keystone's policies, for the text of a 403. Routes without one are for every caller. */
const actions: Partial<Record<string, string>> = {
  'GET /identity/v3/auth/tokens': 'identity:validate_token',
  'HEAD /identity/v3/auth/tokens': 'identity:check_token',
  'DELETE /identity/v3/auth/tokens': 'identity:revoke_token',
  'GET /identity/v3/projects/{project_id}': 'identity:get_project',
  'POST /identity/v3/projects': 'identity:create_project',
  'PATCH /identity/v3/projects/{project_id}': 'identity:update_project',
  'DELETE /identity/v3/projects/{project_id}': 'identity:delete_project',
  'GET /identity/v3/users': 'identity:list_users',
  'POST /identity/v3/users': 'identity:create_user',
  'GET /identity/v3/users/{user_id}': 'identity:get_user',
  'PATCH /identity/v3/users/{user_id}': 'identity:update_user',
  'DELETE /identity/v3/users/{user_id}': 'identity:delete_user',
  [`GET ${credentials}`]: 'identity:list_application_credentials',
  [`POST ${credentials}`]: 'identity:create_application_credential',
  [`GET ${credentials}/{application_credential_id}`]: 'identity:get_application_credential',
  [`DELETE ${credentials}/{application_credential_id}`]: 'identity:delete_application_credential',
  'GET /identity/v3/roles': 'identity:list_roles',
  'POST /identity/v3/roles': 'identity:create_role',
  'GET /identity/v3/roles/{role_id}': 'identity:get_role',
  'DELETE /identity/v3/roles/{role_id}': 'identity:delete_role',
  'GET /identity/v3/roles/{role_id}/implies': 'identity:list_implied_roles',
  'GET /identity/v3/role_inferences': 'identity:list_role_inference_rules',
  'GET /identity/v3/role_assignments': 'identity:list_role_assignments',
  'GET /identity/v3/services': 'identity:list_services',
  'GET /identity/v3/endpoints': 'identity:list_endpoints',
  [`GET ${grants}`]: 'identity:list_grants',
  [`GET ${grants}/{role_id}`]: 'identity:check_grant',
  [`HEAD ${grants}/{role_id}`]: 'identity:check_grant',
  [`PUT ${grants}/{role_id}`]: 'identity:create_grant',
  [`DELETE ${grants}/{role_id}`]: 'identity:revoke_grant',
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
  isPublic: (method, path) => publicRoutes.has(`${method} ${path}`) || ownPassword.test(`${method} ${path}`),
  authorize,
  fault,
};

export const identityHandler = (services: Services): HttpHandler => httpHandler(services, service);
