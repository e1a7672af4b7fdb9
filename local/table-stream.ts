// The table's stream and its function on one machine: what changed is told in its order, and dropped when it was taken. What a killed
// process had not told, or not dropped yet, the next one tells.
import { isToldOf, tellStatusNews } from '../lambdas/controller/status-news.ts';
import type { EventDriver } from '../lambdas/drivers/events/event-driver.ts';
import type { SqliteTable } from '../lambdas/drivers/table/sqlite.ts';
import type { SqliteChanges } from '../lambdas/drivers/table/sqlite-changes.ts';

export interface TableStreamOptions {
  table: SqliteTable;
  events: EventDriver;
  clock: { now(): number };
  logger: { warn(message: string, detail?: Record<string, unknown>): void };
}

const changesPerRead = 100;

export class TableStream {
  readonly #options: TableStreamOptions;
  readonly #changes: SqliteChanges;
  /** Since it was last looked: what comes just after the look that found nothing is not left lying. */
  #isNews = false;
  #telling: Promise<void> | undefined;

  constructor(options: TableStreamOptions) {
    this.#options = options;
    const { table, clock } = options;
    this.#changes = table.watch({ concerns: isToldOf, clock, onChanged: () => this.tell() });
    this.tell();
  }

  /** What was not taken is told again with the next change, or the next start. */
  tell(): void {
    this.#isNews = true;
    this.#telling ??= this.#tellNews();
  }

  /** Until nothing is left to be told. */
  async drained(): Promise<void> {
    while (this.#telling) await this.#telling;
  }

  async #tellNews(): Promise<void> {
    try {
      await this.#tellAll();
    } catch (error) {
      this.#isNews = false;
      this.#options.logger.warn('changes were not told of', { error });
    }
    this.#telling = undefined;
    if (this.#isNews) this.tell();
  }

  async #tellAll(): Promise<void> {
    while (this.#isNews && this.#options.table.isOpen) {
      const changes = this.#changes.read(changesPerRead);
      const last = changes.at(-1);
      this.#isNews = last !== undefined;
      if (last === undefined) continue;
      await tellStatusNews(this.#options, changes);
      if (this.#options.table.isOpen) this.#changes.drop(last);
    }
  }
}
