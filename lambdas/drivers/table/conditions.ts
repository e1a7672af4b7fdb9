// What a condition means on an item, for tables that have to decide it themselves. It says what DynamoDB's
// ConditionExpression of expressions.ts says: a comparison of two types, or with a missing attribute, does not hold.
import { compareBytes } from './query-bounds.ts';
import type { Condition, Item } from './table.ts';

function isBelow(value: unknown, bound: number | string): boolean {
  if (typeof value === 'number' && typeof bound === 'number') return value < bound;
  return typeof value === 'string' && typeof bound === 'string' && compareBytes(value, bound) < 0;
}

const everyEntry = <T>(entries: Record<string, T> | undefined, test: (name: string, expected: T) => boolean) =>
  entries === undefined || Object.entries(entries).every(([name, expected]) => test(name, expected));

/** True when every part of the condition holds on the item, undefined standing for an item that does not exist. */
export function holds(condition: Condition | undefined, item: Item | undefined): boolean {
  if (condition === undefined) return true;
  const stored = (name: string) => item?.[name];
  return (
    (condition.exists === undefined || condition.exists === (item !== undefined)) &&
    everyEntry(condition.equals, (name, value) => stored(name) === value) &&
    everyEntry(condition.oneOf, (name, values) => (values as unknown[]).includes(stored(name))) &&
    everyEntry(condition.differs, (name, value) => stored(name) !== value) &&
    (condition.missing ?? []).every((name) => stored(name) === undefined) &&
    everyEntry(condition.atMost, (name, bound) => {
      const value = stored(name);
      return typeof value === 'number' && value <= bound;
    }) &&
    everyEntry(condition.below, (name, bound) => isBelow(stored(name), bound))
  );
}
