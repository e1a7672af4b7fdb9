// Lists: pages, links and fields, the same for every resource. What each costs, of n rows in the project:
// - no filter, oldest first: a page's rows from the index of the project (of all projects for administrators), at any depth
// - id: one row; name: the rows of that name; loadbalancer_id, pool_id, listener_id and the like: the rows of one load balancer
// - any other filter, or tags: rows are read until the page is full, at worst n
// - any other order: n rows are read and sorted
import { ApiError } from '../../domain/errors.ts';
import type { Resource } from '../../domain/resource.ts';
import type { ResourceKind } from '../../repositories/keys.ts';
import {
  placeOf,
  type RowSource,
  rowById,
  rowsBelow,
  rowsBeside,
  rowsNamed,
  rowsOf,
  theseRows,
} from '../../repositories/lists.ts';
import { readRow } from '../../repositories/trees.ts';
import type { ApiRequest, ApiResponse } from '../../runtime/http/request.ts';
import { compareBy, type ListQuery, listQueryOf, type ValueOf } from './list-query.ts';
import { scalarNames } from './names.ts';
import { listedProject } from './policy.ts';

export { asBoolean } from './list-query.ts';

type Shown = Record<string, unknown>;

interface ListedRow {
  id: string;
  project_id: string;
  created_at: string;
  load_balancer_id: string;
}

/** A Lambda answers 6 MB at most; the link to the next page is there whenever no limit was given. */
const answerBytes = 5 * 1024 * 1024;

/** Attributes by which a row is found but which its answer does not show, such as a listener's loadbalancer_id. */
export type HiddenAttributes<R> = (row: R) => Shown;

/** Only the attributes asked for by `fields`. */
export function withFields(request: ApiRequest, shown: Shown): Shown {
  const fields = request.query.getAll('fields');
  return fields.length === 0
    ? shown
    : Object.fromEntries(fields.filter((name) => name in shown).map((name) => [name, shown[name]]));
}

/** True when an answer shows one of these attributes, so that what only they need must be read. */
export function isAskedFor(request: ApiRequest, ...names: string[]): boolean {
  const fields = request.query.getAll('fields');
  return fields.length === 0 || names.some((name) => fields.includes(name));
}

/** How a list is called and its rows told apart. */
interface Names {
  plural: string;
  /** Key of the links, where it is not `<plural>_links`. */
  links?: string;
  /** The attribute that rows are told apart by; their id unless told. */
  identity?: string;
}

function linksOf(request: ApiRequest, page: Shown[], { limit, marker }: ListQuery, identity = 'id') {
  const { query, origin, path, services } = request;
  const base = services.config.api_base_uri.replace(/\/+$/, '') || origin;
  const link = (rel: string, id: unknown, more: Record<string, string> = {}) => {
    const kept = new URLSearchParams({ limit: Number.isFinite(limit) ? String(limit) : 'None' });
    for (const name of ['sort', 'sort_key']) for (const value of query.getAll(name)) kept.append(name, value);
    kept.set('marker', String(id));
    for (const [name, value] of Object.entries(more)) kept.set(name, value);
    return { rel, href: `${base}${path}?${kept}` };
  };
  if (page.length === 0) return [];
  const isFull = !Number.isFinite(limit) || page.length >= limit;
  return [
    ...(marker === null ? [] : [link('previous', page[0]![identity], { page_reverse: 'True' })]),
    // A full page may be the last one; Octavia does not look, and neither does the page after it cost anything.
    ...(isFull ? [link('next', page.at(-1)![identity])] : []),
  ];
}

function withinAnswer(page: Shown[]): Shown[] {
  let bytes = 0;
  const end = page.findIndex((shown, index) => {
    bytes += Buffer.byteLength(JSON.stringify(shown));
    return bytes > answerBytes && index > 0;
  });
  return end < 0 ? page : page.slice(0, end);
}

function bodyOf(request: ApiRequest, { plural, links, identity }: Names, asked: ListQuery, page: Shown[]): Shown {
  const shown = Number.isFinite(asked.limit) ? page : withinAnswer(page);
  return {
    [plural]: shown.map((one) => withFields(request, one)),
    [links ?? `${plural}_links`]: linksOf(request, shown, asked, identity),
  };
}

const unknownMarker = (marker: string) => new ApiError(400, `Supplied pagination marker '${marker}' is not valid.`);

/** Rows beyond the marker that are asked for, in order, as many as the page holds. */
async function pageOf<R>(asked: ListQuery, source: RowSource<R>, read: ValueOf<R>, marker?: R): Promise<R[]> {
  const compare = compareBy(asked.orders, read);
  const isBeyond = (row: R) => marker === undefined || compare(row, marker) * (asked.isReverse ? -1 : 1) > 0;
  const isLazy = asked.isByAge && source.isByAge;
  const rows: R[] = [];
  for await (const batch of source.batches(isLazy ? stretchOf(asked, marker) : {})) {
    for (const row of batch) if (asked.keeps(row, read) && isBeyond(row)) rows.push(row);
    if (isLazy && rows.length >= asked.limit) break;
  }
  return (isLazy ? rows : rows.sort(compare)).slice(0, asked.limit);
}

/** Where the page lies in an index by age. */
function stretchOf<R>(asked: ListQuery, marker?: R) {
  const place = marker && placeOf(marker as R & ListedRow);
  const isExact = !asked.isFiltered && Number.isFinite(asked.limit);
  return {
    ...(place === undefined ? {} : asked.isReverse ? { to: place } : { from: place }),
    // The marker itself is read too.
    ...(isExact ? { limit: asked.limit + (place === undefined ? 0 : 1) } : {}),
  };
}

/** Filters by what is below the same load balancer. */
const neighbours = ['pool_id', 'listener_id', 'default_pool_id', 'redirect_pool_id', 'healthmonitor_id', 'l7policy_id'];

async function sourceOf<R>(
  { services: { table } }: ApiRequest,
  kind: ResourceKind,
  project: string | null,
  { filters }: ListQuery,
): Promise<RowSource<R>> {
  const [id, loadBalancerId, name] = ['id', 'loadbalancer_id', 'name'].map((one) => filters.get(one));
  if (id !== undefined) return rowById(table, kind, id);
  if (loadBalancerId !== undefined) return rowsBelow(table, kind, loadBalancerId);
  const neighbour = neighbours.map((one) => filters.get(one)).find(Boolean);
  if (neighbour !== undefined) return rowsBeside(table, kind, neighbour);
  if (name) return rowsNamed(table, kind, project, name);
  return rowsOf(table, kind, project);
}

/** Rows are kept under the names of the API but for this one. */
const valueOfRow = (row: object, name: string): unknown =>
  (row as Record<string, unknown>)[name === 'loadbalancer_id' ? 'load_balancer_id' : name];

interface TableListing<R> {
  // biome-ignore lint/suspicious/noExplicitAny: any resource, whatever its attributes
  resource: Resource<any>;
  kind: ResourceKind;
  /** Asked for the rows of the page alone. */
  show(rows: R[]): Shown[] | Promise<Shown[]>;
  /** Attributes that are not set by clients and yet filtered by. */
  more?: string[];
}

/** A list of a resource of which projects have many, read from the table. @throws ApiError 400, 403 */
export async function listed<R extends ListedRow>(
  request: ApiRequest,
  { resource, kind, show, more }: TableListing<R>,
): Promise<ApiResponse> {
  const project = listedProject(request);
  const asked = listQueryOf(request, scalarNames(resource, more));
  const marker = asked.marker === null ? undefined : await readRow(request.services.table, kind, asked.marker);
  if (asked.marker !== null && marker === undefined) throw unknownMarker(asked.marker);
  const source = await sourceOf<R>(request, kind, project, asked);
  const ofProject = { ...asked, keeps: ((row, read) => isOf(project, row) && asked.keeps(row, read)) as Keeps };
  const rows = await pageOf(ofProject, source, valueOfRow, marker as R | undefined);
  return { status: 200, body: bodyOf(request, { plural: resource.plural }, asked, await show(rows)) };
}

type Keeps = ListQuery['keeps'];
const isOf = (project: string | null, row: unknown): boolean =>
  project === null || (row as ListedRow).project_id === project;

interface Listing<R> extends Names {
  rows: R[];
  show: (row: R) => Shown;
  hidden?: HiddenAttributes<R>;
  /** Names a filter or sort key may have when there is no row to tell by. */
  known: string[];
}

/** The body of a list of rows that were read already, because they are few. @throws ApiError 400 */
export async function listBody<R>(request: ApiRequest, { rows, show, hidden, known, ...names }: Listing<R>) {
  const { identity = 'id' } = names;
  const asked = listQueryOf(request, known);
  const candidates = rows.map((row) => {
    const shown = show(row);
    return { shown, all: hidden ? { ...shown, ...hidden(row) } : shown };
  });
  type Candidate = (typeof candidates)[number];
  const read = ({ all }: Candidate, name: string) => all[name === 'id' ? identity : name];
  const marker = asked.marker === null ? undefined : candidates.find(({ all }) => all[identity] === asked.marker);
  if (asked.marker !== null && marker === undefined) throw unknownMarker(asked.marker);
  const page = await pageOf(asked, theseRows(candidates), read, marker);
  return bodyOf(
    request,
    names,
    asked,
    page.map(({ shown }) => shown),
  );
}
