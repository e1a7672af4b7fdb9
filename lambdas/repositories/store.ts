// What repositories are given: the table, the clock and fresh ids.
import type { Table } from '../drivers/table/table.ts';

export interface Store {
  table: Table;
  clock: { now(): number; sleep(ms: number): Promise<void> };
  newId(): string;
}
