// Where the rows of a list come from: the index or partition that holds the fewest rows beside those asked for. Rows in the order
// of their age are read in batches, so that a page costs what it shows and not what the project has.
import { type Item, queryAll, type Table } from '../drivers/table/table.ts';
import { isPossibleId, kindPrefixes, partitionOf, type ResourceKind, rowOf } from './keys.ts';
import { readPointer, readRow } from './trees.ts';

/** Where to begin and end in the order of age, both included: `<created_at>#<id>`. */
export interface Stretch {
  from?: string;
  to?: string;
  /** Rows of the first batch, when no more are wanted of it. */
  limit?: number;
}

export interface RowSource<R> {
  /** Rows come oldest first; otherwise in no particular order, and all of them are few. */
  isByAge: boolean;
  batches(stretch: Stretch): AsyncIterable<R[]>;
}

export const placeOf = ({ created_at, id }: { created_at: string; id: string }): string => `${created_at}#${id}`;

/** Timestamps begin with a digit, which sorts before this. */
const afterAllTimes = '~';

async function* indexed<R>(
  table: Table,
  index: 'by_project' | 'by_type' | 'by_name',
  pk: string,
  { from = '0', to = afterAllTimes, limit }: Stretch,
  prefix = '',
): AsyncGenerator<R[]> {
  let after: string | undefined;
  do {
    const page = await table.queryIndex({ index, pk, between: [prefix + from, prefix + to], limit, after });
    yield page.items.map((item) => rowOf<R>(item));
    after = page.next;
  } while (after !== undefined);
}

const listOf = <R>(read: () => Promise<Item[]>): RowSource<R> => ({
  isByAge: false,
  async *batches() {
    yield (await read()).map((item) => rowOf<R>(item));
  },
});

/** All rows of a kind, of one project or of all. */
export function rowsOf<R>(table: Table, kind: ResourceKind, projectId: string | null): RowSource<R> {
  if (projectId !== null && !isPossibleId(projectId)) return noRows();
  const [index, pk] =
    projectId === null ? (['by_type', kind] as const) : (['by_project', `${projectId}#${kind}`] as const);
  return { isByAge: true, batches: (stretch) => indexed(table, index, pk, stretch) };
}

/** No resource has a longer name, and no key holds every longer one. */
const nameCharacters = 255;

/** Rows of a kind with that name. Those of several projects are not in the order of age, but by project. */
export function rowsNamed<R>(table: Table, kind: ResourceKind, projectId: string | null, name: string): RowSource<R> {
  if (name.length > nameCharacters || (projectId !== null && !isPossibleId(projectId))) return noRows();
  const pk = `${kind}#${name}`;
  if (projectId === null) return listOf(() => queryAll(table, { index: 'by_name', pk }));
  return { isByAge: true, batches: (stretch) => indexed(table, 'by_name', pk, stretch, `${projectId}#`) };
}

/** Rows of a kind below one load balancer. */
export function rowsBelow<R>(table: Table, kind: ResourceKind, loadBalancerId: string): RowSource<R> {
  if (kind === 'loadbalancer' || !isPossibleId(loadBalancerId)) return noRows();
  return listOf(() => queryAll(table, { pk: partitionOf(loadBalancerId), prefix: kindPrefixes[kind] }));
}

/** Rows of a kind below the load balancer that some other resource is below. */
export async function rowsBeside<R>(table: Table, kind: ResourceKind, id: string): Promise<RowSource<R>> {
  const pointer = isPossibleId(id) ? await readPointer(table, id) : undefined;
  return pointer === undefined ? noRows() : rowsBelow(table, kind, pointer.load_balancer_id);
}

export const rowById = <R>(table: Table, kind: ResourceKind, id: string): RowSource<R> => ({
  isByAge: false,
  async *batches() {
    const row = await readRow(table, kind, id);
    if (row !== undefined) yield [row as R];
  },
});

/** Rows somebody has already. */
export const theseRows = <R>(rows: R[]): RowSource<R> => ({
  isByAge: false,
  async *batches() {
    yield rows;
  },
});

export const noRows = <R>(): RowSource<R> => theseRows<R>([]);
