// Operations as DynamoDB's requests, each the same alone and within a transaction.
import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import { conditionExpression, Placeholders, updateExpression } from './expressions.ts';
import type { Condition, Key, Operation } from './table.ts';

type Of<Kind extends Operation['kind']> = Extract<Operation, { kind: Kind }>;

export const awsKey = ({ pk, sk }: Key) => marshall({ pk, sk });

/** A failed condition answers the item it failed on, which saves the caller a read. */
function conditionOf(when: Condition | undefined, placeholders: Placeholders) {
  const ConditionExpression = conditionExpression(when, placeholders);
  return ConditionExpression === undefined
    ? {}
    : { ConditionExpression, ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const };
}

export function putRequest(TableName: string, { item, when }: Of<'put'>) {
  const placeholders = new Placeholders();
  const Item = marshall(item, { removeUndefinedValues: true });
  return { TableName, Item, ...conditionOf(when, placeholders), ...placeholders.attributes };
}

export function updateRequest(TableName: string, update: Of<'update'>) {
  const placeholders = new Placeholders();
  const UpdateExpression = updateExpression(update, placeholders);
  const condition = conditionOf(update.when, placeholders);
  return { TableName, Key: awsKey(update.key), UpdateExpression, ...condition, ...placeholders.attributes };
}

export function deleteRequest(TableName: string, { key, when }: Of<'delete'> | Of<'check'>) {
  const placeholders = new Placeholders();
  return { TableName, Key: awsKey(key), ...conditionOf(when, placeholders), ...placeholders.attributes };
}

export function transactItem(tableName: string, operation: Operation): TransactWriteItem {
  if (operation.kind === 'put') return { Put: putRequest(tableName, operation) };
  if (operation.kind === 'update') return { Update: updateRequest(tableName, operation) };
  const request = deleteRequest(tableName, operation);
  if (operation.kind === 'delete') return { Delete: request };
  // Never empty: a check without a condition is refused before.
  return { ConditionCheck: { ConditionExpression: '', ...request } };
}
