// What DynamoDB's stream tells of the table, as items of ours.
import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { DynamoDBStreamEvent } from 'aws-lambda';
import type { Item } from './table.ts';

/** Items that are new, oldest first. */
export const insertedItems = ({ Records }: DynamoDBStreamEvent): Item[] =>
  Records.filter(({ eventName }) => eventName === 'INSERT').flatMap(({ dynamodb }) =>
    // The event's types know fewer kinds of values than the SDK's, which are the same on the wire.
    dynamodb?.NewImage ? [unmarshall(dynamodb.NewImage as Parameters<typeof unmarshall>[0]) as Item] : [],
  );
