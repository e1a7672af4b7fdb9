// The table on AWS, where Octavia has its SQL database: one DynamoDB table with four indexes.
import { setTimeout as wait } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import {
  BatchGetItemCommand,
  DeleteItemCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { isConditionFailed } from '../aws-errors.ts';
import { tableError } from './dynamodb-failures.ts';
import { awsKey, deleteRequest, putRequest, transactItem, updateRequest } from './dynamodb-writes.ts';
import { keyExpression, Placeholders } from './expressions.ts';
import { itemBytes } from './item-size.ts';
import { checkKey, checkOperations, checkTransactionBytes, nameOfKey } from './operations.ts';
import { checkBounds, decodeCursor, encodeCursor } from './query-bounds.ts';
import {
  type CancellationReason,
  type IndexQuery,
  type Item,
  indexes,
  type Key,
  limits,
  type Operation,
  type Page,
  type Query,
  type Table,
  TableUnavailable,
  TransactionCancelled,
} from './table.ts';

export { DynamoDBClient };

export interface DynamoDbTableOptions extends Pick<DynamoDBClientConfig, 'region' | 'endpoint' | 'requestHandler'> {
  tableName: string;
  /** Taken as it is, instead of one made from the other options; closing the table leaves it open. */
  client?: DynamoDBClient;
  sleep?: (ms: number) => Promise<unknown>;
}

/** DynamoDB answers in milliseconds: a request that takes seconds is lost, and sooner retried than waited for. */
const timeouts = { connectionTimeout: 1_000, requestTimeout: 3_000, throwOnRequestTimeout: true };
/** 25 ms doubled seven times: 3 s in all until the keys DynamoDB keeps handing back are given up. */
const firstBackoffMs = 25;
const maxAttempts = 8;

const ourItem = (item: Parameters<typeof unmarshall>[0]) => unmarshall(item) as Item;

export class DynamoDbTable implements Table {
  readonly #client: DynamoDBClient;
  readonly #ownsClient: boolean;
  readonly #tableName: string;
  readonly #sleep: (ms: number) => Promise<unknown>;

  constructor({ tableName, client, sleep = wait, requestHandler = timeouts, ...config }: DynamoDbTableOptions) {
    this.#tableName = tableName;
    this.#client = client ?? new DynamoDBClient({ ...config, requestHandler });
    this.#ownsClient = client === undefined;
    this.#sleep = sleep;
  }

  async get(key: Key): Promise<Item | undefined> {
    checkKey(key);
    const command = new GetItemCommand({ TableName: this.#tableName, Key: awsKey(key), ConsistentRead: true });
    const { Item: item } = await guard(this.#client.send(command));
    return item && ourItem(item);
  }

  async batchGet(keys: Key[]): Promise<Item[]> {
    keys.forEach(checkKey);
    // DynamoDB refuses a key that is asked for twice.
    const distinct = [...new Map(keys.map((key) => [nameOfKey(key), key])).values()];
    const chunks = Array.from({ length: Math.ceil(distinct.length / limits.batchGetKeys) }, (_, index) =>
      distinct.slice(index * limits.batchGetKeys, (index + 1) * limits.batchGetKeys),
    );
    return (await Promise.all(chunks.map((chunk) => this.#getChunk(chunk)))).flat();
  }

  async query(query: Query): Promise<Page> {
    return this.#page(query, { pk: 'pk', sk: 'sk' }, ['sk'], { ConsistentRead: true });
  }

  async queryIndex(query: IndexQuery): Promise<Page> {
    const columns = indexes[query.index];
    return this.#page(query, columns, [columns.sk, 'pk', 'sk'], { IndexName: query.index });
  }

  async transact(operations: Operation[]): Promise<void> {
    checkOperations(operations);
    checkPuts(operations);
    const [first] = operations;
    if (operations.length > 1 || !isRepeatable(first!))
      return void (await guard(this.#writeAll(operations), operations.length));
    await guard(this.#writeOne(first).catch(unlessOurs(first)), 1);
  }

  async close(): Promise<void> {
    if (this.#ownsClient) this.#client.destroy();
  }

  async #getChunk(chunk: Key[]): Promise<Item[]> {
    const items: Item[] = [];
    let keys: ReturnType<typeof awsKey>[] = chunk.map(awsKey);
    for (let attempt = 1; ; attempt++) {
      const command = new BatchGetItemCommand({
        RequestItems: { [this.#tableName]: { Keys: keys, ConsistentRead: true } },
      });
      const { Responses, UnprocessedKeys } = await guard(this.#client.send(command));
      items.push(...(Responses?.[this.#tableName] ?? []).map(ourItem));
      keys = UnprocessedKeys?.[this.#tableName]?.Keys ?? [];
      if (keys.length === 0) return items;
      if (attempt === maxAttempts) throw new TableUnavailable(`DynamoDB left ${keys.length} keys of a batch unread`);
      await this.#sleep(firstBackoffMs * 2 ** (attempt - 1));
    }
  }

  async #page(
    query: Query | IndexQuery,
    columns: { pk: string; sk: string },
    sortColumns: string[],
    from: { ConsistentRead: true } | { IndexName: string },
  ): Promise<Page> {
    checkBounds(query);
    const placeholders = new Placeholders();
    const command = new QueryCommand({
      TableName: this.#tableName,
      ...from,
      KeyConditionExpression: keyExpression(columns, query, placeholders),
      ...placeholders.attributes,
      Limit: query.limit,
      ScanIndexForward: !query.reverse,
      ExclusiveStartKey: query.after === undefined ? undefined : startKey(query, columns.pk, sortColumns),
    });
    const { Items, LastEvaluatedKey } = await guard(this.#client.send(command));
    const last = LastEvaluatedKey && ourItem(LastEvaluatedKey);
    return {
      items: (Items ?? []).map(ourItem),
      next: last && encodeCursor(sortColumns.map((column) => last[column] as string)),
    };
  }

  /** A write of its own costs half of what a transaction of one does. */
  #writeOne(operation: Exclude<Operation, { kind: 'check' }>): Promise<unknown> {
    if (operation.kind === 'put') return this.#client.send(new PutItemCommand(putRequest(this.#tableName, operation)));
    if (operation.kind === 'delete')
      return this.#client.send(new DeleteItemCommand(deleteRequest(this.#tableName, operation)));
    return this.#client.send(new UpdateItemCommand(updateRequest(this.#tableName, operation)));
  }

  /** The SDK adds a ClientRequestToken and repeats it when it retries, so that DynamoDB applies a transaction once. */
  #writeAll(operations: Operation[]): Promise<unknown> {
    const TransactItems = operations.map((operation) => transactItem(this.#tableName, operation));
    return this.#client.send(new TransactWriteItemsCommand({ TransactItems }));
  }
}

async function guard<T>(answer: Promise<T>, operationCount = 0): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw tableError(error, operationCount);
  }
}

/** An `add` without a token would count twice when its answer is lost and the SDK tries again; a check has no call of its own. */
function isRepeatable(operation: Operation): operation is Exclude<Operation, { kind: 'check' }> {
  return operation.kind !== 'check' && !(operation.kind === 'update' && Object.keys(operation.add ?? {}).length > 0);
}

/**
 * A condition that fails on a second attempt may have met what the first one wrote, whose answer was lost: then the item is as
 * the operation leaves it.
 */
const unlessOurs =
  (operation: Exclude<Operation, { kind: 'check' }>) =>
  (error: unknown): void => {
    const { $metadata, Item: found } = error as {
      $metadata?: { attempts?: number };
      Item?: Parameters<typeof unmarshall>[0];
    };
    if (!isConditionFailed(error) || ($metadata?.attempts ?? 1) < 2) throw error;
    if (!isLeftBy(operation, found && ourItem(found))) throw error;
  };

function isLeftBy(operation: Exclude<Operation, { kind: 'check' }>, found: Item | undefined): boolean {
  if (operation.kind === 'delete') return found === undefined;
  if (found === undefined) return false;
  const { set = {}, remove = [] } = operation.kind === 'put' ? { set: operation.item } : operation;
  const isSet = ([name, value]: [string, unknown]) => value === undefined || isDeepStrictEqual(found[name], value);
  return Object.entries(set).every(isSet) && remove.every((name) => found[name] === undefined);
}

/** Sizes known before the call are refused here, for DynamoDB's text does not say which operation it means. */
function checkPuts(operations: Operation[]): void {
  const sizes = operations.map((operation) =>
    operation.kind === 'put' ? itemBytes(operation.item) : setBytes(operation),
  );
  const reasons = sizes.map(
    (bytes): CancellationReason => ({ code: bytes > limits.itemBytes ? 'ItemTooLarge' : 'None' }),
  );
  if (reasons.some(({ code }) => code !== 'None')) throw new TransactionCancelled(reasons);
  checkTransactionBytes(sizes.reduce((total, bytes) => total + bytes, 0));
}

const setBytes = (operation: Operation) => (operation.kind === 'update' ? itemBytes(operation.set ?? {}) : 0);

function startKey({ pk, after }: Query | IndexQuery, pkColumn: string, sortColumns: string[]) {
  const parts = decodeCursor(after!, sortColumns.length);
  return marshall({
    [pkColumn]: pk,
    ...Object.fromEntries(sortColumns.map((column, index) => [column, parts[index]])),
  });
}
