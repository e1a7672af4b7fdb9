// Lists: filters, sorting, pages and links, the same for every resource.
import { ApiError } from '../../domain/errors.ts';
import type { ApiRequest } from '../../runtime/http/request.ts';

type Shown = Record<string, unknown>;

const reserved = new Set([
  'limit',
  'marker',
  'page_reverse',
  'sort',
  'sort_key',
  'sort_dir',
  'fields',
  'project_id',
  'tags',
  'tags-any',
  'not-tags',
  'not-tags-any',
]);

/** Octavia's other spellings of attributes. */
const aliases: Record<string, string> = { enabled: 'admin_state_up', load_balancer_id: 'loadbalancer_id' };

/** A name that the resource has itself is no other spelling. */
const attributeOf = (name: string, known: Set<string>): string => (known.has(name) ? name : (aliases[name] ?? name));

const words = (values: string[]): string[] => values.flatMap((value) => value.split(',')).filter(Boolean);

function tagFilter(query: URLSearchParams): (shown: Shown) => boolean {
  const all = words(query.getAll('tags'));
  const any = words(query.getAll('tags-any'));
  const notAll = words(query.getAll('not-tags'));
  const notAny = words(query.getAll('not-tags-any'));
  return ({ tags }) => {
    const has = (tag: string) => ((tags as string[] | undefined) ?? []).includes(tag);
    return (
      all.every(has) &&
      (any.length === 0 || any.some(has)) &&
      (notAll.length === 0 || !notAll.every(has)) &&
      !notAny.some(has)
    );
  };
}

export const asBoolean = (text: string): boolean => ['true', 't', 'yes', 'y', 'on', '1'].includes(text.toLowerCase());

function matches(value: unknown, wanted: string): boolean {
  if (typeof value === 'boolean') return value === asBoolean(wanted);
  if (value === null) return wanted === '' || wanted === 'None';
  return String(value) === wanted;
}

/** Attributes by which a row is found but which its answer does not show, such as a listener's loadbalancer_id. */
export type HiddenAttributes<R> = (row: R) => Shown;

interface Listing<R> {
  plural: string;
  /** Key of the links, where it is not `<plural>_links`. */
  links?: string;
  /** The attribute that items are told apart by; their id unless told. */
  identity?: string;
  rows: R[];
  show: (row: R) => Shown;
  hidden?: HiddenAttributes<R>;
  /** Names a filter or sort key may have when there is no row to tell by. */
  known: string[];
}

interface Order {
  key: string;
  isDescending: boolean;
}

function orderOf(query: URLSearchParams, known: Set<string>): Order[] {
  const given = words(query.getAll('sort')).map((part) => part.split(':') as [string, string?]);
  const directions = words(query.getAll('sort_dir'));
  const keys =
    given.length > 0 ? given : words(query.getAll('sort_key')).map((key, i): [string, string?] => [key, directions[i]]);
  const orders = keys.map(([key, direction = 'asc']): Order => {
    if (!known.has(attributeOf(key, known))) throw new ApiError(400, `Supplied sort key '${key}' is not valid.`);
    if (direction !== 'asc' && direction !== 'desc') {
      throw new ApiError(400, `Supplied sort direction '${direction}' is not valid.`, { shape: 'http' });
    }
    return { key: attributeOf(key, known), isDescending: direction === 'desc' };
  });
  const named = new Set(orders.map(({ key }) => key));
  return [
    ...orders,
    ...['created_at', 'id'].filter((key) => !named.has(key)).map((key) => ({ key, isDescending: false })),
  ];
}

function compare(a: Shown, b: Shown, orders: Order[]): number {
  for (const { key, isDescending } of orders) {
    const [left, right] = [a[key] ?? '', b[key] ?? ''] as [string | number, string | number];
    if (left === right) continue;
    return left < right === isDescending ? 1 : -1;
  }
  return 0;
}

function limitOf(request: ApiRequest): number {
  const max = request.services.config.pagination_max_limit;
  const text = request.query.get('limit');
  if (text === null || text === 'infinite') return max;
  if (!/^-?\d+$/.test(text))
    throw new ApiError(400, `Supplied pagination limit '${text}' is not valid.`, { shape: 'http' });
  return Number(text) < 1 ? max : Math.min(Number(text), max);
}

function links(request: ApiRequest, page: Shown[], limit: number, isFull: boolean, identity: string) {
  const { query, origin, path } = request;
  const href = (marker: unknown, isReverse: boolean): string => {
    const kept = new URLSearchParams({ limit: String(limit) });
    for (const name of ['sort', 'sort_key']) for (const value of query.getAll(name)) kept.append(name, value);
    kept.set('marker', String(marker));
    if (isReverse) kept.set('page_reverse', 'True');
    return `${origin}${path}?${kept}`;
  };
  const made: { href: string; rel: string }[] = [];
  if (page.length > 0 && isFull) made.push({ rel: 'next', href: href(page.at(-1)![identity], false) });
  if (page.length > 0 && query.has('marker')) made.push({ rel: 'previous', href: href(page[0]![identity], true) });
  return made;
}

/** Only the attributes asked for by `fields`. */
export function withFields(request: ApiRequest, shown: Shown): Shown {
  const fields = request.query.getAll('fields');
  return fields.length === 0
    ? shown
    : Object.fromEntries(fields.filter((name) => name in shown).map((name) => [name, shown[name]]));
}

/** The rows a request asks for, as a body. @throws ApiError 400 */
export function listBody<R>(
  request: ApiRequest,
  { plural, links: linksKey = `${plural}_links`, identity = 'id', rows, show, hidden, known }: Listing<R>,
) {
  const names = new Set(known);
  const filters = [...request.query.keys()].filter((name) => !reserved.has(name));
  if (filters.some((name) => !names.has(attributeOf(name, names)))) {
    throw new ApiError(400, 'One or more arguments are either duplicate or invalid');
  }
  const orders = orderOf(request.query, names);
  const limit = limitOf(request);
  const byTags = tagFilter(request.query);
  const found = rows
    .map((row) => {
      const shown = show(row);
      return { shown, all: hidden === undefined ? shown : { ...shown, ...hidden(row) } };
    })
    .filter(({ all }) => filters.every((name) => matches(all[attributeOf(name, names)], request.query.get(name)!)))
    .filter(({ shown }) => byTags(shown))
    .sort((a, b) => compare(a.all, b.all, orders))
    .map(({ shown }) => shown);
  const page = pageOf(request, found, limit, identity);
  const shownLinks = links(request, page, limit, page.length === limit && found.at(-1) !== page.at(-1), identity);
  return { [plural]: page.map((shown) => withFields(request, shown)), [linksKey]: shownLinks };
}

function pageOf(request: ApiRequest, found: Shown[], limit: number, identity: string): Shown[] {
  const marker = request.query.get('marker');
  if (marker === null) return found.slice(0, limit);
  const at = found.findIndex((one) => one[identity] === marker);
  if (at < 0) throw new ApiError(400, `Supplied pagination marker '${marker}' is not valid.`);
  if (request.query.get('page_reverse') === 'True') return found.slice(Math.max(0, at - limit), at);
  return found.slice(at + 1, at + 1 + limit);
}
