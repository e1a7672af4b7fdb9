// Barbican's lists: pages by offset and limit, the total beside them, oldest first.
import type { ApiRequest } from '../runtime/http/request.ts';

const mostPerPage = 100;
const perPage = 10;

/** Anything but a number in its bounds is as if it were not there, as in Barbican. */
function numberIn(request: ApiRequest, name: string, standard: number, most: number): number {
  const text = request.query.get(name) ?? '';
  return /^\d+$/.test(text) ? Math.min(Number(text), most) : standard;
}

export function page<T>(request: ApiRequest, collection: string, all: T[]): Record<string, unknown> {
  const limit = Math.max(1, numberIn(request, 'limit', perPage, mostPerPage));
  const offset = numberIn(request, 'offset', 0, Number.MAX_SAFE_INTEGER);
  const link = (at: number) => {
    const query = new URLSearchParams(request.query);
    query.set('limit', String(limit));
    query.set('offset', String(at));
    return `${request.origin}${request.path}?${query}`;
  };
  return {
    [collection]: all.slice(offset, offset + limit),
    total: all.length,
    ...(offset > 0 ? { previous: link(Math.max(0, offset - limit)) } : {}),
    ...(offset + limit < all.length ? { next: link(offset + limit) } : {}),
  };
}
