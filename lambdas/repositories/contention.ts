// Writers that meet: within a process they queue up, between processes the loser reads again and tries again.

import { ApiError } from '../domain/errors.ts';
import { TransactionCancelled } from '../drivers/table/table.ts';
import type { Store } from './store.ts';

const queues = new Map<string, Promise<unknown>>();

/** One at a time per key in this process: cheaper than losing a transaction. */
async function inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
  const before = queues.get(key);
  const mine = (before ?? Promise.resolve()).then(work, work);
  const settled = mine.catch(() => undefined);
  queues.set(key, settled);
  try {
    return await mine;
  } finally {
    if (queues.get(key) === settled) queues.delete(key);
  }
}

const patienceMs = 20_000;

/** The row was changed by somebody else since it was read. */
export class RowChanged extends Error {
  override readonly name = 'RowChanged';
}

const lost = (error: unknown): boolean =>
  error instanceof RowChanged || (error instanceof TransactionCancelled && error.isConflict);

/**
 * Runs a read-decide-write that fails with RowChanged or a transaction conflict when somebody was faster, again and again.
 * @throws ApiError 503 after twenty seconds of losing
 */
export function untilWon<T>(store: Store, key: string, attempt: () => Promise<T>): Promise<T> {
  return inTurn(key, async () => {
    const giveUpAt = store.clock.now() + patienceMs;
    for (let tries = 0; ; tries++) {
      try {
        return await attempt();
      } catch (error) {
        if (!lost(error)) throw error;
        if (store.clock.now() > giveUpAt)
          throw new ApiError(503, 'The load balancer is busy. Please try again.', { cause: error });
        // Full jitter, 10 ms doubling to 320 ms.
        await store.clock.sleep(Math.random() * 10 * 2 ** Math.min(tries, 5));
      }
    }
  });
}
