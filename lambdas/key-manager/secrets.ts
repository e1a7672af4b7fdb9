// Secrets: what is kept, and what is told of it. A payload is given once, with the secret or after it.
import * as z from 'zod';
import { ApiError } from '../domain/errors.ts';
import { type SecretRow, secretTypes } from '../domain/key-manager.ts';
import { timestamp } from '../domain/time.ts';
import { addPayload, createSecret, deleteKept, listKept, readSealedPayload } from '../repositories/key-manager.ts';
import type { ApiRequest, ApiResponse, Routes } from '../runtime/http/request.ts';
import { changeable, ownerOf, readable } from './access.ts';
import { mismatch, optionalName, parsedBody } from './bodies.ts';
import { page } from './lists.ts';
import { bodyPayload, inlinePayload, opened, refuseOther, sealed } from './payloads.ts';
import { consumersOf } from './uses.ts';

const text = z.string().max(255).nullish();
const newSecret = z.object({
  name: optionalName,
  secret_type: z.enum(secretTypes).default('opaque'),
  algorithm: text,
  mode: text,
  bit_length: z.number().int().min(1).max(32_767).nullish(),
  expiration: text,
  payload: z.string().nullish(),
  payload_content_type: text,
  payload_content_encoding: text,
});

export const refOf = (request: ApiRequest, id: string): string => `${request.origin}/key-manager/v1/secrets/${id}`;

/** @throws ApiError 400 */
function expirationOf(given: string | null | undefined, now: number): string | null {
  if (given === null || given === undefined || given.trim() === '') return null;
  const at = Date.parse(/([zZ]|[+-]\d\d:?\d\d)$/.test(given) ? given : `${given}Z`);
  if (Number.isNaN(at)) throw mismatch('Secret', "Invalid date for 'expiration'", 'expiration');
  if (at <= now) throw mismatch('Secret', "'expiration' is before current time", 'expiration');
  return timestamp(at);
}

async function create(request: ApiRequest): Promise<ApiResponse> {
  const { services } = request;
  const owner = ownerOf(request);
  const given = parsedBody(request, 'Secret', newSecret);
  const payload = inlinePayload(given);
  const now = timestamp(services.clock.now());
  const row: SecretRow = {
    ...{ id: services.newId(), ...owner, name: given.name, secret_type: given.secret_type },
    ...{ algorithm: given.algorithm ?? null, mode: given.mode ?? null, bit_length: given.bit_length ?? null },
    ...{ created_at: now, updated_at: now, expiration: expirationOf(given.expiration, services.clock.now()) },
    ...{ content_type: payload?.content_type ?? null, acl: null, consumers: [] },
  };
  await createSecret(services.table, row, payload ? sealed(services, row.id, payload) : null);
  const secret_ref = refOf(request, row.id);
  return { status: 201, headers: { location: secret_ref }, body: { secret_ref } };
}

const shown = (request: ApiRequest, row: SecretRow) => ({
  name: row.name ?? row.id,
  status: 'ACTIVE',
  created: row.created_at,
  updated: row.updated_at,
  expiration: row.expiration,
  secret_type: row.secret_type,
  algorithm: row.algorithm,
  bit_length: row.bit_length,
  mode: row.mode,
  creator_id: row.creator_id,
  secret_ref: refOf(request, row.id),
  ...(row.content_type === null ? {} : { content_types: { default: row.content_type } }),
});

/** Older clients ask for a payload where its secret is, by what they accept. */
async function show(request: ApiRequest): Promise<ApiResponse> {
  if (/^(text\/plain|application\/octet-stream)\b/.test(request.headers['accept'] ?? '')) return payload(request);
  const row = await readable(request, 'secrets');
  return { status: 200, body: { ...shown(request, row), consumers: await consumersOf(request, row) } };
}

/** What a client may ask by: the parameter, and the attribute it is compared with. */
const filters = {
  name: 'name',
  alg: 'algorithm',
  mode: 'mode',
  bits: 'bit_length',
  secret_type: 'secret_type',
} as const;

async function list(request: ApiRequest): Promise<ApiResponse> {
  const { project_id } = ownerOf(request);
  const now = timestamp(request.services.clock.now());
  const asked = Object.entries(filters).filter(([name]) => request.query.get(name));
  const rows = (await listKept(request.services.table, 'secrets', project_id))
    .filter(({ expiration }) => expiration === null || expiration > now)
    .filter((row) => asked.every(([name, attribute]) => String(row[attribute]) === request.query.get(name)));
  return {
    status: 200,
    body: page(
      request,
      'secrets',
      rows.map((row) => shown(request, row)),
    ),
  };
}

async function payload(request: ApiRequest): Promise<ApiResponse> {
  const { services } = request;
  const row = await readable(request, 'secrets');
  const kept = await readSealedPayload(services.table, row.id);
  if (row.content_type === null || kept === undefined)
    throw new ApiError(404, 'Not Found. Sorry but your secret has no payload.');
  refuseOther(row.content_type, request.headers['accept']);
  return { status: 200, headers: { 'content-type': row.content_type }, bytes: opened(services, row.id, kept) };
}

async function putPayload(request: ApiRequest): Promise<ApiResponse> {
  const { services } = request;
  const row = await changeable(request, 'secrets');
  const given = bodyPayload(request.body, request.headers);
  const set = { content_type: given.content_type, updated_at: timestamp(services.clock.now()) };
  const isAdded =
    row.content_type === null && (await addPayload(services.table, row, set, sealed(services, row.id, given)));
  if (!isAdded) throw new ApiError(409, 'Secret already has data, cannot modify it.');
  return { status: 204 };
}

/** As Barbican does it: consumers are shown to whoever deletes, and do not stop it. */
async function remove(request: ApiRequest): Promise<ApiResponse> {
  const { id } = await changeable(request, 'secrets');
  await deleteKept(request.services.table, 'secrets', id);
  return { status: 204 };
}

export const routes = {
  'GET /key-manager/v1/secrets': list,
  'POST /key-manager/v1/secrets': create,
  'GET /key-manager/v1/secrets/{id}': show,
  'GET /key-manager/v1/secrets/{id}/payload': payload,
  'PUT /key-manager/v1/secrets/{id}': putPayload,
  'DELETE /key-manager/v1/secrets/{id}': remove,
} satisfies Routes;
