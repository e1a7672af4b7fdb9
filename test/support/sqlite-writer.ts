// A process that writes numbered transactions to an SQLite table until it is killed, and prints each number once its
// transaction is acknowledged. Every transaction puts three items and moves the counter.
import { writeSync } from 'node:fs';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';

const table = new SqliteTable({ path: process.argv[2]! });
for (let number = 1; ; number++) {
  await table.transact([
    ...['a', 'b', 'c'].map((part) => ({
      kind: 'put' as const,
      item: { pk: `LB#${number}`, sk: part, filler: 'x'.repeat(2_000) },
    })),
    { kind: 'update', key: { pk: 'COUNTER', sk: 'COUNTER' }, set: { number } },
  ]);
  // Written at once: a buffered line would be lost with the process and hide what it acknowledged.
  writeSync(1, `${number}\n`);
}
