// /v3/users/{user_id}/application_credentials: secrets that programs log in with instead of their user's password.
import { randomBytes } from 'node:crypto';
import { ApiError } from '../domain/errors.ts';
import type { ApplicationCredentialRow, Role } from '../domain/identity.ts';
import { timestamp } from '../domain/time.ts';
import { createCredential, credentialsOfUser, removeCredential } from '../repositories/application-credentials.ts';
import { listRoles } from '../repositories/identities.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import { tokensOf, type ValidToken } from '../runtime/tokens/tokens.ts';
import { duplicate, listBody, missing, self } from './answers.ts';
import { malformed } from './auth-request.ts';
import { credentialCreate, parsed } from './bodies.ts';
import { hashPassword } from './passwords.ts';
import { settled } from './writes.ts';

const forbidden = (why: string) => new ApiError(403, `You are not authorized to perform the requested action: ${why}.`);

function credentialBody(request: ApiRequest, row: ApplicationCredentialRow, roles: Role[]) {
  const { id, name, description, user_id, project_id, unrestricted, expires_at } = row;
  return {
    ...{ id, name, description, user_id, project_id, unrestricted, system: null },
    expires_at: expires_at === null ? null : timestamp(expires_at),
    roles: roles.filter((role) => row.role_ids.includes(role.id)).map((role) => ({ ...role, domain_id: null })),
    ...self(request, `users/${user_id}/application_credentials`, id),
  };
}

/** The user in the path: the caller, or anybody for an administrator. */
function owner(request: ApiRequest): string {
  const id = param(request, 'user_id');
  if (id !== request.caller!.user_id) request.authorize(null);
  return id;
}

async function list(request: ApiRequest): Promise<ApiResponse> {
  const { table } = request.services;
  const [rows, roles] = await Promise.all([credentialsOfUser(table, owner(request)), listRoles(table)]);
  return listBody(
    request,
    'application_credentials',
    rows.map((row) => credentialBody(request, row, roles)),
  );
}

async function found(request: ApiRequest): Promise<ApplicationCredentialRow> {
  const id = param(request, 'application_credential_id');
  const rows = await credentialsOfUser(request.services.table, owner(request));
  const row = rows.find((one) => one.id === id);
  if (!row) throw missing('application credential', id);
  return row;
}

async function show(request: ApiRequest): Promise<ApiResponse> {
  const row = await found(request);
  const roles = await listRoles(request.services.table);
  return { status: 200, body: { application_credential: credentialBody(request, row, roles) } };
}

/** The caller's token, which must not be one of a restricted credential. @throws ApiError 403 */
async function unrestrictedToken(request: ApiRequest): Promise<ValidToken> {
  const token = await tokensOf(request.services).validate(request.headers['x-auth-token'] ?? '');
  const id = token?.claims.application_credential_id;
  const credentials = id === undefined ? [] : await credentialsOfUser(request.services.table, token!.user.id);
  const isRestricted = id !== undefined && !credentials.find((one) => one.id === id)?.unrestricted;
  if (!token || isRestricted) throw forbidden('manage application credentials with a restricted one');
  return token;
}

/** All of the caller's on the project, or those named. @throws ApiError 400 for one the caller does not have */
function chosenRoles(mine: Role[], wishes: ({ id: string } | { name: string })[] | undefined): string[] {
  if (wishes === undefined || wishes.length === 0) return mine.map(({ id }) => id);
  return wishes.map((wish) => {
    const role = mine.find((one) => ('id' in wish ? one.id === wish.id : one.name === wish.name));
    if (!role) throw malformed('application_credential/roles', 'has a role that you do not have');
    return role.id;
  });
}

/** @param text a time, in UTC unless it says otherwise @returns milliseconds since the epoch */
function expiryOf(text: string | null | undefined, now: number): number | null {
  if (text === null || text === undefined) return null;
  const at = Date.parse(/[Zz]$|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`);
  if (!(at > now)) throw malformed('application_credential/expires_at', 'must lie ahead');
  return at;
}

async function create(request: ApiRequest): Promise<ApiResponse> {
  const { table, clock, newId } = request.services;
  // For oneself alone: what it lets in is its user.
  if (param(request, 'user_id') !== request.caller!.user_id) throw forbidden('identity:create_application_credential');
  const token = await unrestrictedToken(request);
  if (token.project === null) throw forbidden('create an application credential without a project');
  const given = parsed(credentialCreate, request.body).application_credential;
  const secret = given.secret ?? randomBytes(64).toString('base64url');
  const row: ApplicationCredentialRow = {
    id: newId().replaceAll('-', ''),
    name: given.name,
    description: given.description ?? null,
    user_id: token.user.id,
    project_id: token.project.id,
    role_ids: chosenRoles(token.roles, given.roles),
    unrestricted: given.unrestricted ?? false,
    expires_at: expiryOf(given.expires_at, clock.now()),
    created_at: timestamp(clock.now()),
    secret: await hashPassword(secret),
  };
  if (!(await settled(request, () => createCredential(table, row))))
    throw duplicate('application_credential', row.name);
  const body = credentialBody(request, row, token.roles);
  // The only time that it is told.
  return { status: 201, body: { application_credential: { ...body, secret } } };
}

async function remove(request: ApiRequest): Promise<ApiResponse> {
  const row = await found(request);
  await unrestrictedToken(request);
  const isRemoved = await settled(request, () => removeCredential(request.services.table, row));
  if (!isRemoved) throw missing('application credential', row.id);
  tokensOf(request.services).forget();
  return { status: 204 };
}

export const routes = {
  'GET /identity/v3/users/{user_id}/application_credentials': list,
  'POST /identity/v3/users/{user_id}/application_credentials': create,
  'GET /identity/v3/users/{user_id}/application_credentials/{application_credential_id}': show,
  'DELETE /identity/v3/users/{user_id}/application_credentials/{application_credential_id}': remove,
} satisfies Routes;
