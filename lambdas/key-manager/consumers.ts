// Consumers: who uses a secret or container. Whoever likes registers; listeners and pools that refer to it are there by themselves,
// as Octavia would have registered them.
import * as z from 'zod';
import { ApiError } from '../domain/errors.ts';
import { timestamp } from '../domain/time.ts';
import { changeKept } from '../repositories/key-manager.ts';
import type { ApiRequest, ApiResponse, Routes } from '../runtime/http/request.ts';
import { changeable, readable } from './access.ts';
import { parsedBody } from './bodies.ts';
import { shownContainer } from './containers.ts';
import { page } from './lists.ts';
import { consumersOf, containerConsumersOf } from './uses.ts';

/** A row holds all of them. */
const mostConsumers = 100;

const text = z.string().min(1).max(255);
const secretConsumer = z.object({ service: text, resource_type: text, resource_id: text });
const containerConsumer = z.object({ name: text, URL: z.string().min(1).max(500) });

const isSame = (a: object, b: object): boolean =>
  Object.entries(a).every(([name, value]) => (b as Record<string, unknown>)[name] === value);

/** Registering twice is registering once. @throws ApiError 400 */
function withOne<T extends object>(all: T[], one: T): T[] {
  const others = all.filter((other) => !isSame(one, other));
  if (others.length >= mostConsumers)
    throw new ApiError(400, `A secret or container has at most ${mostConsumers} consumers`);
  return [...others, one];
}

/** @throws ApiError 404 */
function withoutOne<T extends object>(all: T[], one: T): T[] {
  const others = all.filter((other) => !isSame(one, other));
  if (others.length === all.length) throw new ApiError(404, 'Consumer not found.');
  return others;
}

type Change = <T extends object>(all: T[], one: T) => T[];

const changeSecret =
  (change: Change) =>
  async (request: ApiRequest): Promise<ApiResponse> => {
    const { services } = request;
    const { id } = await changeable(request, 'secrets');
    const one = parsedBody(request, 'Secret Consumer', secretConsumer);
    const updated_at = timestamp(services.clock.now());
    const row = await changeKept(services, 'secrets', id, ({ consumers }) => ({
      ...{ consumers: change(consumers, one), updated_at },
    }));
    if (row === undefined) throw new ApiError(404, 'Secret not found.');
    const secret_ref = `${request.origin}/key-manager/v1/secrets/${id}`;
    const body = { name: row.name, status: 'ACTIVE', secret_ref, consumers: await consumersOf(request, row) };
    return { status: 200, body };
  };

const changeContainer =
  (change: Change) =>
  async (request: ApiRequest): Promise<ApiResponse> => {
    const { services } = request;
    const { id } = await changeable(request, 'containers');
    const one = parsedBody(request, 'Consumer', containerConsumer);
    const updated_at = timestamp(services.clock.now());
    const row = await changeKept(services, 'containers', id, ({ consumers }) => ({
      ...{ consumers: change(consumers, one), updated_at },
    }));
    if (row === undefined) throw new ApiError(404, 'Container not found.');
    return { status: 200, body: await shownContainer(request, row) };
  };

const listOfSecret = async (request: ApiRequest): Promise<ApiResponse> => {
  const row = await readable(request, 'secrets');
  const consumers = (await consumersOf(request, row)).map((one) => ({
    ...{ status: 'ACTIVE', created: row.created_at, updated: row.updated_at, ...one },
  }));
  return { status: 200, body: page(request, 'consumers', consumers) };
};

const listOfContainer = async (request: ApiRequest): Promise<ApiResponse> => {
  const row = await readable(request, 'containers');
  const consumers = (await containerConsumersOf(request, row)).map((one) => ({
    ...{ status: 'ACTIVE', created: row.created_at, updated: row.updated_at, ...one },
  }));
  return { status: 200, body: page(request, 'consumers', consumers) };
};

export const routes = {
  'GET /key-manager/v1/secrets/{id}/consumers': listOfSecret,
  'POST /key-manager/v1/secrets/{id}/consumers': changeSecret(withOne),
  'DELETE /key-manager/v1/secrets/{id}/consumers': changeSecret(withoutOne),
  'GET /key-manager/v1/containers/{id}/consumers': listOfContainer,
  'POST /key-manager/v1/containers/{id}/consumers': changeContainer(withOne),
  'DELETE /key-manager/v1/containers/{id}/consumers': changeContainer(withoutOne),
} satisfies Routes;
