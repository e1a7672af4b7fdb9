// The table on one machine, where Octavia has its SQL database: one SQLite file in write-ahead mode. A process killed at
// any point leaves whole transactions only; a power cut may lose the last ones (synchronous=NORMAL), never tear one.
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { holds } from './conditions.ts';
import { itemBytes } from './item-size.ts';
import { applyUpdate, checkKey, checkOperations, checkTransactionBytes, keyOf, nameOfKey } from './operations.ts';
import { checkBounds, decodeCursor, encodeCursor, remainingRange } from './query-bounds.ts';
import { type ChangeWatch, SqliteChanges } from './sqlite-changes.ts';
import {
  type CancellationReason,
  type IndexQuery,
  type Item,
  indexes,
  type Key,
  limits,
  type Operation,
  type Page,
  type Query,
  type Table,
  TableUnavailable,
  TransactionCancelled,
} from './table.ts';

const indexColumns = Object.values(indexes).flatMap(({ pk, sk }) => [pk, sk]);
const busyTimeoutMs = 5_000;
/** SQLITE_BUSY, SQLITE_LOCKED, SQLITE_IOERR and SQLITE_FULL: nothing is wrong with the statement. */
const passingErrors = [5, 6, 10, 13];

const itemsSchema = `
  CREATE TABLE IF NOT EXISTS items (
    pk TEXT NOT NULL, sk TEXT NOT NULL, ${indexColumns.map((column) => `${column} TEXT`).join(', ')},
    bytes INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (pk, sk)
  ) WITHOUT ROWID;`;
const indexesSchema = Object.entries(indexes)
  .map(
    ([name, { pk, sk }]) =>
      `CREATE INDEX IF NOT EXISTS ${name} ON items (${pk}, ${sk}, pk, sk) WHERE ${pk} IS NOT NULL;`,
  )
  .join('\n');

/** What an operation does to its item: `after` is undefined when there is nothing to store. */
interface Change {
  operation: Operation;
  reason: CancellationReason;
  /** Read where somebody judges it or is told of it. */
  before?: Item;
  after?: Item;
  bytes: number;
}

/** An item is in an index only when it has both of the index's keys. */
const indexValues = (item: Item) =>
  Object.values(indexes).flatMap(({ pk, sk }) => {
    const isIndexed = item[pk] !== undefined && item[sk] !== undefined;
    return isIndexed ? [item[pk] as string, item[sk] as string] : [null, null];
  });

export class SqliteTable implements Table {
  readonly #database: DatabaseSync;
  readonly #pageBytes: number;
  readonly #statements = new Map<string, StatementSync>();
  #changes: SqliteChanges | undefined;

  /** The directory of `path` must exist; `:memory:` keeps nothing. `pageBytes` bounds a page of a query. */
  constructor({ path, pageBytes = limits.pageBytes }: { path: string; pageBytes?: number }) {
    this.#database = new DatabaseSync(path, { timeout: busyTimeoutMs });
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
    this.#database.exec(itemsSchema);
    this.#addColumns();
    this.#database.exec(indexesSchema);
    this.#pageBytes = pageBytes;
  }

  async get(key: Key): Promise<Item | undefined> {
    checkKey(key);
    return this.#guard(() => this.#read(key));
  }

  async batchGet(keys: Key[]): Promise<Item[]> {
    keys.forEach(checkKey);
    const distinct = new Map(keys.map((key) => [nameOfKey(key), key])).values();
    return this.#guard(() => [...distinct].map((key) => this.#read(key)).filter((item) => item !== undefined));
  }

  async query(query: Query): Promise<Page> {
    return this.#guard(() => this.#page(query, 'pk', ['sk']));
  }

  async queryIndex(query: IndexQuery): Promise<Page> {
    const { pk, sk } = indexes[query.index];
    return this.#guard(() => this.#page(query, pk, [sk, 'pk', 'sk']));
  }

  async transact(operations: Operation[]): Promise<void> {
    checkOperations(operations);
    const isWatched = this.#guard(() => {
      // IMMEDIATE takes the write lock before the first read, so that what a condition saw is still so at COMMIT.
      this.#prepare('BEGIN IMMEDIATE').run();
      try {
        const isWatched = this.#write(this.#decide(operations));
        this.#prepare('COMMIT').run();
        return isWatched;
      } catch (error) {
        if (this.#database.isTransaction) this.#prepare('ROLLBACK').run();
        throw error;
      }
    });
    if (isWatched) this.#changes?.tell();
  }

  /** From now on changes are kept until they are dropped from what is answered here. */
  watch(watch: ChangeWatch): SqliteChanges {
    this.#changes = new SqliteChanges(this.#database, watch);
    return this.#changes;
  }

  get isOpen(): boolean {
    return this.#database.isOpen;
  }

  async close(): Promise<void> {
    if (this.#database.isOpen) this.#database.close();
  }

  /** A file from before an index was thought of has none of its columns. */
  #addColumns(): void {
    const present = new Set(
      this.#database
        .prepare('PRAGMA table_info(items)')
        .all()
        .map(({ name }) => name),
    );
    for (const column of indexColumns.filter((name) => !present.has(name)))
      this.#database.exec(`ALTER TABLE items ADD COLUMN ${column} TEXT`);
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      // The low byte of an SQLite error is its kind, the rest says where.
      const errcode = (cause as { errcode?: number }).errcode;
      if (errcode === undefined || !passingErrors.includes(errcode & 0xff)) throw cause;
      throw new TableUnavailable(`SQLite: ${(cause as Error).message}`, { cause });
    }
  }

  #read({ pk, sk }: Key): Item | undefined {
    const row = this.#prepare('SELECT body FROM items WHERE pk = ? AND sk = ?').get(pk, sk);
    return row === undefined ? undefined : JSON.parse(row['body'] as string);
  }

  #decide(operations: Operation[]): Change[] {
    const changes = operations.map((operation) => this.#change(operation));
    if (changes.some(({ reason }) => reason.code !== 'None'))
      throw new TransactionCancelled(changes.map(({ reason }) => reason));
    checkTransactionBytes(changes.reduce((total, { bytes }) => total + bytes, 0));
    return changes;
  }

  #change(operation: Operation): Change {
    const key = keyOf(operation);
    const isRead = operation.when !== undefined || operation.kind === 'update' || this.#changes?.concerns(key);
    const before = isRead ? this.#read(key) : undefined;
    if (!holds(operation.when, before))
      return { operation, reason: { code: 'ConditionalCheckFailed', item: before }, bytes: 0 };
    if (operation.kind === 'check' || operation.kind === 'delete')
      return { operation, reason: { code: 'None' }, before, bytes: 0 };
    const after = operation.kind === 'put' ? operation.item : applyUpdate(before, operation);
    const bytes = itemBytes(after);
    return { operation, reason: { code: bytes > limits.itemBytes ? 'ItemTooLarge' : 'None' }, before, after, bytes };
  }

  /** @returns whether somebody is to be told */
  #write(changes: Change[]): boolean {
    const put = this.#prepare(
      `REPLACE INTO items (pk, sk, ${indexColumns.join(', ')}, bytes, body) VALUES (?, ?, ${indexColumns.map(() => '?').join(', ')}, ?, ?)`,
    );
    for (const { operation, after, bytes } of changes) {
      if (after !== undefined) put.run(after.pk, after.sk, ...indexValues(after), bytes, JSON.stringify(after));
      if (operation.kind !== 'delete') continue;
      this.#prepare('DELETE FROM items WHERE pk = ? AND sk = ?').run(operation.key.pk, operation.key.sk);
    }
    const isNews = ({ operation: { kind }, before, after }: Change) =>
      kind !== 'check' && (before !== undefined || after !== undefined);
    const watched = changes.filter((one) => isNews(one) && this.#changes?.concerns(keyOf(one.operation)));
    for (const { operation, before, after } of watched) this.#changes!.note(keyOf(operation), before, after);
    return watched.length > 0;
  }

  #page(query: Query | IndexQuery, pkColumn: string, sortColumns: string[]): Page {
    checkBounds(query);
    const items: Item[] = [];
    let bytes = 0;
    for (const row of this.#rows(query, pkColumn, sortColumns)) {
      bytes += row['bytes'] as number;
      // One item is always answered, or a page smaller than an item would never end.
      if (bytes > this.#pageBytes && items.length > 0) return { items, next: cursorAfter(items, sortColumns) };
      items.push(JSON.parse(row['body'] as string));
      // As in DynamoDB a full page has a cursor, even when nothing comes after it.
      if (items.length === query.limit) return { items, next: cursorAfter(items, sortColumns) };
    }
    return { items };
  }

  #rows(query: Query | IndexQuery, pkColumn: string, sortColumns: string[]) {
    const cursor = query.after === undefined ? [] : decodeCursor(query.after, sortColumns.length);
    const places = cursor.map(() => '?').join(', ');
    const beyondCursor = places && `AND (${sortColumns.join(', ')}) ${query.reverse ? '<' : '>'} (${places})`;
    const order = sortColumns.map((column) => `${column} ${query.reverse ? 'DESC' : 'ASC'}`).join(', ');
    const range = `${pkColumn} = ? AND ${sortColumns[0]} BETWEEN ? AND ?`;
    const statement = this.#prepare(`SELECT body, bytes FROM items WHERE ${range} ${beyondCursor} ORDER BY ${order}`);
    return statement.iterate(query.pk, ...remainingRange(query, cursor[0]), ...cursor);
  }
}

const cursorAfter = (items: Item[], sortColumns: string[]) =>
  encodeCursor(sortColumns.map((column) => items.at(-1)![column] as string));
