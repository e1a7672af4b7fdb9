// DynamoDB for tests, reached through the real SDK. It needs nothing but npm: dynalite in this process, with the
// transactions it lacks laid over it. DYNAMODB_ENDPOINT names another one (DynamoDB Local, say) to be used instead.
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import {
  CreateTableCommand,
  DynamoDBClient,
  type DynamoDBClientConfig,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { tableDefinition } from '../../lambdas/drivers/table/definition.ts';
import { type Actions, Refusal, Transactions } from './dynamodb-transactions.ts';

/** What becomes of the next request of an action: refused before, or carried out with its answer lost on the way. */
export type Fault = { refusedWith: string; status?: number } | 'answer lost' | 'connection refused';

export interface DynamoDbEngine {
  readonly name: string;
  readonly client: DynamoDBClient;
  /** Counts of requests by action, so that a test can say what something costs. Empty for an engine of its own process. */
  readonly requests: Map<string, number>;
  /** Makes an empty table and gives its name. */
  createTable(): Promise<string>;
  /** Only where `canFail`. */
  failNext(action: string, fault: Fault): void;
  readonly canFail: boolean;
  /** Forgets faults that did not happen and requests counted. */
  reset(): void;
  close(): void;
}

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
/** One retry is enough to see that there are retries, and the SDK waits before each. */
export const maxAttempts = 2;
const require = createRequire(import.meta.url);

/** dynalite's parts rather than its HTTP server, which knows no transactions. Its version is pinned for that. */
function loadDynalite(): Actions {
  const database = require('dynalite/db');
  const validations = require('dynalite/validations');
  const store = database.create({ createTableMs: 0 });
  const load = (folder: string, action: string) =>
    require(`dynalite/${folder}/${action[0]!.toLowerCase()}${action.slice(1)}`);
  return {
    parse(action, input) {
      const { types, custom } = load('validations', action);
      // checkTypes drops what it does not know from its argument, such as ReturnValuesOnConditionCheckFailure.
      const parsed = validations.checkTypes(structuredClone(input), types);
      validations.checkValidations(parsed, types, custom, store);
      return parsed;
    },
    run(action, parsed) {
      return new Promise((resolve, reject) => {
        load('actions', action)(store, parsed, (error: unknown, answer: unknown) =>
          error ? reject(error) : resolve(answer),
        );
      });
    },
    holds: (parsed, item) => database.checkConditional(parsed, item) == null,
  };
}

type Request = { headers: Record<string, string>; body?: string | Uint8Array };
const networkFault = (code: string) => Object.assign(new Error(code), { code });
const answer = (statusCode: number, body: unknown) => ({
  response: {
    statusCode,
    headers: { 'content-type': 'application/x-amz-json-1.0' },
    body: Buffer.from(JSON.stringify(body)),
  },
});

/** Stands where the SDK has its HTTP connection. */
class InProcessHandler {
  readonly requests = new Map<string, number>();
  readonly #transactions: Transactions;
  readonly #faults = new Map<string, Fault[]>();

  constructor(actions: Actions) {
    this.#transactions = new Transactions(actions);
  }

  failNext(action: string, fault: Fault): void {
    this.#faults.set(action, [...(this.#faults.get(action) ?? []), fault]);
  }

  reset(): void {
    this.requests.clear();
    this.#faults.clear();
  }

  async handle({ headers, body }: Request) {
    const action = headers['x-amz-target']!.split('.')[1]!;
    this.requests.set(action, (this.requests.get(action) ?? 0) + 1);
    const fault = this.#faults.get(action)?.shift();
    if (fault === 'connection refused') throw networkFault('ECONNREFUSED');
    try {
      if (typeof fault === 'object') throw new Refusal(fault.refusedWith, 'asked for by the test', {}, fault.status);
      const output = await this.#transactions.handle(
        action,
        JSON.parse(typeof body === 'string' ? body : new TextDecoder().decode(body)),
      );
      if (fault === 'answer lost') throw networkFault('ECONNRESET');
      return answer(200, output);
    } catch (error) {
      // Both our refusals and dynalite's errors carry the body of DynamoDB's answer.
      const { status, statusCode = status, body } = error as { status?: number; statusCode?: number; body?: unknown };
      if (body === undefined) throw error;
      return answer(statusCode ?? 400, body);
    }
  }

  updateHttpClientConfig(): void {}
  httpHandlerConfigs = () => ({});
  destroy(): void {}
}

const createTableInput = (TableName: string) => ({
  TableName,
  BillingMode: 'PAY_PER_REQUEST' as const,
  KeySchema: keySchema(tableDefinition),
  AttributeDefinitions: [tableDefinition, ...tableDefinition.indexes]
    .flatMap(({ partitionKey, sortKey }) => [partitionKey, sortKey])
    .map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const })),
  GlobalSecondaryIndexes: tableDefinition.indexes.map((index) => ({
    IndexName: index.name,
    KeySchema: keySchema(index),
    Projection: { ProjectionType: 'ALL' as const },
  })),
});

const keySchema = ({ partitionKey, sortKey }: { partitionKey: string; sortKey: string }) => [
  { AttributeName: partitionKey, KeyType: 'HASH' as const },
  { AttributeName: sortKey, KeyType: 'RANGE' as const },
];

async function createTable(client: DynamoDBClient): Promise<string> {
  const TableName = `octavia-${randomUUID()}`;
  await client.send(new CreateTableCommand(createTableInput(TableName)));
  await waitUntilTableExists({ client, minDelay: 0.01, maxDelay: 0.1, maxWaitTime: 10 }, { TableName });
  return TableName;
}

function engineOf(name: string, config: DynamoDBClientConfig, handler?: InProcessHandler): DynamoDbEngine {
  const client = new DynamoDBClient({ region: 'us-east-1', credentials, maxAttempts, ...config });
  return {
    name,
    client,
    canFail: handler !== undefined,
    requests: handler?.requests ?? new Map(),
    createTable: () => createTable(client),
    failNext(action, fault) {
      if (handler === undefined) throw new Error(`${name} cannot be made to fail`);
      handler.failNext(action, fault);
    },
    reset: () => handler?.reset(),
    close: () => client.destroy(),
  };
}

/** Undefined, and a line that says why, when there is no engine: tests that need one are then skipped with that reason. */
export function startDynamoDbEngine(): DynamoDbEngine | undefined {
  const endpoint = process.env['DYNAMODB_ENDPOINT'];
  if (endpoint) return engineOf(`DynamoDB at ${endpoint}`, { endpoint });
  try {
    const handler = new InProcessHandler(loadDynalite());
    return engineOf(
      'dynalite with transactions',
      { requestHandler: handler as DynamoDBClientConfig['requestHandler'] },
      handler,
    );
  } catch (error) {
    console.error(
      `\n*** NO DYNAMODB ENGINE: every test of the DynamoDB table is SKIPPED: ${(error as Error).message} ***\n`,
    );
    return undefined;
  }
}
