// What dynalite lacks of DynamoDB: transactions over several items with their reasons and tokens, conflicts between
// writers, and the old item in a failed condition. It evaluates with dynalite's own parsers and writes with its own
// actions, one request after the other: dynalite interleaves requests, and a transaction must not be seen half done.
import { isDeepStrictEqual } from 'node:util';

type Json = any;

/** dynalite without its HTTP server: `parse` checks a request and compiles its expressions, `run` carries it out. */
export interface Actions {
  parse(action: string, input: Json): Json;
  run(action: string, parsed: Json): Promise<Json>;
  holds(parsed: Json, item: Json): boolean;
}

/** An error as DynamoDB answers it: a type, a text and now and then more. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly body: Record<string, unknown>;
  constructor(type: string, message: string, more: Record<string, unknown> = {}, status = 400) {
    super(message);
    this.status = status;
    this.body = { __type: `com.amazonaws.dynamodb.v20120810#${type}`, message, ...more };
  }
}

const actionOfKind = {
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  ConditionCheck: 'DeleteItem',
} as const;
type Kind = keyof typeof actionOfKind;
const maxOperations = 100;

interface Write {
  kind: Kind;
  input: Json;
  key: Json;
  /** Names the item in the sets of what is being written. */
  name: string;
}

function writeOf(kind: Kind, input: Json): Write {
  const { pk, sk } = input.Key ?? input.Item;
  return { kind, input, key: { pk, sk }, name: JSON.stringify([input.TableName, pk, sk]) };
}

export class Transactions {
  readonly #actions: Actions;
  /** Items that requests not answered yet will write, with how many such requests there are. */
  readonly #writing = new Map<string, number>();
  readonly #transacting = new Map<string, number>();
  readonly #done = new Map<string, unknown>();
  #tail: Promise<unknown> = Promise.resolve();

  constructor(actions: Actions) {
    this.#actions = actions;
  }

  async handle(action: string, input: Json): Promise<Json> {
    if (action === 'TransactWriteItems') return this.#transact(input);
    const kind = (Object.keys(actionOfKind) as Kind[]).find((kind) => actionOfKind[kind] === action);
    if (kind === undefined) return this.#inTurn(() => this.#run(action, input));
    const write = writeOf(kind, input);
    if (this.#transacting.has(write.name))
      throw new Refusal('TransactionConflictException', 'Transaction is ongoing for the item');
    return this.#whileHeld(this.#writing, [write], () => this.#writeOne(action, write));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(work);
    this.#tail = turn.catch(() => {});
    return turn;
  }

  async #whileHeld<T>(held: Map<string, number>, writes: Write[], work: () => Promise<T>): Promise<T> {
    for (const { name } of writes) held.set(name, (held.get(name) ?? 0) + 1);
    try {
      return await this.#inTurn(work);
    } finally {
      for (const { name } of writes) {
        const others = held.get(name)! - 1;
        if (others === 0) held.delete(name);
        else held.set(name, others);
      }
    }
  }

  #run(action: string, input: Json): Promise<Json> {
    return this.#actions.run(action, this.#actions.parse(action, input));
  }

  async #read({ input, key }: Write): Promise<Json> {
    return (await this.#run('GetItem', { TableName: input.TableName, Key: key })).Item;
  }

  async #writeOne(action: string, write: Write): Promise<Json> {
    const parsed = this.#actions.parse(action, write.input);
    const before = await this.#read(write);
    if (this.#actions.holds(parsed, before)) return this.#actions.run(action, parsed);
    throw new Refusal('ConditionalCheckFailedException', 'The conditional request failed', oldItem(write, before));
  }

  async #transact(input: Json): Promise<Json> {
    const writes: Write[] = input.TransactItems.map((item: Json) => {
      const kind = Object.keys(item)[0] as Kind;
      return writeOf(kind, item[kind]);
    });
    checkTransaction(writes);
    const conflicts = writes.map(({ name }) => this.#transacting.has(name) || this.#writing.has(name));
    if (conflicts.includes(true)) {
      throw cancelled(conflicts.map((isConflict) => (isConflict ? { Code: 'TransactionConflict' } : { Code: 'None' })));
    }
    return this.#whileHeld(this.#transacting, writes, () => this.#transactOnce(input, writes));
  }

  /** The same token with the same request again, within ten minutes on AWS, is answered and not carried out. */
  async #transactOnce({ ClientRequestToken: token, ...input }: Json, writes: Write[]): Promise<Json> {
    if (this.#done.has(token)) {
      if (isDeepStrictEqual(this.#done.get(token), input)) return {};
      throw new Refusal('IdempotentParameterMismatchException', 'The token was used for another request');
    }
    const before = await Promise.all(writes.map((write) => this.#read(write)));
    const parsed = writes.map(({ kind, input }) => this.#actions.parse(actionOfKind[kind], input));
    const reasons = writes.map((write, index) =>
      this.#actions.holds(parsed[index], before[index])
        ? { Code: 'None' }
        : {
            Code: 'ConditionalCheckFailed',
            Message: 'The conditional request failed',
            ...oldItem(write, before[index]),
          },
    );
    if (reasons.some(({ Code }) => Code !== 'None')) throw cancelled(reasons);
    await this.#apply(writes, parsed, before);
    if (token !== undefined) this.#done.set(token, input);
    return {};
  }

  /** Only an update can still fail here, by what it makes of the item: then what was written before is put back. */
  async #apply(writes: Write[], parsed: Json[], before: Json[]): Promise<void> {
    for (const [index, { kind }] of writes.entries()) {
      if (kind === 'ConditionCheck') continue;
      try {
        await this.#actions.run(actionOfKind[kind], parsed[index]);
      } catch (error) {
        for (let undone = 0; undone < index; undone++) await this.#restore(writes[undone]!, before[undone]);
        const Message = (error as Error).message;
        throw cancelled(
          writes.map((_, other) => (other === index ? { Code: 'ValidationError', Message } : { Code: 'None' })),
        );
      }
    }
  }

  #restore({ input: { TableName }, key }: Write, before: Json): Promise<Json> {
    return before === undefined
      ? this.#run('DeleteItem', { TableName, Key: key })
      : this.#run('PutItem', { TableName, Item: before });
  }
}

const oldItem = ({ input }: Write, before: Json) =>
  input.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && before !== undefined ? { Item: before } : {};

function checkTransaction(writes: Write[]): void {
  const invalid = (message: string) => new Refusal('ValidationException', message);
  if (writes.length < 1 || writes.length > maxOperations)
    throw invalid(`Member must have length between 1 and ${maxOperations}`);
  if (new Set(writes.map(({ name }) => name)).size < writes.length) {
    throw invalid('Transaction request cannot include multiple operations on one item');
  }
  const incomplete = writes.some(
    ({ kind, input }) =>
      (kind === 'ConditionCheck' && !input.ConditionExpression) || (kind === 'Update' && !input.UpdateExpression),
  );
  if (incomplete) throw invalid('The expression can not be empty');
}

function cancelled(reasons: { Code: string }[]): Refusal {
  const codes = reasons.map(({ Code }) => Code).join(', ');
  const message = `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`;
  return new Refusal('TransactionCanceledException', message, { CancellationReasons: reasons });
}
