// What is one table's own, above all when what is under it fails: a killed process for SQLite, AWS and the network for DynamoDB.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { DynamoDbTable } from '../../lambdas/drivers/table/dynamodb.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { type Item, queryAll, TableUnavailable } from '../../lambdas/drivers/table/table.ts';
import { maxAttempts, startDynamoDbEngine } from '../support/dynamodb-engine.ts';

const lb = { pk: 'LB#1', sk: 'LB' };
const put = (item: Item) => ({ kind: 'put' as const, item });

describe('table in SQLite', () => {
  const directory = mkdtempSync(join(tmpdir(), 'table-failures-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  it('keeps everything when the file is closed and opened again', async () => {
    const path = join(directory, 'reopened.db');
    const items = Array.from({ length: 100 }, (_, number) => ({
      pk: 'LB#1',
      sk: `${100 + number}`,
      type_pk: 'T',
      type_sk: `${number}`,
    }));
    const table = new SqliteTable({ path });
    await table.transact(items.map(put));
    await table.close();
    await table.close();
    const reopened = new SqliteTable({ path });
    expect(await queryAll(reopened, { pk: 'LB#1' })).toStrictEqual(items);
    expect(await queryAll(reopened, { index: 'by_type', pk: 'T' })).toHaveLength(100);
    await reopened.close();
  });

  it('keeps nothing in memory', async () => {
    const table = new SqliteTable({ path: ':memory:' });
    await table.transact([put(lb)]);
    expect(await table.get(lb)).toEqual(lb);
    await table.close();
    expect(await new SqliteTable({ path: ':memory:' }).get(lb)).toBeUndefined();
  });

  // DynamoDB does so too; the engine of its tests compares as JavaScript does, which differs beyond the basic plane.
  it('compares strings by their UTF-8 bytes in a condition', async () => {
    const table = new SqliteTable({ path: ':memory:' });
    await table.transact([put({ ...lb, name: '～' })]);
    await table.transact([{ kind: 'check', key: lb, when: { below: { name: '🐙' } } }]);
    const wrongWay = table.transact([{ kind: 'check', key: lb, when: { below: { name: 'a' } } }]);
    await expect(wrongWay).rejects.toMatchObject({ name: 'TransactionCancelled' });
  });

  it('ends a page at the bytes it is given, with one item at least', async () => {
    const table = new SqliteTable({ path: ':memory:', pageBytes: 1_000 });
    const items = [300, 300, 300, 2_000, 10].map((bytes, number) => ({
      pk: 'LB#1',
      sk: `${number}`,
      filler: 'x'.repeat(bytes),
    }));
    await table.transact(items.map(put));
    const lengths: number[] = [];
    for (let after: string | undefined, more = true; more; ) {
      const page = await table.query({ pk: 'LB#1', after });
      lengths.push(page.items.length);
      after = page.next;
      more = after !== undefined;
    }
    expect(lengths).toEqual([3, 1, 1]);
  });

  it('has every acknowledged transaction, and none in part, after SIGKILL in the middle of writing', {
    timeout: 20_000,
  }, async () => {
    const path = join(directory, 'killed.db');
    const acknowledged = await killWhileWriting(path, 300);
    const table = new SqliteTable({ path });
    const counter = await table.get({ pk: 'COUNTER', sk: 'COUNTER' });
    const last = counter!['number'] as number;
    expect(acknowledged).toBeGreaterThanOrEqual(300);
    expect(last).toBeGreaterThanOrEqual(acknowledged);
    for (let number = 1; number <= last; number++)
      expect((await table.query({ pk: `LB#${number}` })).items).toHaveLength(3);
    expect((await table.query({ pk: `LB#${last + 1}` })).items).toEqual([]);
    await table.transact([put(lb)]);
    await table.close();
  });
});

/** Kills a writing process once it acknowledged so many transactions; the number of the last one it acknowledged. */
async function killWhileWriting(path: string, transactions: number): Promise<number> {
  const script = fileURLToPath(new URL('../support/sqlite-writer.ts', import.meta.url));
  const writer = spawn(process.execPath, ['--no-warnings', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  writer.stdout.on('data', (data: Buffer) => {
    output += data;
    if (output.split('\n').length > transactions) writer.kill('SIGKILL');
  });
  const [, signal] = await once(writer, 'close');
  expect(signal).toBe('SIGKILL');
  return Number(output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1));
}

const engine = startDynamoDbEngine();
const reason = engine ? '' : ' (skipped: no engine, the line above says why)';

describe.skipIf(!engine?.canFail)(`table in DynamoDB${reason || ` (${engine?.name})`}`, () => {
  afterAll(() => engine!.close());
  let table: DynamoDbTable;
  const slept: number[] = [];
  beforeEach(async () => {
    const sleep = async (ms: number) => void slept.push(ms);
    table = new DynamoDbTable({ tableName: await engine!.createTable(), client: engine!.client, sleep });
    slept.length = 0;
    engine!.reset();
  });
  const failThroughout = (action: string, fault: Parameters<NonNullable<typeof engine>['failNext']>[1]) => {
    for (let attempt = 0; attempt < maxAttempts; attempt++) engine!.failNext(action, fault);
  };

  it.each([
    { refusedWith: 'ThrottlingException' },
    { refusedWith: 'ProvisionedThroughputExceededException' },
    { refusedWith: 'InternalServerError', status: 500 },
    { refusedWith: 'ServiceUnavailable', status: 503 },
    'connection refused' as const,
  ])('is unavailable, with the cause, when AWS answers %o', async (fault) => {
    failThroughout('GetItem', fault);
    const error = await table.get(lb).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(TableUnavailable);
    expect((error as Error).cause).toBeInstanceOf(Error);
    failThroughout('TransactWriteItems', fault);
    await expect(table.transact([put(lb), put({ ...lb, sk: 'POOL' })])).rejects.toThrow(TableUnavailable);
  });

  it('works through a fault that passes', async () => {
    engine!.failNext('PutItem', { refusedWith: 'ThrottlingException' });
    await table.transact([put(lb)]);
    expect(await table.get(lb)).toEqual(lb);
  });

  it.each(['TransactionConflictException', 'TransactionInProgressException'])(
    'calls %s a conflict',
    async (refusedWith) => {
      failThroughout('TransactWriteItems', { refusedWith });
      const transaction = table.transact([put(lb), put({ ...lb, sk: 'POOL' })]);
      await expect(transaction).rejects.toMatchObject({
        name: 'TransactionCancelled',
        isConflict: true,
        reasons: { length: 2 },
      });
    },
  );

  it('hands on what only an operator can mend', async () => {
    engine!.failNext('GetItem', { refusedWith: 'AccessDeniedException' });
    await expect(table.get(lb)).rejects.toMatchObject({ name: 'AccessDeniedException' });
    const absent = new DynamoDbTable({ tableName: 'no-such-table', client: engine!.client });
    await expect(absent.get(lb)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  it('applies a transaction once when its answer is lost', async () => {
    engine!.failNext('TransactWriteItems', 'answer lost');
    await table.transact([put({ ...lb, sk: 'POOL' }), { kind: 'update', key: lb, add: { in_use: 1 } }]);
    engine!.failNext('TransactWriteItems', 'answer lost');
    await table.transact([{ kind: 'update', key: lb, add: { in_use: 1 } }]);
    expect(engine!.requests.get('TransactWriteItems')).toBe(4);
    expect(await table.get(lb)).toEqual({ ...lb, in_use: 2 });
  });

  it('writes one item without the price of a transaction', async () => {
    await table.transact([{ kind: 'put', item: lb, when: { exists: false } }]);
    await table.transact([{ kind: 'update', key: lb, set: { name: 'web' }, when: { exists: true } }]);
    await table.transact([{ kind: 'delete', key: lb }]);
    expect(Object.fromEntries(engine!.requests)).toMatchObject({ PutItem: 1, UpdateItem: 1, DeleteItem: 1 });
    expect(engine!.requests.has('TransactWriteItems')).toBe(false);
  });

  it('asks again, ever later, for keys DynamoDB left unread', async () => {
    const items = Array.from({ length: 10 }, (_, number) => ({
      pk: 'LB#1',
      sk: `${number}`,
      filler: 'x'.repeat(400_000),
    }));
    for (const item of items) await table.transact([put(item)]);
    expect(await table.batchGet(items)).toHaveLength(10);
    expect(slept).toEqual([25, 50, 100].slice(0, slept.length));
    expect(slept.length).toBeGreaterThan(0);
  });
});
