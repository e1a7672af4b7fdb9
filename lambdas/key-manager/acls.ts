// ACLs: users who may read a secret or container beside its project, or in its place. Octavia's guide has users grant its service
// user; a load balancer here reads what is of its own project without being granted anything.
import * as z from 'zod';
import { ApiError } from '../domain/errors.ts';
import type { KeyManagerKind, ReadAcl } from '../domain/key-manager.ts';
import { timestamp } from '../domain/time.ts';
import { changeKept } from '../repositories/key-manager.ts';
import type { ApiRequest, ApiResponse, RouteHandler, Routes } from '../runtime/http/request.ts';
import { changeable } from './access.ts';
import { parsedBody } from './bodies.ts';

const mostUsers = 100;

const newAcl = z.object({
  read: z.object({
    users: z.array(z.string().min(1).max(255)).max(mostUsers).optional(),
    'project-access': z.boolean().optional(),
  }),
});

const show =
  (kind: KeyManagerKind): RouteHandler =>
  async (request): Promise<ApiResponse> => {
    const { acl } = await changeable(request, kind);
    if (acl === null) return { status: 200, body: { read: { 'project-access': true } } };
    const { users, project_access, created_at: created, updated_at: updated } = acl;
    return { status: 200, body: { read: { 'project-access': project_access, users, created, updated } } };
  };

async function write(
  request: ApiRequest,
  kind: KeyManagerKind,
  decide: (before: ReadAcl | null, now: string) => ReadAcl | null,
): Promise<string> {
  const { id } = await changeable(request, kind);
  const now = timestamp(request.services.clock.now());
  const row = await changeKept(request.services, kind, id, ({ acl }) => ({ acl: decide(acl, now) }));
  if (row === undefined) throw new ApiError(404, `${kind === 'secrets' ? 'Secret' : 'Container'} not found.`);
  return `${request.origin}/key-manager/v1/${kind}/${id}/acl`;
}

/** PUT and POST replace it; PATCH leaves what it does not name. */
const set =
  (kind: KeyManagerKind, isPatch: boolean): RouteHandler =>
  async (request) => {
    const { read } = parsedBody(request, 'ACL', newAcl);
    const acl_ref = await write(request, kind, (before, now) => {
      const kept = isPatch ? before : null;
      return {
        users: read.users ?? kept?.users ?? [],
        project_access: read['project-access'] ?? kept?.project_access ?? true,
        created_at: before?.created_at ?? now,
        updated_at: now,
      };
    });
    return { status: 200, body: { acl_ref } };
  };

const remove =
  (kind: KeyManagerKind): RouteHandler =>
  async (request) => {
    await write(request, kind, () => null);
    return { status: 200 };
  };

export const routes = {
  'GET /key-manager/v1/secrets/{id}/acl': show('secrets'),
  'PUT /key-manager/v1/secrets/{id}/acl': set('secrets', false),
  'POST /key-manager/v1/secrets/{id}/acl': set('secrets', false),
  'PATCH /key-manager/v1/secrets/{id}/acl': set('secrets', true),
  'DELETE /key-manager/v1/secrets/{id}/acl': remove('secrets'),
  'GET /key-manager/v1/containers/{id}/acl': show('containers'),
  'PUT /key-manager/v1/containers/{id}/acl': set('containers', false),
  'POST /key-manager/v1/containers/{id}/acl': set('containers', false),
  'PATCH /key-manager/v1/containers/{id}/acl': set('containers', true),
  'DELETE /key-manager/v1/containers/{id}/acl': remove('containers'),
} satisfies Routes;
