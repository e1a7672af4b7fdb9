// Conditional writes of one item whose answer is lost: the SDK tries again and meets what it wrote itself.
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { DynamoDbTable } from '../../lambdas/drivers/table/dynamodb.ts';
import { startDynamoDbEngine } from '../support/dynamodb-engine.ts';

const engine = startDynamoDbEngine();
const key = { pk: 'LB#1', sk: 'LB' };

describe.skipIf(!engine?.canFail)('a conditional write in DynamoDB whose answer is lost', () => {
  afterAll(() => engine!.close());
  let table: DynamoDbTable;
  beforeEach(async () => {
    table = new DynamoDbTable({ tableName: await engine!.createTable(), client: engine!.client });
    engine!.reset();
  });
  const loseNext = () => {
    for (const action of ['PutItem', 'UpdateItem', 'DeleteItem', 'TransactWriteItems'])
      engine!.failNext(action, 'answer lost');
  };

  it('is a put that was written', async () => {
    loseNext();
    await table.transact([{ kind: 'put', item: { ...key, name: 'web' }, when: { exists: false } }]);
    expect(await table.get(key)).toEqual({ ...key, name: 'web' });
  });

  it('is an update that was written', async () => {
    await table.transact([{ kind: 'put', item: { ...key, revision: 1 } }]);
    engine!.reset();
    loseNext();
    await table.transact([{ kind: 'update', key, set: { revision: 2 }, when: { equals: { revision: 1 } } }]);
    expect(await table.get(key)).toEqual({ ...key, revision: 2 });
  });

  it('is a delete that was written', async () => {
    await table.transact([{ kind: 'put', item: key }]);
    engine!.reset();
    loseNext();
    await table.transact([{ kind: 'delete', key, when: { exists: true } }]);
    expect(await table.get(key)).toBeUndefined();
  });

  it('is still refused when somebody else was there before', async () => {
    await table.transact([{ kind: 'put', item: { ...key, name: 'theirs' } }]);
    await expect(
      table.transact([{ kind: 'put', item: { ...key, name: 'ours' }, when: { exists: false } }]),
    ).rejects.toMatchObject({ name: 'TransactionCancelled' });
  });
});
