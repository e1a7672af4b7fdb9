// Messages that survive the death of the process. fauxqs has a journal of its own, which cannot be used: it loses a message
// that is made visible at once, syncs to disk several times a message, and keeps what was in flight hidden after a restart.
import { DatabaseSync } from 'node:sqlite';
import type { SqsStore } from '../../node_modules/fauxqs/dist/sqs/sqsStore.js';
import type { SqsMessage } from '../../node_modules/fauxqs/dist/sqs/sqsTypes.js';

const schema = `CREATE TABLE IF NOT EXISTS messages (
  position INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL UNIQUE, queue TEXT NOT NULL, message TEXT NOT NULL,
  receive_count INTEGER NOT NULL DEFAULT 0)`;

/** Has the methods fauxqs calls on its persistence as messages come and go; queues are made anew at every start. */
export class MessageJournal {
  readonly #db: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;
  #isOpenTransaction = false;

  constructor(path: string) {
    this.#db = new DatabaseSync(path);
    // A commit is with the kernel when it returns: kill -9 loses nothing, a power failure perhaps the last messages.
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
    this.#db.exec(schema);
    this.#statements = prepare(this.#db);
  }

  /** Puts every message back as visible: whoever had received one has died with the last process. */
  load(store: SqsStore): void {
    const rows = this.#statements.all.all() as { queue: string; message: string; receive_count: number }[];
    for (const { queue, message, receive_count } of rows) {
      const stored: SqsMessage = { ...JSON.parse(message), approximateReceiveCount: receive_count };
      store.getQueueByName(queue)?.enqueue(stored);
    }
  }

  insertMessage(queue: string, message: SqsMessage): void {
    this.#begin();
    this.#statements.insert.run(message.messageId, queue, JSON.stringify(message), message.approximateReceiveCount);
  }

  deleteMessage(messageId: string): void {
    this.#begin();
    this.#statements.delete.run(messageId);
  }

  updateMessageInflight(messageId: string, _handle: string, _deadline: number, receiveCount: number): void {
    this.#begin();
    this.#statements.received.run(receiveCount, messageId);
  }

  deleteQueueMessages(queue: string): void {
    this.#begin();
    this.#statements.purge.run(queue);
  }

  /** Visible or not is not kept: after a restart everything is. */
  updateMessageReady(): void {}
  insertQueue(): void {}
  deleteQueue(): void {}
  updateQueueAttributes(): void {}
  updateQueueSequenceCounter(): void {}

  close(): void {
    this.#commit();
    if (this.#db.isOpen) this.#db.close();
  }

  /**
   * One commit for all that an action writes: a move to the dead-letter queue is a delete and an insert. The microtask
   * runs before the action's answer is written to the socket, so what was acknowledged is committed.
   */
  #begin(): void {
    if (this.#isOpenTransaction) return;
    this.#db.exec('BEGIN');
    this.#isOpenTransaction = true;
    queueMicrotask(() => this.#commit());
  }

  #commit(): void {
    if (!this.#isOpenTransaction) return;
    this.#isOpenTransaction = false;
    this.#db.exec('COMMIT');
  }
}

function prepare(db: DatabaseSync) {
  return {
    all: db.prepare('SELECT queue, message, receive_count FROM messages ORDER BY position'),
    insert: db.prepare(
      'INSERT OR REPLACE INTO messages (message_id, queue, message, receive_count) VALUES (?, ?, ?, ?)',
    ),
    delete: db.prepare('DELETE FROM messages WHERE message_id = ?'),
    received: db.prepare('UPDATE messages SET receive_count = ? WHERE message_id = ?'),
    purge: db.prepare('DELETE FROM messages WHERE queue = ?'),
  };
}
