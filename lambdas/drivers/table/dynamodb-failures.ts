// What DynamoDB's errors mean to whoever uses the table.
import type { CancellationReason as AwsReason } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import {
  isConditionFailed,
  isConflict,
  isInvalid,
  isItemTooLarge,
  isItemTooLargeText,
  isPassing,
  isTransactionCancelled,
} from '../aws-errors.ts';
import { type CancellationReason, type Item, TableUnavailable, TransactionCancelled } from './table.ts';

type AwsItem = AwsReason['Item'];

const conditionFailed = (item: AwsItem): CancellationReason => ({
  code: 'ConditionalCheckFailed',
  item: item && (unmarshall(item) as Item),
});

/** Undefined for a reason that says nothing about the items: throttling, or a request that breaks a rule. */
function reasonOf({ Code, Message, Item: item }: AwsReason): CancellationReason | undefined {
  if (Code === undefined || Code === 'None') return { code: 'None' };
  if (Code === 'ConditionalCheckFailed') return conditionFailed(item);
  if (Code === 'TransactionConflict') return { code: 'TransactionConflict' };
  return isItemTooLargeText(Message) ? { code: 'ItemTooLarge' } : undefined;
}

function cancelled(error: Error & { CancellationReasons?: AwsReason[] }): Error {
  const awsReasons = error.CancellationReasons ?? [];
  const reasons = awsReasons.map(reasonOf);
  if (reasons.every((reason) => reason !== undefined)) return new TransactionCancelled(reasons, { cause: error });
  const invalid = awsReasons.find(({ Code }) => Code === 'ValidationError');
  if (invalid) return new TypeError(`DynamoDB: ${invalid.Message}`, { cause: error });
  return new TableUnavailable(`DynamoDB: ${error.message}`, { cause: error });
}

/** The error to throw for one of the SDK's. `operationCount` is 0 for reads. */
export function tableError(error: unknown, operationCount: number): unknown {
  if (!(error instanceof Error)) return error;
  const all = (reason: CancellationReason) =>
    new TransactionCancelled(Array(operationCount).fill(reason), { cause: error });
  if (isTransactionCancelled(error)) return cancelled(error);
  if (isConditionFailed(error)) return all(conditionFailed((error as { Item?: AwsItem }).Item));
  if (isConflict(error)) return all({ code: 'TransactionConflict' });
  if (isItemTooLarge(error) && operationCount === 1) return all({ code: 'ItemTooLarge' });
  if (isPassing(error)) return new TableUnavailable(`DynamoDB: ${error.name}: ${error.message}`, { cause: error });
  if (isInvalid(error)) return new TypeError(`DynamoDB: ${error.message}`, { cause: error });
  return error;
}
