// The built-in key manager: of Barbican's API what certificates of load balancers take, secrets, containers, their ACLs and consumers.
import { STATUS_CODES } from 'node:http';
import type { ApiError } from '../domain/errors.ts';
import type { ApiRequest, Caller, Routes } from '../runtime/http/request.ts';
import { type HttpHandler, httpHandler, type Service } from '../runtime/http/stack.ts';
import type { Services } from '../runtime/services.ts';
import { actionOf, forbidden } from './access.ts';
import { routes as acls } from './acls.ts';
import { routes as consumers } from './consumers.ts';
import { routes as containers } from './containers.ts';
import { routes as secrets } from './secrets.ts';
import { routes as versions } from './versions.ts';

export const routes: Routes = { ...versions, ...secrets, ...containers, ...acls, ...consumers };

const writers = ['admin', 'creator', 'member'];
const readers = [...writers, 'observer', 'reader', 'audit'];
/** Whoever audits sees what there is, and no payload. */
const payloadReaders = [...writers, 'observer'];

function rolesFor(route: string): string[] {
  if (route.endsWith('/payload')) return payloadReaders;
  return route.startsWith('GET ') ? readers : writers;
}

/** Barbican's default policies: by role in the project a thing belongs to, administrators included. */
function authorize({ route }: ApiRequest, { roles, project_id }: Caller, projectId: string | null): void {
  const isOwn = project_id !== null && (projectId === null || projectId === project_id);
  if (!isOwn || !roles.some((role) => rolesFor(route).includes(role))) throw forbidden(actionOf(route));
}

/** Barbican's body of an error. */
function fault({ status, faultstring }: ApiError) {
  const body = { code: status, title: STATUS_CODES[status] ?? 'Error', description: faultstring };
  return status === 401 ? { body, headers: { 'www-authenticate': 'Keystone uri="/identity"' } } : { body };
}

const service: Service = {
  routes,
  canonicalPath: (path) => path.replace(/(?<=[^/])\/+$/, ''),
  isPublic: (method, path) => method === 'GET' && (path === '/key-manager' || path === '/key-manager/v1'),
  takesBytes: (headers) => !/^application\/json\b/.test(headers['content-type'] ?? 'application/json'),
  authorize,
  fault,
};

export const keyManagerHandler = (services: Services): HttpHandler => httpHandler(services, service);
