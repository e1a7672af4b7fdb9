// `Idempotency-Key` on a create, beyond Octavia: the same key of the same project on the same route is the same resource for a day,
// however often and however concurrently it is sent.
import { createHash } from 'node:crypto';
import { ApiError } from '../../domain/errors.ts';
import {
  abandonKey,
  type Claim,
  claimKey,
  finishKey,
  forgetKey,
  type KeyedRequest,
} from '../../repositories/idempotency.ts';
import type { ApiRequest, ApiResponse, RouteHandler, Routes } from '../../runtime/http/request.ts';

const keyCharacters = 255;
/** A request with a key that another one works on waits this long for its answer. */
const patienceMs = 10_000;
const pauseMs = 100;

/** The same for bodies that differ in the order of their keys alone. */
const canonical = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, one]) => [name, canonical(one)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
};

const digest = (...parts: unknown[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('hex');

/** @throws ApiError 400 */
function keyOf(request: ApiRequest): string | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (key === '' || key.length > keyCharacters)
    throw new ApiError(400, `Idempotency-Key must have 1 to ${keyCharacters} characters.`);
  return key;
}

/** @throws ApiError 422 for another request with the key, 409 when the first one does not end */
async function claimed(request: ApiRequest, name: string): Promise<Claim> {
  const { services } = request;
  const fingerprint = digest(request.route, request.params, canonical(request.body));
  const giveUpAt = services.clock.now() + patienceMs;
  for (;;) {
    const claim = await claimKey(services, name, fingerprint);
    if (claim !== undefined && claim.row.fingerprint !== fingerprint)
      throw new ApiError(422, 'Idempotency-Key was sent with another request before.');
    if (claim !== undefined && (claim.isMine || claim.row.state === 'done')) return claim;
    if (services.clock.now() >= giveUpAt)
      throw new ApiError(409, 'A request with this Idempotency-Key is still being worked on.');
    await services.clock.sleep(pauseMs);
  }
}

/** What a GET of the resource says, undefined when there is none. */
async function shown(request: ApiRequest, routes: Routes, id: string): Promise<ApiResponse | undefined> {
  const collection = request.route.replace('POST ', 'GET ');
  const route = Object.keys(routes).find(
    (one) => one.startsWith(`${collection}/{`) && one.lastIndexOf('/') === collection.length,
  );
  const handler = routes[route as keyof Routes];
  const parameter = route?.match(/\{(\w+)\}$/)?.[1];
  if (handler === undefined || parameter === undefined) return undefined;
  try {
    const params = { ...request.params, [parameter]: id };
    return await handler({ ...request, params, query: new URLSearchParams() });
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** The first answer again; a larger one than is kept is read anew. @throws ApiError 403, 404 */
async function replayed(request: ApiRequest, routes: Routes, row: KeyedRequest): Promise<ApiResponse> {
  request.authorize(row.project_id ?? request.caller?.project_id ?? null);
  const body = row.body === undefined ? (await shown(request, routes, row.resource_id))?.body : JSON.parse(row.body);
  if (body === undefined) throw new ApiError(404, `What this Idempotency-Key made, ${row.resource_id}, is gone.`);
  return { status: row.status ?? 201, body, headers: { 'idempotency-replayed': 'true' } };
}

const projectOf = (body: unknown): string | undefined => {
  const [root] = Object.values((body ?? {}) as Record<string, { project_id?: string } | null>);
  return root?.project_id;
};

/** The first id the handler asks for is the one that was written down: every create mints its resource's first. */
function withFirstId(request: ApiRequest, id: string): ApiRequest {
  const { newId } = request.services;
  let isFirst = true;
  const first = () => {
    if (!isFirst) return newId();
    isFirst = false;
    return id;
  };
  return { ...request, services: { ...request.services, newId: first } };
}

const isRefusal = (error: unknown): boolean => error instanceof ApiError && error.status < 500;

async function worked(
  request: ApiRequest,
  routes: Routes,
  handler: RouteHandler,
  name: string,
  { row, isResumed }: Claim & { isMine: true },
): Promise<ApiResponse> {
  const { services } = request;
  try {
    const made = isResumed ? await shown(request, routes, row.resource_id) : undefined;
    const answer = made ? { ...made, status: 201 } : await handler(withFirstId(request, row.resource_id));
    const body = JSON.stringify(answer.body ?? null);
    await finishKey(services, name, row.attempt, { status: answer.status, body, project_id: projectOf(answer.body) });
    return answer;
  } catch (error) {
    await (isRefusal(error) ? forgetKey : abandonKey)(services, name, row.attempt);
    throw error;
  }
}

/** @param routes where what was made is shown */
export const idempotent =
  (handler: RouteHandler, routes: Routes): RouteHandler =>
  async (request) => {
    const key = keyOf(request);
    if (key === undefined) return handler(request);
    const whose = request.caller?.project_id ?? request.caller?.user_id ?? '';
    const name = digest(whose, request.route, request.params, key);
    const claim = await claimed(request, name);
    return claim.isMine ? worked(request, routes, handler, name, claim) : replayed(request, routes, claim.row);
  };
