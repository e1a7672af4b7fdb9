// /v3/auth: logging in, looking at a token, ending it, and what a token opens.
import { ApiError } from '../domain/errors.ts';
import { type DomainRow, defaultDomainId } from '../domain/identity.ts';
import { timestamp } from '../domain/time.ts';
import { findDomain, readRegion } from '../repositories/identities.ts';
import type { ApiRequest, ApiResponse, Routes } from '../runtime/http/request.ts';
import { tokensOf, type ValidToken } from '../runtime/tokens/tokens.ts';
import { parseAuthRequest } from './auth-request.ts';
import { type Catalog, catalogOf } from './catalog.ts';
import { login } from './login.ts';

const catalogFor = async ({ services, origin }: ApiRequest): Promise<Catalog> =>
  catalogOf(origin, await readRegion(services.table));

/** A token's times are whole seconds; Keystone writes microseconds and the zone all the same. */
const keystoneTime = (seconds: number): string => `${timestamp(seconds * 1000)}Z`;

const scoped = ({ project, roles }: ValidToken, domain: object, catalog: Catalog | undefined) =>
  project && {
    is_domain: false,
    project: { id: project.id, name: project.name, domain },
    roles: roles.map(({ id, name }) => ({ id, name })),
    ...(catalog ? { catalog } : {}),
  };

function tokenBody(valid: ValidToken, inDomain: DomainRow | undefined, catalog: Catalog | undefined) {
  const { claims, user } = valid;
  const domain = { id: user.domain_id, name: inDomain?.name ?? user.domain_id };
  return {
    token: {
      methods: claims.methods,
      user: { id: user.id, name: user.name, domain, password_expires_at: null },
      ...(claims.application_credential_id === undefined
        ? {}
        : { application_credential: { id: claims.application_credential_id } }),
      audit_ids: claims.parent_audit_id ? [claims.audit_id, claims.parent_audit_id] : [claims.audit_id],
      issued_at: keystoneTime(claims.issued_at),
      expires_at: keystoneTime(claims.expires_at),
      ...scoped(valid, domain, catalog),
    },
  };
}

async function told(request: ApiRequest, status: number, token: string, valid: ValidToken): Promise<ApiResponse> {
  const wantsCatalog = valid.project !== null && !request.query.has('nocatalog');
  const [domain, catalog] = await Promise.all([
    findDomain(request.services.table, defaultDomainId),
    wantsCatalog ? catalogFor(request) : undefined,
  ]);
  const headers = { 'x-subject-token': token, vary: 'X-Auth-Token' };
  return { status, headers, body: tokenBody(valid, domain, catalog) };
}

async function create(request: ApiRequest): Promise<ApiResponse> {
  const valid = await login(request.services, parseAuthRequest(request.body));
  return told(request, 201, await tokensOf(request.services).sign(valid.claims), valid);
}

/** @throws ApiError 404 for a token that does not hold, 403 for one of somebody else */
async function subjectOf(request: ApiRequest): Promise<{ token: string; valid: ValidToken }> {
  const token = request.headers['x-subject-token'] ?? '';
  const valid = await tokensOf(request.services).validate(token);
  if (!valid) throw new ApiError(404, 'Failed to validate token');
  if (valid.user.id !== request.caller?.user_id) request.authorize(null);
  return { token, valid };
}

async function show(request: ApiRequest): Promise<ApiResponse> {
  const { token, valid } = await subjectOf(request);
  return told(request, 200, token, valid);
}

async function check(request: ApiRequest): Promise<ApiResponse> {
  const { token } = await subjectOf(request);
  return { status: 200, headers: { 'x-subject-token': token, vary: 'X-Auth-Token' } };
}

async function remove(request: ApiRequest): Promise<ApiResponse> {
  const { token, valid } = await subjectOf(request);
  await tokensOf(request.services).revoke(token, valid);
  return { status: 204 };
}

async function catalog(request: ApiRequest): Promise<ApiResponse> {
  if (request.caller?.project_id === null)
    throw new ApiError(403, 'A project-scoped token is required to produce a service catalog.');
  const self = `${request.origin}/identity/v3/auth/catalog`;
  return { status: 200, body: { catalog: await catalogFor(request), links: { self } } };
}

export const routes = {
  'POST /identity/v3/auth/tokens': create,
  'GET /identity/v3/auth/tokens': show,
  'HEAD /identity/v3/auth/tokens': check,
  'DELETE /identity/v3/auth/tokens': remove,
  'GET /identity/v3/auth/catalog': catalog,
} satisfies Routes;
