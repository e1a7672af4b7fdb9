// The bounds of a query and its cursor: the keys of the last item read, so that a page goes on at the same place
// whatever was written in between.
import { checkKey } from './operations.ts';
import type { IndexQuery, Query } from './table.ts';

/** The last code point, and no character: every key with a prefix sorts before the prefix followed by it. */
const afterAll = '\u{10FFFF}';

/** Orders strings as DynamoDB and SQLite do, by UTF-8 bytes; JavaScript's own order differs beyond the basic plane. */
export const compareBytes = (left: string, right: string) => Buffer.compare(Buffer.from(left), Buffer.from(right));

/** @throws TypeError for bounds that DynamoDB would refuse */
export function checkBounds({ pk, prefix, between, limit }: Query | IndexQuery): void {
  checkKey({ pk, sk: 'any' });
  if (prefix !== undefined && between !== undefined) throw new TypeError('a query takes prefix or between, not both');
  if (between !== undefined) checkRange(between);
  if (limit !== undefined && (!Number.isInteger(limit) || limit < 1))
    throw new TypeError(`limit ${limit} is not a positive integer`);
}

function checkRange([from, to]: [string, string]): void {
  if (from === '' || to === '') throw new TypeError('an end of between is empty');
  if (compareBytes(from, to) > 0) throw new TypeError(`between ${from} and ${to} is the wrong way round`);
}

export const encodeCursor = (parts: string[]) => Buffer.from(JSON.stringify(parts)).toString('base64url');

/** @throws TypeError for anything but a cursor of a query with as many sort columns */
export function decodeCursor(after: string, length: number): string[] {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(after, 'base64url').toString());
  } catch (cause) {
    throw new TypeError('after is not a cursor', { cause });
  }
  const fits =
    Array.isArray(parts) && parts.length === length && parts.every((part) => typeof part === 'string' && part !== '');
  if (!fits) throw new TypeError('after is not a cursor of this query');
  return parts as string[];
}

/**
 * First and last sort key still to be read, given where the cursor stands. A page starts at its cursor and not at the
 * beginning of the range, or reading a partition to its end would take longer with each page.
 */
export function remainingRange(
  { prefix = '', between, reverse }: Query | IndexQuery,
  cursor?: string,
): [string, string] {
  const [from, to] = between ?? [prefix, prefix + afterAll];
  if (cursor === undefined) return [from, to];
  if (compareBytes(cursor, from) < 0 || compareBytes(cursor, to) > 0)
    throw new TypeError('after is not a cursor of this query');
  return reverse ? [from, cursor] : [cursor, to];
}
