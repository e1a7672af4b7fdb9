// /v3/roles, and which role implies which.
import { impliedRole, type Role } from '../domain/identity.ts';
import { createRole, listRoles, removeRole } from '../repositories/identities.ts';
import { listAssignments, revokeRoles } from '../repositories/role-assignments.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import { tokensOf } from '../runtime/tokens/tokens.ts';
import { duplicate, listBody, missing, self } from './answers.ts';
import { parsed, roleCreate } from './bodies.ts';
import { settled } from './writes.ts';

export const roleBody = (request: ApiRequest, { id, name, description }: Role) => ({
  ...{ id, name, domain_id: null, description: description ?? null, options: {} },
  ...self(request, 'roles', id),
});

/** @throws ApiError 404 */
export async function foundRole(request: ApiRequest): Promise<Role> {
  const id = param(request, 'role_id');
  const role = (await listRoles(request.services.table)).find((one) => one.id === id);
  if (!role) throw missing('role', id);
  return role;
}

async function list(request: ApiRequest): Promise<ApiResponse> {
  request.authorize(null);
  const roles = await listRoles(request.services.table);
  return listBody(
    request,
    'roles',
    roles.map((role) => roleBody(request, role)),
  );
}

async function show(request: ApiRequest): Promise<ApiResponse> {
  request.authorize(null);
  return { status: 200, body: { role: roleBody(request, await foundRole(request)) } };
}

async function create(request: ApiRequest): Promise<ApiResponse> {
  request.authorize(null);
  const { table, newId } = request.services;
  const role: Role = { id: newId().replaceAll('-', ''), ...parsed(roleCreate, request.body).role };
  const isTaken = (await listRoles(table)).some(({ name }) => name === role.name);
  if (isTaken || !(await settled(request, () => createRole(table, role)))) throw duplicate('role', role.name);
  return { status: 201, body: { role: roleBody(request, role) } };
}

async function remove(request: ApiRequest): Promise<ApiResponse> {
  request.authorize(null);
  const role = await foundRole(request);
  const { table } = request.services;
  await settled(request, async () => {
    const granted = (await listAssignments(table)).filter(({ role_id }) => role_id === role.id);
    await revokeRoles(table, granted);
  });
  if (!(await settled(request, () => removeRole(table, role)))) throw missing('role', role.id);
  tokensOf(request.services).forget();
  return { status: 204 };
}

function inferenceOf(request: ApiRequest, roles: Role[], prior: Role) {
  const short = ({ id, name }: Role) => ({ id, name, ...self(request, 'roles', id) });
  const implied = roles.filter(({ name }) => name === impliedRole[prior.name]);
  return { prior_role: short(prior), implies: implied.map(short) };
}

async function listImplied(request: ApiRequest): Promise<ApiResponse> {
  request.authorize(null);
  const prior = await foundRole(request);
  const links = { self: `${request.origin}${request.path}` };
  const roles = await listRoles(request.services.table);
  return { status: 200, body: { role_inference: inferenceOf(request, roles, prior), links } };
}

async function listInferences(request: ApiRequest): Promise<ApiResponse> {
  request.authorize(null);
  const roles = await listRoles(request.services.table);
  const inferences = roles.map((role) => inferenceOf(request, roles, role));
  const links = { self: `${request.origin}${request.path}` };
  return { status: 200, body: { role_inferences: inferences.filter(({ implies }) => implies.length > 0), links } };
}

export const routes = {
  'GET /identity/v3/roles': list,
  'POST /identity/v3/roles': create,
  'GET /identity/v3/roles/{role_id}': show,
  'DELETE /identity/v3/roles/{role_id}': remove,
  'GET /identity/v3/roles/{role_id}/implies': listImplied,
  'GET /identity/v3/role_inferences': listInferences,
} satisfies Routes;
