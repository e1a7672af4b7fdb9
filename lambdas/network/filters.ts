// Neutron's lists: every query parameter that is not about paging or fields is a filter on an attribute.
import type { ApiRequest } from '../runtime/http/request.ts';

type Shown = Record<string, unknown>;

const paging = new Set(['limit', 'marker', 'page_reverse', 'sort_key', 'sort_dir', 'fields']);

/** Several values of one attribute are alternatives. Attributes nobody has are passed over, as Neutron's extensions come and go. */
export function filtered(request: ApiRequest, all: Shown[]): Shown[] {
  const names = [...new Set(request.query.keys())].filter((name) => !paging.has(name));
  const wanted = names.map(
    (name) => [name, new Set(request.query.getAll(name).map((value) => value.toLowerCase()))] as const,
  );
  const isWanted = (shown: Shown) =>
    wanted.every(([name, values]) => !(name in shown) || values.has(String(shown[name]).toLowerCase()));
  return all.filter(isWanted).map((shown) => withFields(request, shown));
}

function withFields(request: ApiRequest, shown: Shown): Shown {
  const fields = request.query.getAll('fields');
  return fields.length === 0 ? shown : Object.fromEntries(fields.map((name) => [name, shown[name] ?? null]));
}
