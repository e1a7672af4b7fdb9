// Both tables, each made empty for a test, and the items that tests of tables put into them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach } from 'vitest';
import { DynamoDbTable } from '../../lambdas/drivers/table/dynamodb.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import type { Condition, Item, Operation, Table } from '../../lambdas/drivers/table/table.ts';
import { startDynamoDbEngine } from './dynamodb-engine.ts';

const directory = mkdtempSync(join(tmpdir(), 'table-'));
const engine = startDynamoDbEngine();
let files = 0;

interface TableUnderTest {
  name: string;
  /** Undefined when there is no engine for it. */
  make?: () => Promise<Table>;
}

export const tables: TableUnderTest[] = [
  { name: 'SQLite', make: async () => new SqliteTable({ path: join(directory, `${++files}.db`) }) },
  {
    name: engine ? `DynamoDB (${engine.name})` : 'DynamoDB (skipped: no engine, the line above says why)',
    make: engine && (async () => new DynamoDbTable({ tableName: await engine.createTable(), client: engine.client })),
  },
];

afterAll(() => {
  engine?.close();
  rmSync(directory, { recursive: true });
});

/** An empty table before each test of the block, and the means to fill it. */
export function useTable(make: TableUnderTest['make']) {
  const given = {
    table: undefined as unknown as Table,
    async putAll(items: Item[]) {
      for (let start = 0; start < items.length; start += 100) {
        await given.table.transact(items.slice(start, start + 100).map((item) => put(item)));
      }
    },
  };
  beforeEach(async (context) => {
    if (make === undefined) return context.skip('no DynamoDB engine');
    const table = await make();
    given.table = table;
    return () => table.close();
  });
  return given;
}

export const lb = { pk: 'LB#1', sk: 'LB' };
export const member = (number: number, more: Record<string, unknown> = {}): Item => ({
  pk: 'LB#1',
  sk: `MEMBER#${String(number).padStart(3, '0')}`,
  ...more,
});
export const put = (item: Item, when?: Condition): Operation => ({ kind: 'put', item, when });
export const sortKeys = (items: Item[]) => items.map(({ sk }) => sk);
export const kilobytes = (count: number) => 'x'.repeat(count * 1024);
