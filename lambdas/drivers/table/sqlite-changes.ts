// The table's stream on one machine, where DynamoDB has its own: changes are written down in the transaction that makes them, and
// kept until whoever tells of them has done so.
import type { DatabaseSync } from 'node:sqlite';
import type { TableChange } from './stream.ts';
import type { Item, Key } from './table.ts';

export interface ChangeWatch {
  /** Changes of others are not kept. */
  concerns(key: Key): boolean;
  clock: { now(): number };
  /** After a commit with changes in it. */
  onChanged(): void;
}

const sequenceDigits = 40;

export class SqliteChanges {
  readonly #database: DatabaseSync;
  readonly #watch: ChangeWatch;

  constructor(database: DatabaseSync, watch: ChangeWatch) {
    this.#database = database;
    this.#watch = watch;
    database.exec(
      'CREATE TABLE IF NOT EXISTS changes (sequence INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER, key TEXT, before TEXT, after TEXT)',
    );
  }

  concerns(key: Key): boolean {
    return this.#watch.concerns(key);
  }

  /** Within the transaction. */
  note({ pk, sk }: Key, before: Item | undefined, after: Item | undefined): void {
    const text = (item: Item | undefined) => (item === undefined ? null : JSON.stringify(item));
    this.#database
      .prepare('INSERT INTO changes (at, key, before, after) VALUES (?, ?, ?, ?)')
      .run(this.#watch.clock.now(), JSON.stringify({ pk, sk }), text(before), text(after));
  }

  /** After the commit. */
  tell(): void {
    this.#watch.onChanged();
  }

  /** The oldest that are left. */
  read(limit: number): TableChange[] {
    const rows = this.#database.prepare('SELECT * FROM changes ORDER BY sequence LIMIT ?').all(limit);
    return rows.map(({ sequence, at, key, before, after }) => ({
      id: String(sequence),
      sequence: String(sequence).padStart(sequenceDigits, '0'),
      at: Number(at),
      key: JSON.parse(String(key)),
      ...(before === null ? {} : { before: JSON.parse(String(before)) }),
      ...(after === null ? {} : { after: JSON.parse(String(after)) }),
    }));
  }

  /** Up to this one and with it. */
  drop({ sequence }: TableChange): void {
    this.#database.prepare('DELETE FROM changes WHERE sequence <= ?').run(Number(sequence));
  }
}
