// Conditions, updates and key ranges in DynamoDB's expression language. Every attribute is named by a placeholder,
// because names of Octavia's such as `name`, `status` and `type` are reserved words there.
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { convertToAttr } from '@aws-sdk/util-dynamodb';
import type { Condition, Operation } from './table.ts';

/** Collects the placeholders of one request's expressions. */
export class Placeholders {
  readonly #names = new Map<string, string>();
  readonly #values: Record<string, AttributeValue> = {};
  #count = 0;

  readonly name = (attribute: string): string => {
    const placeholder = this.#names.get(attribute) ?? `#a${this.#names.size}`;
    this.#names.set(attribute, placeholder);
    return placeholder;
  };

  readonly value = (value: unknown): string => {
    const placeholder = `:v${this.#count++}`;
    this.#values[placeholder] = convertToAttr(value as Parameters<typeof convertToAttr>[0], {
      removeUndefinedValues: true,
    });
    return placeholder;
  };

  /** DynamoDB refuses empty maps, so a map without entries is left out. */
  get attributes() {
    return {
      ...(this.#names.size > 0 && {
        ExpressionAttributeNames: Object.fromEntries(
          [...this.#names].map(([attribute, placeholder]) => [placeholder, attribute]),
        ),
      }),
      ...(this.#count > 0 && { ExpressionAttributeValues: this.#values }),
    };
  }
}

const each = <T>(entries: Record<string, T> | undefined, print: (name: string, value: T) => string) =>
  Object.entries(entries ?? {}).map(([name, value]) => print(name, value));

/** Undefined when there is nothing to check. */
export function conditionExpression(
  condition: Condition | undefined,
  { name, value }: Placeholders,
): string | undefined {
  if (condition === undefined) return undefined;
  const { exists, equals, oneOf, differs, missing, atMost, below } = condition;
  const parts = [
    ...(exists === undefined ? [] : [`${exists ? 'attribute_exists' : 'attribute_not_exists'}(${name('pk')})`]),
    ...each(equals, (attribute, expected) => `${name(attribute)} = ${value(expected)}`),
    ...each(oneOf, (attribute, allowed) => `${name(attribute)} IN (${allowed.map((one) => value(one)).join(', ')})`),
    ...each(
      differs,
      (attribute, refused) => `(attribute_not_exists(${name(attribute)}) OR ${name(attribute)} <> ${value(refused)})`,
    ),
    ...(missing ?? []).map((attribute) => `attribute_not_exists(${name(attribute)})`),
    ...each(atMost, (attribute, bound) => `${name(attribute)} <= ${value(bound)}`),
    ...each(below, (attribute, bound) => `${name(attribute)} < ${value(bound)}`),
  ];
  return parts.length === 0 ? undefined : parts.join(' AND ');
}

export function updateExpression(
  update: Extract<Operation, { kind: 'update' }>,
  { name, value }: Placeholders,
): string {
  const written = Object.entries(update.set ?? {}).filter(([, written]) => written !== undefined);
  const clauses: [string, string[]][] = [
    ['SET', written.map(([attribute, written]) => `${name(attribute)} = ${value(written)}`)],
    ['ADD', each(update.add, (attribute, amount) => `${name(attribute)} ${value(amount)}`)],
    ['REMOVE', (update.remove ?? []).map(name)],
  ];
  return clauses
    .filter(([, parts]) => parts.length > 0)
    .map(([keyword, parts]) => `${keyword} ${parts.join(', ')}`)
    .join(' ');
}

/** An empty prefix is every sort key; DynamoDB refuses an empty value in a key condition. */
export function keyExpression(
  columns: { pk: string; sk: string },
  bounds: KeyRange,
  { name, value }: Placeholders,
): string {
  const partition = `${name(columns.pk)} = ${value(bounds.pk)}`;
  if (bounds.between) {
    const [from, to] = bounds.between;
    return `${partition} AND ${name(columns.sk)} BETWEEN ${value(from)} AND ${value(to)}`;
  }
  return bounds.prefix ? `${partition} AND begins_with(${name(columns.sk)}, ${value(bounds.prefix)})` : partition;
}

interface KeyRange {
  pk: string;
  prefix?: string;
  between?: [string, string];
}
