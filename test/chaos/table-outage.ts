// The table of a running service, away for a while: another connection holds its lock, so that every write waits and then fails.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalService } from '../support/local-service.ts';

export async function takeTableAway(service: LocalService, forMs: number): Promise<void> {
  const database = new DatabaseSync(join(service.state, 'table.sqlite'), { timeout: 5_000 });
  try {
    database.exec('BEGIN IMMEDIATE');
    await sleep(forMs);
    database.exec('ROLLBACK');
  } finally {
    database.close();
  }
}
