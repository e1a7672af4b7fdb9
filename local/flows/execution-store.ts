// What survives the death of the process: executions and how far each of their branches has come. Step Functions' memory.
import { DatabaseSync } from 'node:sqlite';
import type { ExecutionState } from '../../lambdas/drivers/flows/flow-driver.ts';

export interface StoredExecution {
  flow: string;
  name: string;
  state: ExecutionState;
  /** JSON text, as given and as made. */
  input: string;
  output: string | null;
  error: string | null;
  cause: string | null;
  /** Milliseconds since the epoch. */
  started_at: number;
  ended_at: number | null;
}
export type Ending = Pick<StoredExecution, 'state' | 'output' | 'error' | 'cause'> & { ended_at: number };

export interface ExecutionStore {
  /** @returns false when the flow has an execution of this name, whatever its state */
  insert(flow: string, name: string, input: string, startedAt: number): boolean;
  find(flow: string, name: string): StoredExecution | undefined;
  running(): StoredExecution[];
  /** Records the ending and forgets the checkpoints, both or none. */
  end(flow: string, name: string, ending: Ending): void;
  /** Ended executions whose end was not yet told: the process died in between. */
  untold(): StoredExecution[];
  markTold(flow: string, name: string): void;
  /** Branch (empty: the top level) to its checkpoint as JSON text. */
  checkpoints(flow: string, name: string): Map<string, string>;
  /** Writes one branch's checkpoint and, when told to, forgets those of the branches below it; both or none. */
  saveCheckpoint(flow: string, name: string, branch: string, checkpoint: string, dropBelow: boolean): void;
  /** Forgets ended executions that are old or many. */
  prune(now: number): void;
  close(): void;
}

const schema = `
  CREATE TABLE IF NOT EXISTS executions (
    flow TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, input TEXT NOT NULL, output TEXT, error TEXT, cause TEXT,
    started_at INTEGER NOT NULL, ended_at INTEGER, is_told INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (flow, name)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS running ON executions (started_at) WHERE state = 'RUNNING';
  CREATE INDEX IF NOT EXISTS untold ON executions (ended_at) WHERE ended_at IS NOT NULL AND is_told = 0;
  CREATE INDEX IF NOT EXISTS ended ON executions (ended_at) WHERE ended_at IS NOT NULL;
  CREATE TABLE IF NOT EXISTS checkpoints (
    flow TEXT NOT NULL, name TEXT NOT NULL, branch TEXT NOT NULL, checkpoint TEXT NOT NULL, PRIMARY KEY (flow, name, branch)
  ) WITHOUT ROWID;`;

const retention = { executions: 1_000, dayMs: 86_400_000, deduplicationMs: 300_000 };

function prepare(db: DatabaseSync) {
  const execution = 'flow, name, state, input, output, error, cause, started_at, ended_at FROM executions';
  return {
    insert: db.prepare(
      `INSERT OR IGNORE INTO executions (flow, name, state, input, started_at) VALUES (?, ?, 'RUNNING', ?, ?)`,
    ),
    find: db.prepare(`SELECT ${execution} WHERE flow = ? AND name = ?`),
    running: db.prepare(`SELECT ${execution} WHERE state = 'RUNNING' ORDER BY started_at`),
    untold: db.prepare(`SELECT ${execution} WHERE ended_at IS NOT NULL AND is_told = 0 ORDER BY ended_at`),
    markTold: db.prepare('UPDATE executions SET is_told = 1 WHERE flow = ? AND name = ?'),
    end: db.prepare(
      `UPDATE executions SET state = ?, output = ?, error = ?, cause = ?, ended_at = ?
       WHERE flow = ? AND name = ? AND state = 'RUNNING'`,
    ),
    checkpoints: db.prepare('SELECT branch, checkpoint FROM checkpoints WHERE flow = ? AND name = ?'),
    save: db.prepare('INSERT OR REPLACE INTO checkpoints (flow, name, branch, checkpoint) VALUES (?, ?, ?, ?)'),
    // Branches are named `parent/state#index`; '0' is the character after '/'.
    dropBelow: db.prepare(
      `DELETE FROM checkpoints WHERE flow = ? AND name = ? AND branch >= ? || '/' AND branch < ? || '0'`,
    ),
    drop: db.prepare('DELETE FROM checkpoints WHERE flow = ? AND name = ?'),
    prune: db.prepare(
      `DELETE FROM executions WHERE ended_at IS NOT NULL AND is_told = 1 AND (ended_at < :old OR (ended_at < :recent AND ended_at <
       (SELECT ended_at FROM executions WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT 1 OFFSET ${retention.executions - 1})))`,
    ),
  };
}

export class SqliteExecutionStore implements ExecutionStore {
  readonly #db: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(path: string) {
    this.#db = new DatabaseSync(path);
    // With a write-ahead log and NORMAL a commit is with the kernel when it returns, so kill -9 loses nothing; a power
    // failure may lose the last commits but not the file. An fsync a state would cost more than the state itself.
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000;');
    this.#db.exec(schema);
    this.#statements = prepare(this.#db);
  }

  insert(flow: string, name: string, input: string, startedAt: number): boolean {
    return this.#statements.insert.run(flow, name, input, startedAt).changes === 1;
  }

  find(flow: string, name: string): StoredExecution | undefined {
    return this.#statements.find.get(flow, name) as StoredExecution | undefined;
  }

  running(): StoredExecution[] {
    return this.#statements.running.all() as unknown as StoredExecution[];
  }

  end(flow: string, name: string, { state, output, error, cause, ended_at }: Ending): void {
    this.#transact(() => {
      this.#statements.end.run(state, output, error, cause, ended_at, flow, name);
      this.#statements.drop.run(flow, name);
    });
  }

  untold(): StoredExecution[] {
    return this.#statements.untold.all() as unknown as StoredExecution[];
  }

  markTold(flow: string, name: string): void {
    this.#statements.markTold.run(flow, name);
  }

  checkpoints(flow: string, name: string): Map<string, string> {
    const rows = this.#statements.checkpoints.all(flow, name) as { branch: string; checkpoint: string }[];
    return new Map(rows.map((row) => [row.branch, row.checkpoint]));
  }

  saveCheckpoint(flow: string, name: string, branch: string, checkpoint: string, dropBelow: boolean): void {
    if (!dropBelow) {
      this.#statements.save.run(flow, name, branch, checkpoint);
      return;
    }
    this.#transact(() => {
      this.#statements.dropBelow.run(flow, name, branch, branch);
      this.#statements.save.run(flow, name, branch, checkpoint);
    });
  }

  /** Keeps the last 1,000 and at most a day; never less than five minutes, in which the queue may deliver a start again. */
  prune(now: number): void {
    this.#statements.prune.run({ old: now - retention.dayMs, recent: now - retention.deduplicationMs });
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #transact(write: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      write();
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}
