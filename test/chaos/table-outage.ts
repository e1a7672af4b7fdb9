// The table of a running service, away for a while: another connection holds its lock, so that every write waits and then fails.
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../support/eventually.ts';
import type { LocalService } from '../support/local-service.ts';

const locked = 5;

/** @returns whether it could be had: it is held by the service for moments, and by another outage for longer */
function hold(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN IMMEDIATE');
    return true;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === locked) return false;
    throw error;
  }
}

export async function takeTableAway(service: LocalService, forMs: number): Promise<void> {
  // It does not wait for the lock by itself: nothing else would go on here meanwhile.
  const database = new DatabaseSync(join(service.state, 'table.sqlite'), { timeout: 0 });
  try {
    await eventually('the lock of the table is free', () => hold(database));
    await sleep(forMs);
    database.exec('ROLLBACK');
  } finally {
    database.close();
  }
}
