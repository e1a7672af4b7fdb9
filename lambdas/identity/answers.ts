// What Keystone's answers have in common: links, lists, filters, and the texts of its refusals.
import { ApiError } from '../domain/errors.ts';
import type { ApiRequest, ApiResponse } from '../runtime/http/request.ts';

export const missing = (kind: string, id: string) => new ApiError(404, `Could not find ${kind}: ${id}.`);

export const duplicate = (kind: string, name: string) =>
  new ApiError(
    409,
    `Conflict occurred attempting to store ${kind} - Duplicate entry found with name ${name} at domain ID default.`,
  );

export const self = ({ origin }: ApiRequest, plural: string, id: string) => ({
  links: { self: `${origin}/identity/v3/${plural}/${id}` },
});

/** Attributes clients look for by value; any other parameter is let be, as Keystone does. */
const isAskedFor = ({ query }: ApiRequest, row: Record<string, unknown>): boolean =>
  ['name', 'domain_id', 'enabled', 'type', 'interface', 'service_id'].every((filter) => {
    const wanted = query.get(filter);
    return wanted === null || row[filter] === undefined || String(row[filter]).toLowerCase() === wanted.toLowerCase();
  });

export const listBody = (request: ApiRequest, plural: string, bodies: object[]): ApiResponse => ({
  status: 200,
  body: {
    [plural]: bodies.filter((body) => isAskedFor(request, body as Record<string, unknown>)),
    links: { self: `${request.origin}${request.path}`, next: null, previous: null },
  },
});
