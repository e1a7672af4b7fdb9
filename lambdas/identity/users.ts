// /v3/users.
import { defaultDomainId, type UserRow } from '../domain/identity.ts';
import { timestamp } from '../domain/time.ts';
import { credentialsOfUser, removeCredential } from '../repositories/application-credentials.ts';
import { changePassword, createUser, findUser, listUsers, removeUser, updateUser } from '../repositories/identities.ts';
import { assignmentsOfUser, revokeRoles } from '../repositories/role-assignments.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import { tokensOf } from '../runtime/tokens/tokens.ts';
import { duplicate, listBody, missing, self } from './answers.ts';
import { parsed, passwordChange, userCreate, userUpdate } from './bodies.ts';
import { hashPassword, unfittable } from './passwords.ts';
import { byPassword } from './proofs.ts';
import { settled } from './writes.ts';

const userBody = (request: ApiRequest, user: UserRow) => {
  const { id, name, domain_id, enabled, description, email, default_project_id } = user;
  const optional = { description, email, default_project_id };
  const given = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined));
  const kept = { id, name, domain_id, enabled, password_expires_at: null, options: {} };
  return { ...kept, ...given, ...self(request, 'users', id) };
};

async function list(request: ApiRequest): Promise<ApiResponse> {
  request.authorize(null);
  const users = await listUsers(request.services.table);
  return listBody(
    request,
    'users',
    users.map((user) => userBody(request, user)),
  );
}

async function found(request: ApiRequest): Promise<UserRow> {
  const id = param(request, 'user_id');
  const user = await findUser(request.services.table, id);
  if (!user) throw missing('user', id);
  return user;
}

async function show(request: ApiRequest): Promise<ApiResponse> {
  if (param(request, 'user_id') !== request.caller!.user_id) request.authorize(null);
  return { status: 200, body: { user: userBody(request, await found(request)) } };
}

async function create(request: ApiRequest): Promise<ApiResponse> {
  request.authorize(null);
  const { table, clock, newId } = request.services;
  const { password, domain_id: _, ...attributes } = parsed(userCreate, request.body).user;
  const row: UserRow = {
    enabled: true,
    ...attributes,
    id: newId().replaceAll('-', ''),
    domain_id: defaultDomainId,
    created_at: timestamp(clock.now()),
    password: password ? await hashPassword(password) : unfittable,
    tokens_valid_from: 0,
  };
  if (!(await settled(request, () => createUser(table, row)))) throw duplicate('user', row.name);
  return { status: 201, body: { user: userBody(request, row) } };
}

async function update(request: ApiRequest): Promise<ApiResponse> {
  request.authorize(null);
  const { table, clock } = request.services;
  const before = await found(request);
  const { password, domain_id: _, ...attributes } = parsed(userUpdate, request.body).user;
  const isShutOut = attributes.enabled === false || password !== undefined;
  const set = {
    ...attributes,
    ...(password === undefined ? {} : { password: password ? await hashPassword(password) : unfittable }),
    ...(isShutOut ? { tokens_valid_from: clock.now() } : {}),
  };
  if (!(await settled(request, () => updateUser(table, before, set))))
    throw duplicate('user', attributes.name ?? before.name);
  tokensOf(request.services).forget();
  return { status: 200, body: { user: userBody(request, { ...before, ...set }) } };
}

async function remove(request: ApiRequest): Promise<ApiResponse> {
  request.authorize(null);
  const user = await found(request);
  const { table } = request.services;
  // First, so that who is interrupted here and tries again finds the user and what is left.
  await settled(request, async () => revokeRoles(table, await assignmentsOfUser(table, user.id)));
  for (const credential of await credentialsOfUser(table, user.id))
    await settled(request, () => removeCredential(table, credential));
  if (!(await settled(request, () => removeUser(table, user)))) throw missing('user', user.id);
  tokensOf(request.services).forget();
  return { status: 204 };
}

/** Everybody's own to do, token or not: it is the old password that lets one in. */
async function changeOwnPassword(request: ApiRequest): Promise<ApiResponse> {
  const { services } = request;
  const { password, original_password } = parsed(passwordChange, request.body).user;
  const id = await byPassword(services, { id: param(request, 'user_id'), password: original_password });
  const hash = await hashPassword(password);
  await settled(request, () => changePassword(services.table, id, hash, services.clock.now()));
  tokensOf(services).forget();
  return { status: 204 };
}

export const routes = {
  'GET /identity/v3/users': list,
  'POST /identity/v3/users': create,
  'GET /identity/v3/users/{user_id}': show,
  'PATCH /identity/v3/users/{user_id}': update,
  'DELETE /identity/v3/users/{user_id}': remove,
  'POST /identity/v3/users/{user_id}/password': changeOwnPassword,
} satisfies Routes;
