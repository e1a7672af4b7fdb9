// Containers: secrets that belong together under names, a certificate with its key for one.
import * as z from 'zod';
import { ApiError } from '../domain/errors.ts';
import { type ContainerRow, containerTypes, placeOf } from '../domain/key-manager.ts';
import { timestamp } from '../domain/time.ts';
import { createContainer, deleteKept, listKept, readKept } from '../repositories/key-manager.ts';
import type { ApiRequest, ApiResponse, Routes } from '../runtime/http/request.ts';
import { changeable, ownerOf, readable } from './access.ts';
import { mismatch, optionalName, parsedBody } from './bodies.ts';
import { page } from './lists.ts';
import { containerConsumersOf } from './uses.ts';

/** A row holds all of them. */
const mostSecrets = 100;

const newContainer = z.object({
  name: optionalName,
  type: z.enum(containerTypes),
  secret_refs: z
    .array(z.object({ name: z.string().max(255).default(''), secret_ref: z.string().min(1).max(255) }))
    .max(mostSecrets)
    .default([]),
});
type NewContainer = z.infer<typeof newContainer>;

const namesOf: Record<ContainerRow['type'], { needed: string[]; allowed: string[] } | undefined> = {
  generic: undefined,
  rsa: {
    needed: ['public_key', 'private_key'],
    allowed: ['public_key', 'private_key', 'private_key_passphrase'],
  },
  certificate: {
    needed: ['certificate'],
    allowed: ['certificate', 'private_key', 'private_key_passphrase', 'intermediates'],
  },
};

/** @throws ApiError 400 */
function checkSecretRefs({ type, secret_refs }: NewContainer): void {
  const names = secret_refs.map(({ name }) => name);
  const refused = (reason: string) => mismatch('Container', reason, 'secret_refs');
  if (new Set(names).size < names.length) throw refused('Duplicate reference names are not allowed');
  const rule = namesOf[type];
  if (rule === undefined || names.length === 0) return;
  const title = type === 'rsa' ? 'RSA' : type;
  const other = names.filter((name) => !rule.allowed.includes(name));
  if (other.length > 0)
    throw refused(
      `only ${rule.allowed.map((name) => `'${name}'`).join(', ')} reference names are allowed for ${title} type`,
    );
  if (rule.needed.some((name) => !names.includes(name)))
    throw refused(
      `The minimum required reference names are ${rule.needed.map((name) => `'${name}'`).join(', ')} for ${title} type`,
    );
}

/** @throws ApiError 404 for a secret that is not there for the project */
async function checkSecrets({ services }: ApiRequest, projectId: string, { secret_refs }: NewContainer): Promise<void> {
  for (const { name, secret_ref } of secret_refs) {
    const place = placeOf(secret_ref);
    const row = place?.kind === 'secrets' ? await readKept(services.table, 'secrets', place.id) : undefined;
    if (row?.project_id !== projectId) throw new ApiError(404, `Secret provided for '${name}' doesn't exist.`);
  }
}

export const containerRefOf = (request: ApiRequest, id: string): string =>
  `${request.origin}/key-manager/v1/containers/${id}`;

async function create(request: ApiRequest): Promise<ApiResponse> {
  const { services } = request;
  const owner = ownerOf(request);
  const given = parsedBody(request, 'Container', newContainer);
  checkSecretRefs(given);
  await checkSecrets(request, owner.project_id, given);
  const now = timestamp(services.clock.now());
  const row = { id: services.newId(), ...owner, ...given, created_at: now, updated_at: now, acl: null, consumers: [] };
  await createContainer(services.table, row);
  const container_ref = containerRefOf(request, row.id);
  return { status: 201, headers: { location: container_ref }, body: { container_ref } };
}

/** With what uses it, Octavia's listeners and pools included. */
export const shownContainer = async (request: ApiRequest, row: ContainerRow) => ({
  name: row.name,
  type: row.type,
  status: 'ACTIVE',
  created: row.created_at,
  updated: row.updated_at,
  creator_id: row.creator_id,
  container_ref: containerRefOf(request, row.id),
  secret_refs: row.secret_refs,
  consumers: await containerConsumersOf(request, row),
});

async function show(request: ApiRequest): Promise<ApiResponse> {
  return { status: 200, body: await shownContainer(request, await readable(request, 'containers')) };
}

async function list(request: ApiRequest): Promise<ApiResponse> {
  const { project_id } = ownerOf(request);
  const [name, type] = [request.query.get('name'), request.query.get('type')];
  const rows = (await listKept(request.services.table, 'containers', project_id))
    .filter((row) => name === null || row.name === name)
    .filter((row) => type === null || row.type === type);
  const bodies = await Promise.all(rows.map((row) => shownContainer(request, row)));
  return { status: 200, body: page(request, 'containers', bodies) };
}

async function remove(request: ApiRequest): Promise<ApiResponse> {
  const { id } = await changeable(request, 'containers');
  await deleteKept(request.services.table, 'containers', id);
  return { status: 204 };
}

export const routes = {
  'GET /key-manager/v1/containers': list,
  'POST /key-manager/v1/containers': create,
  'GET /key-manager/v1/containers/{id}': show,
  'DELETE /key-manager/v1/containers/{id}': remove,
} satisfies Routes;
