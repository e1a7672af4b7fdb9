// A table to try writes on: what is written is seen by whoever reads this table, judged by the same conditions, and never stored.
import { holds } from './conditions.ts';
import { applyUpdate, checkOperations, keyOf, nameOfKey } from './operations.ts';
import { compareBytes } from './query-bounds.ts';
import {
  type CancellationReason,
  type IndexQuery,
  type Item,
  type Key,
  type Operation,
  type Page,
  type Query,
  queryAll,
  type Table,
  TransactionCancelled,
} from './table.ts';

export class TrialTable implements Table {
  readonly #table: Table;
  /** Items as they would be, undefined for those that would be gone. */
  readonly #written = new Map<string, Item | undefined>();

  constructor(table: Table) {
    this.#table = table;
  }

  /** Partitions that would have been written. */
  get partitions(): string[] {
    return [...new Set([...this.#written.keys()].map((name) => name.split('\u0000')[0]!))];
  }

  async get(key: Key): Promise<Item | undefined> {
    const name = nameOfKey(key);
    return this.#written.has(name) ? this.#written.get(name) : this.#table.get(key);
  }

  async batchGet(keys: Key[]): Promise<Item[]> {
    const items = await Promise.all(keys.map((key) => this.get(key)));
    return items.filter((item) => item !== undefined);
  }

  /** The whole answer in one page: a trial is one request, and reads what one request reads. */
  async query({ limit: _limit, after: _after, ...query }: Query): Promise<Page> {
    const items = new Map((await queryAll(this.#table, query)).map((item) => [nameOfKey(item), item]));
    const { prefix = '', between = [prefix, `${prefix}\u{10FFFF}`], pk } = query;
    for (const [name, item] of this.#written) {
      if (item === undefined) items.delete(name);
      else if (item.pk === pk && compareBytes(item.sk, between[0]) >= 0 && compareBytes(item.sk, between[1]) <= 0)
        items.set(name, item);
    }
    const sorted = [...items.values()].sort((a, b) => compareBytes(a.sk, b.sk));
    return { items: query.reverse ? sorted.reverse() : sorted };
  }

  /** Indexes lag behind anyhow. */
  queryIndex(query: IndexQuery): Promise<Page> {
    return this.#table.queryIndex(query);
  }

  async transact(operations: Operation[]): Promise<void> {
    checkOperations(operations);
    const before = await Promise.all(operations.map((operation) => this.get(keyOf(operation))));
    const reasons = operations.map(
      (operation, index): CancellationReason =>
        holds(operation.when, before[index])
          ? { code: 'None' }
          : { code: 'ConditionalCheckFailed', ...(before[index] ? { item: before[index] } : {}) },
    );
    if (reasons.some(({ code }) => code !== 'None')) throw new TransactionCancelled(reasons);
    operations.forEach((operation, index) => {
      const name = nameOfKey(keyOf(operation));
      if (operation.kind === 'put') this.#written.set(name, operation.item);
      if (operation.kind === 'delete') this.#written.set(name, undefined);
      if (operation.kind === 'update') this.#written.set(name, applyUpdate(before[index], operation));
    });
  }

  async close(): Promise<void> {}
}
