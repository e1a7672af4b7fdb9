// A table on which transactions fail as DynamoDB's do: some meet another and are cancelled, of some nothing is heard.
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { type Operation, TableUnavailable, TransactionCancelled } from '../../lambdas/drivers/table/table.ts';

export type Mishap = 'conflict' | 'lost before' | 'lost after';

export class FailingTable extends SqliteTable {
  transactions = 0;
  #mishaps: Mishap[] = [];
  #every = 1;

  constructor() {
    super({ path: ':memory:' });
  }

  /** From now on every so many'th transaction meets the next of the mishaps. */
  fail(mishaps: Mishap[], every: number): void {
    this.#mishaps = mishaps;
    this.#every = every;
  }

  override async transact(operations: Operation[]): Promise<void> {
    const number = ++this.transactions;
    const isFailing = this.#mishaps.length > 0 && number % this.#every === 0;
    const mishap = isFailing ? this.#mishaps[(number / this.#every) % this.#mishaps.length] : undefined;
    if (mishap === 'conflict') throw new TransactionCancelled(operations.map(() => ({ code: 'TransactionConflict' })));
    if (mishap === 'lost before') throw new TableUnavailable('the request was lost');
    await super.transact(operations);
    if (mishap === 'lost after') throw new TableUnavailable('the answer was lost');
  }
}
