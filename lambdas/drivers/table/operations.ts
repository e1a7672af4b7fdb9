// What holds for a transaction on every table: which operations DynamoDB refuses, and what an update makes of an item.
import { itemBytes } from './item-size.ts';
import { type Condition, type Item, indexes, type Key, limits, type Operation } from './table.ts';

type Update = Extract<Operation, { kind: 'update' }>;

/** DynamoDB's limits on keys, and on the values of one IN. */
const pkBytes = 2048;
const skBytes = 1024;
const valuesOfOneOf = 100;
const indexAttributes = Object.values(indexes).flatMap(({ pk, sk }) => [
  { name: pk, maxBytes: pkBytes },
  { name: sk, maxBytes: skBytes },
]);

export const keyOf = (operation: Operation): Key => (operation.kind === 'put' ? operation.item : operation.key);

/** A key as one string, to find it again in a set or map. No key has a NUL in it. */
export const nameOfKey = ({ pk, sk }: Key) => `${pk}\u0000${sk}`;

function checkKeyPart(name: string, value: unknown, maxBytes: number): void {
  if (typeof value !== 'string' || value === '') throw new TypeError(`key ${name} must be a string that is not empty`);
  // A character is three bytes of UTF-8 at most (four are two characters here), so short keys need no count.
  if (value.length * 3 > maxBytes && Buffer.byteLength(value) > maxBytes)
    throw new TypeError(`key ${name} is over ${maxBytes} bytes`);
}

export function checkKey(key: Key): void {
  checkKeyPart('pk', key.pk, pkBytes);
  checkKeyPart('sk', key.sk, skBytes);
}

function checkIndexKeys(attributes: Record<string, unknown>): void {
  for (const { name, maxBytes } of indexAttributes) {
    if (attributes[name] !== undefined) checkKeyPart(name, attributes[name], maxBytes);
  }
}

const writtenNames = (set: Record<string, unknown> = {}) => Object.keys(set).filter((name) => set[name] !== undefined);

function checkUpdate({ set, add, remove }: Update): void {
  const names = [...writtenNames(set), ...Object.keys(add ?? {}), ...(remove ?? [])];
  if (names.length === 0) throw new TypeError('an update must set, add or remove something');
  if (new Set(names).size < names.length)
    throw new TypeError(`an update names an attribute twice: ${names.join(', ')}`);
  if (names.includes('pk') || names.includes('sk')) throw new TypeError('an update cannot change the key');
  checkIndexKeys({ ...set, ...add });
  itemBytes(add ?? {});
}

function checkCondition({ kind, when }: Operation): void {
  for (const [name, values] of Object.entries(when?.oneOf ?? {})) {
    if (values.length === 0 || values.length > valuesOfOneOf)
      throw new TypeError(`oneOf ${name} needs 1 to ${valuesOfOneOf} values`);
  }
  if (kind === 'check' && isEmpty(when)) throw new TypeError('a check needs a condition');
}

const isEmpty = (when: Condition) =>
  Object.values(when).every((part) => typeof part === 'object' && Object.keys(part).length === 0);

/** @throws TypeError for a transaction that DynamoDB would refuse whatever is stored */
export function checkOperations(operations: Operation[]): void {
  const max = limits.operationsPerTransaction;
  if (operations.length === 0) throw new TypeError('a transaction needs an operation');
  if (operations.length > max)
    throw new TypeError(`${operations.length} operations in one transaction, ${max} are allowed`);
  const seen = new Set<string>();
  for (const operation of operations) {
    const key = keyOf(operation);
    checkKey(key);
    seen.add(nameOfKey(key));
    if (operation.kind === 'put') checkIndexKeys(operation.item);
    if (operation.kind === 'update') checkUpdate(operation);
    checkCondition(operation);
  }
  if (seen.size < operations.length) throw new TypeError('two operations of a transaction are on one item');
}

/** @throws TypeError when all items of a transaction together are more than DynamoDB takes */
export function checkTransactionBytes(bytes: number): void {
  if (bytes > limits.transactionBytes)
    throw new TypeError(`a transaction of ${bytes} bytes, ${limits.transactionBytes} are allowed`);
}

/** DynamoDB adds decimals, where 0.1 and 0.2 make 0.3; a double holds 15 decimal digits exactly. */
function sum(left: number, right: number): number {
  const total = left + right;
  return Number.isInteger(total) ? total : Number(total.toPrecision(15));
}

/** The item an update leaves behind; `before` is not touched. */
export function applyUpdate(before: Item | undefined, { key, set = {}, add = {}, remove = [] }: Update): Item {
  const after: Item = { pk: key.pk, sk: key.sk, ...before };
  for (const name of writtenNames(set)) after[name] = set[name];
  for (const [name, amount] of Object.entries(add)) {
    const current = after[name] === undefined ? 0 : after[name];
    if (typeof current !== 'number') throw new TypeError(`cannot add to ${name}, which is not a number`);
    after[name] = sum(current, amount);
  }
  for (const name of remove) delete after[name];
  return after;
}
