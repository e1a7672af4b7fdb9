// The one table everything is kept in. The interface is as narrow as DynamoDB is cheap: what a request costs there is
// what it costs here, and DynamoDB's limits bind every implementation, so that nothing that passes on one machine fails on AWS.

/** Attribute values: JSON without undefined. Numbers are IEEE doubles; empty strings are allowed outside of keys. */
export type Value = string | number | boolean | null | Value[] | { [attribute: string]: Value };

export interface Key {
  pk: string;
  sk: string;
}

/** An item as it is stored: its key, the optional index keys, and any JSON attributes. */
export interface Item extends Key {
  /** Index `by_project`: `<project_id>#<TYPE>` and `<created_at>#<id>`. */
  project_pk?: string;
  project_sk?: string;
  /** Index `by_type`: `<TYPE>` and `<created_at>#<id>`. */
  type_pk?: string;
  type_sk?: string;
  /** Sparse index `by_name`: `<TYPE>#<name>` and `<project_id>#<created_at>#<id>`. */
  name_pk?: string;
  name_sk?: string;
  /** Sparse index `pending`: the constant `PENDING`, and the deadline (ISO 8601, UTC). */
  pending_pk?: string;
  pending_sk?: string;
  [attribute: string]: unknown;
}

export const indexes = {
  by_project: { pk: 'project_pk', sk: 'project_sk' },
  by_type: { pk: 'type_pk', sk: 'type_sk' },
  by_name: { pk: 'name_pk', sk: 'name_sk' },
  pending: { pk: 'pending_pk', sk: 'pending_sk' },
} as const;
export type IndexName = keyof typeof indexes;

/** Names of top-level attributes with the value each must have. All listed conditions must hold. */
export interface Condition {
  /** true: the item must exist; false: it must not. */
  exists?: boolean;
  /** Attribute equals this value (null means: stored as null). */
  equals?: Record<string, string | number | boolean | null>;
  /** Attribute is one of these values. */
  oneOf?: Record<string, (string | number | boolean)[]>;
  /** Attribute is missing or differs from this value. */
  differs?: Record<string, string | number | boolean>;
  /** Attribute is not stored at all. */
  missing?: string[];
  /** Attribute is a number at most this. */
  atMost?: Record<string, number>;
  /** Attribute is a number or string strictly below this. */
  below?: Record<string, number | string>;
}

export type Operation =
  | { kind: 'put'; item: Item; when?: Condition }
  | {
      kind: 'update';
      key: Key;
      /** Top-level attributes to write; undefined values are left alone. */
      set?: Record<string, unknown>;
      /** Numbers to add to; a missing attribute counts as 0. */
      add?: Record<string, number>;
      remove?: string[];
      /** Without a condition on existence an update creates the item, as DynamoDB's does. */
      when?: Condition;
    }
  | { kind: 'delete'; key: Key; when?: Condition }
  | { kind: 'check'; key: Key; when: Condition };

/** What a query answers: at most 1 MB or `limit` items; `next` is to be handed back as `after` for the rest. */
export interface Page {
  items: Item[];
  next?: string;
}

interface QueryBounds {
  /** Only sort keys that start with this. Not together with `between`. */
  prefix?: string;
  /** Only sort keys in this range, both ends included. */
  between?: [string, string];
  limit?: number;
  after?: string;
  /** Descending by sort key. */
  reverse?: boolean;
}
export interface Query extends QueryBounds {
  pk: string;
}
export interface IndexQuery extends QueryBounds {
  index: IndexName;
  pk: string;
}

export const limits = {
  operationsPerTransaction: 100,
  transactionBytes: 4 * 1024 * 1024,
  itemBytes: 400 * 1024,
  pageBytes: 1024 * 1024,
  batchGetKeys: 100,
} as const;

/** One reason per operation of the cancelled transaction, in order. */
export type CancellationReason =
  | { code: 'None' }
  | { code: 'ConditionalCheckFailed'; item?: Item }
  | { code: 'TransactionConflict' }
  | { code: 'ItemTooLarge' };

/** A transaction of which nothing was written. `reasons[i]` belongs to operation i. */
export class TransactionCancelled extends Error {
  override readonly name = 'TransactionCancelled';
  readonly reasons: CancellationReason[];
  constructor(reasons: CancellationReason[], options?: ErrorOptions) {
    super(`transaction cancelled: ${reasons.map((reason) => reason.code).join(', ')}`, options);
    this.reasons = reasons;
  }
  /** True when trying the very same operations again may work: only conflicts, no condition that failed. */
  get isConflict(): boolean {
    const failed = this.reasons.filter((reason) => reason.code !== 'None');
    return failed.length > 0 && failed.every((reason) => reason.code === 'TransactionConflict');
  }
}

/** The table did not answer, or throttles; trying later may work. */
export class TableUnavailable extends Error {
  override readonly name = 'TableUnavailable';
}

export interface Table {
  /** Strongly consistent. */
  get(key: Key): Promise<Item | undefined>;
  /** Strongly consistent, any number of keys, in no particular order; missing items are left out. */
  batchGet(keys: Key[]): Promise<Item[]>;
  /** One partition in sort key order, strongly consistent. */
  query(query: Query): Promise<Page>;
  /** One partition of an index in sort key order; eventually consistent on DynamoDB. */
  queryIndex(query: IndexQuery): Promise<Page>;
  /**
   * All or nothing, at most 100 operations, each on another item.
   * @throws TransactionCancelled when a condition fails, two transactions meet, or an item is over 400 KB
   * @throws TypeError for more than 100 operations or 4 MB, two operations on one item, none, or values that cannot be stored
   * @throws TableUnavailable when nothing can be said: the transaction may have been written
   */
  transact(operations: Operation[]): Promise<void>;
  close(): Promise<void>;
}

/** Reads every page of a query. */
export async function queryAll(table: Table, query: Query | IndexQuery): Promise<Item[]> {
  const items: Item[] = [];
  let after = query.after;
  do {
    const page: Page =
      'index' in query ? await table.queryIndex({ ...query, after }) : await table.query({ ...query, after });
    items.push(...page.items);
    after = page.next;
  } while (after !== undefined);
  return items;
}
