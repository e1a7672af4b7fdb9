// What the query of a list asks for: filters, order, page. Octavia's API and database have two spellings of some attributes, and
// lists know both.
import { ApiError } from '../../domain/errors.ts';
import type { ApiRequest } from '../../runtime/http/request.ts';

export type ValueOf<R> = (row: R, name: string) => unknown;

export interface Order {
  key: string;
  isDescending: boolean;
}

export interface ListQuery {
  /** Infinity: no page. */
  limit: number;
  orders: Order[];
  /** Oldest first: the order of the table's own indexes. */
  isByAge: boolean;
  /** Attribute in the API's spelling, and the value it is to have. */
  filters: Map<string, string>;
  /** Without filters every row is kept. */
  isFiltered: boolean;
  marker: string | null;
  /** Rows before the marker, but still in the same order and from its beginning: as Octavia does. */
  isReverse: boolean;
  keeps<R>(row: R, read: ValueOf<R>): boolean;
}

const tagNames = ['tags', 'tags-any', 'not-tags', 'not-tags-any'] as const;
const pageNames = ['limit', 'marker', 'page_reverse', 'sort', 'sort_key', 'sort_dir', 'fields', 'project_id'] as const;
const reserved = new Set<string>([...tagNames, ...pageNames]);

/** Names of columns in Octavia's database; which attribute one stands for depends on the resource. */
const columns: Record<string, string[]> = {
  enabled: ['admin_state_up'],
  load_balancer_id: ['loadbalancer_id'],
  ip_address: ['address'],
  rise_threshold: ['max_retries'],
  fall_threshold: ['max_retries_down'],
  tls_certificate_id: ['default_tls_container_ref', 'tls_container_ref'],
  client_ca_tls_certificate_id: ['client_ca_tls_container_ref'],
  client_crl_container_id: ['client_crl_container_ref'],
  ca_tls_certificate_id: ['ca_tls_container_ref'],
  crl_container_id: ['crl_container_ref'],
};

/** The attribute a name in a query means; undefined when the resource has none. */
const attributeOf = (name: string, known: ReadonlySet<string>): string | undefined =>
  known.has(name) ? name : columns[name]?.find((one) => known.has(one));

const words = (values: string[]): string[] => values.flatMap((value) => value.split(',')).filter(Boolean);

export const asBoolean = (text: string): boolean =>
  ['true', 't', 'yes', 'y', 'on', '1'].includes(text.trim().toLowerCase());

function matches(value: unknown, wanted: string): boolean {
  if (typeof value === 'boolean') return value === asBoolean(wanted);
  return value !== null && value !== undefined && String(value) === wanted;
}

function filtersOf(query: URLSearchParams, known: ReadonlySet<string>): Map<string, string> {
  const filters = new Map<string, string>();
  for (const [name, value] of query) {
    if (reserved.has(name)) continue;
    const attribute = attributeOf(name, known);
    // The same attribute twice, in whatever spellings, has no answer that would be right.
    if (attribute === undefined || filters.has(attribute))
      throw new ApiError(400, 'One or more arguments are either duplicate or invalid');
    filters.set(attribute, value);
  }
  return filters;
}

function tagFilter(query: URLSearchParams): ((tags: readonly string[]) => boolean) | undefined {
  const [all, any, notAll, notAny] = tagNames.map((name) => words(query.getAll(name))) as [
    string[],
    string[],
    string[],
    string[],
  ];
  if (all.length + any.length + notAll.length + notAny.length === 0) return undefined;
  return (tags) => {
    const has = (tag: string) => tags.includes(tag);
    const isExcluded = notAny.some(has) || (notAll.length > 0 && notAll.every(has));
    return all.every(has) && (any.length === 0 || any.some(has)) && !isExcluded;
  };
}

/** Told before the resource is reached, and so in the other shape of faults. */
const refused = (what: string, value: string) =>
  new ApiError(400, `Supplied ${what} '${value}' is not valid.`, { shape: 'http' });

/** `sort=key:dir,key` wins over `sort_key` and `sort_dir`. */
function sortPairs(query: URLSearchParams): [string, string][] {
  const sorts = words(query.getAll('sort'));
  if (sorts.length === 0) {
    const directions = words(query.getAll('sort_dir'));
    return words(query.getAll('sort_key')).map((key, index) => [key, directions[index] ?? 'asc']);
  }
  return sorts.map((sort) => {
    const [key, direction = 'asc', ...rest] = sort.split(':');
    if (rest.length > 0) throw refused('sort key', sort);
    return [key!, direction];
  });
}

function ordersOf(query: URLSearchParams, known: ReadonlySet<string>): Order[] {
  const orders = sortPairs(query).map(([name, direction]): Order => {
    const word = direction.toLowerCase();
    if (word !== 'asc' && word !== 'desc') throw refused('sort direction', direction);
    const key = attributeOf(name, known);
    if (key === undefined) throw new ApiError(400, `Supplied sort key '${name}' is not valid.`);
    return { key, isDescending: word === 'desc' };
  });
  const named = new Set(orders.map(({ key }) => key));
  const last = ['created_at', 'id'].filter((key) => !named.has(key));
  return [...orders, ...last.map((key) => ({ key, isDescending: false }))];
}

/** `None` is what the links of an unlimited list say. */
function limitOf({ query, services }: ApiRequest): number {
  const max = services.config.pagination_max_limit;
  const text = query.get('limit');
  if (text === null) return max;
  if (text === 'infinite' || text === 'None') return Number.POSITIVE_INFINITY;
  if (!/^\s*[-+]?\d+\s*$/.test(text)) throw refused('pagination limit', text);
  return Number(text) < 1 ? Number.POSITIVE_INFINITY : Math.min(Number(text), max);
}

const isByAge = ([first, second, ...rest]: Order[]): boolean =>
  first?.key === 'created_at' &&
  second?.key === 'id' &&
  rest.length === 0 &&
  !first.isDescending &&
  !second.isDescending;

/** @param names attributes by which the resource is filtered and sorted @throws ApiError 400 */
export function listQueryOf(request: ApiRequest, names: Iterable<string>): ListQuery {
  const { query } = request;
  const known = new Set(names);
  const limit = limitOf(request);
  const orders = ordersOf(query, known);
  const filters = filtersOf(query, known);
  const hasTags = tagFilter(query);
  return {
    limit,
    orders,
    isByAge: isByAge(orders),
    filters,
    isFiltered: filters.size > 0 || hasTags !== undefined,
    marker: query.get('marker'),
    isReverse: query.get('page_reverse') === 'True',
    keeps: (row, read) => {
      for (const [name, wanted] of filters) if (!matches(read(row, name), wanted)) return false;
      return hasTags === undefined || hasTags((read(row, 'tags') as string[] | undefined) ?? []);
    },
  };
}

function compareValues(left: unknown, right: unknown): number {
  if (left === right) return 0;
  // Nothing comes before anything, as in Octavia's database.
  if (left === null || left === undefined) return right === null || right === undefined ? 0 : -1;
  if (right === null || right === undefined) return 1;
  return (left as string) < (right as string) ? -1 : 1;
}

export const compareBy =
  <R>(orders: Order[], read: ValueOf<R>) =>
  (a: R, b: R): number => {
    for (const { key, isDescending } of orders) {
      const order = compareValues(read(a, key), read(b, key));
      if (order !== 0) return isDescending ? -order : order;
    }
    return 0;
  };
