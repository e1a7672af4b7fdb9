// What the table's stream tells of changes to items, in the order they were written.
import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda';
import type { Item, Key } from './table.ts';

/** One write of one item. Told twice it has the same id. */
export interface TableChange {
  id: string;
  /** Later writes of the same item have later ones; compared as text. */
  sequence: string;
  /** Milliseconds since the epoch. */
  at: number;
  key: Key;
  before?: Item;
  after?: Item;
}

type Image = NonNullable<DynamoDBRecord['dynamodb']>['NewImage'];
// The event's types know fewer kinds of values than the SDK's, which are the same on the wire.
const itemOf = (image: NonNullable<Image>): Item => unmarshall(image as Parameters<typeof unmarshall>[0]) as Item;

/** DynamoDB's numbers of records have up to 40 digits. */
const sequenceDigits = 40;

function changeOf({ eventID, dynamodb }: DynamoDBRecord): TableChange[] {
  if (dynamodb === undefined) return [];
  const { OldImage, NewImage, SequenceNumber = '', ApproximateCreationDateTime = 0 } = dynamodb;
  const keys = dynamodb.Keys ?? NewImage ?? OldImage;
  if (keys === undefined) return [];
  const { pk, sk } = itemOf(keys);
  return [
    {
      id: eventID ?? SequenceNumber,
      sequence: SequenceNumber.padStart(sequenceDigits, '0'),
      at: ApproximateCreationDateTime * 1_000,
      key: { pk, sk },
      ...(OldImage && { before: itemOf(OldImage) }),
      ...(NewImage && { after: itemOf(NewImage) }),
    },
  ];
}

/** Oldest first. */
export const changesIn = ({ Records }: DynamoDBStreamEvent): TableChange[] => Records.flatMap(changeOf);
