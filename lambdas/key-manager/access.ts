// Finds what a request is about, and who may: Barbican's roles in the project, and the ACL a secret or container may have.
import { ApiError } from '../domain/errors.ts';
import type { ContainerRow, KeyManagerKind, SecretRow } from '../domain/key-manager.ts';
import { timestamp } from '../domain/time.ts';
import { readKept } from '../repositories/key-manager.ts';
import { type ApiRequest, param } from '../runtime/http/request.ts';

const verbs: Record<string, string> = { POST: 'creation', PUT: 'update', PATCH: 'update', DELETE: 'deletion' };

/** Barbican's name of what a route does, for the text of a 403. */
export function actionOf(route: string): string {
  const [method = '', path = ''] = route.split(' ');
  const noun = path.includes('/containers') ? 'Container' : 'Secret';
  const part = path.endsWith('/acl') ? 'ACL(s)' : path.endsWith('/consumers') ? 'Consumer(s)' : '';
  const payload = path.endsWith('/payload') ? ' payload' : '';
  return `${noun}${part}${payload} ${verbs[method] ?? 'retrieval'}`;
}

export const forbidden = (action: string) =>
  new ApiError(403, `${action} attempt not allowed - please review your user/project privileges`);

const titles = { secrets: 'Secret', containers: 'Container' };
const notFound = (kind: KeyManagerKind) => new ApiError(404, `${titles[kind]} not found.`);

type Rows = { secrets: SecretRow; containers: ContainerRow };

/** @throws ApiError 404, for a secret whose time is over as well */
async function found<K extends KeyManagerKind>(request: ApiRequest, kind: K): Promise<Rows[K]> {
  const id = param(request, 'id');
  const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id);
  const row = isId ? await readKept(request.services.table, kind, id.toLowerCase()) : undefined;
  if (row === undefined) throw notFound(kind);
  const expiration = 'expiration' in row ? row.expiration : null;
  if (expiration !== null && expiration <= timestamp(request.services.clock.now())) throw notFound(kind);
  return row;
}

/** To read: users the ACL names may, and when it says so nobody else but who made it. @throws ApiError 404, 403 */
export async function readable<K extends KeyManagerKind>(request: ApiRequest, kind: K): Promise<Rows[K]> {
  const row = await found(request, kind);
  const userId = request.caller?.user_id ?? '';
  if (row.acl?.users.includes(userId)) return row;
  request.authorize(row.project_id);
  const isPrivate = row.acl !== null && !row.acl.project_access;
  if (isPrivate && row.creator_id !== userId && !request.caller?.roles.includes('admin'))
    throw forbidden(actionOf(request.route));
  return row;
}

/** To change or delete. @throws ApiError 404, 403 */
export async function changeable<K extends KeyManagerKind>(request: ApiRequest, kind: K): Promise<Rows[K]> {
  const row = await found(request, kind);
  request.authorize(row.project_id);
  return row;
}

/** Whose what is made is. @throws ApiError 403 */
export function ownerOf(request: ApiRequest): { project_id: string; creator_id: string } {
  request.authorize(null);
  return { project_id: request.caller!.project_id!, creator_id: request.caller!.user_id };
}
