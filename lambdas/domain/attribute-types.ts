// The kinds of values attributes have (Octavia's wsme types): what is accepted, what it is coerced to, and the reason a
// client reads when it is not.
import { isIP } from 'node:net';
import { type AttributeKind, kind, schemaOf } from './attribute-kind.ts';

/** @param max characters */
export const text = (max = 255, min = 0) =>
  kind(
    (value, refused): string => {
      if (typeof value !== 'string') return refused('Value should be string');
      if (value.length > max) return refused(`Value should have a maximum character requirement of ${max}`);
      if (value.length < min) return refused(`Value should have a minimum character requirement of ${min}`);
      return value;
    },
    { type: 'string', maxLength: max, ...(min > 0 ? { minLength: min } : {}) },
  );

const dashedUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Dashed lowercase; undashed and uppercase spellings are accepted. */
export const uuid = () =>
  kind(
    (value, refused): string => {
      const hex = typeof value === 'string' ? value.toLowerCase().replaceAll('-', '') : '';
      const dashed = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
      return dashedUuid.test(dashed) ? dashed : refused('Value should be UUID format');
    },
    { type: 'string', format: 'uuid' },
  );

/** Numeric strings and floats are coerced as Python's int() does. */
export const integer = (min: number, max: number) =>
  kind(
    (value, refused): number => {
      const number = typeof value === 'string' && /^\s*[-+]?\d+\s*$/.test(value) ? Number(value) : value;
      if (typeof number !== 'number' || !Number.isFinite(number)) return refused('Value should be an integer');
      const whole = Math.trunc(number);
      if (whole < min) return refused(`Value should be greater or equal to ${min}`);
      if (whole > max) return refused(`Value should be lower or equal to ${max}`);
      return whole;
    },
    { type: 'integer', minimum: min, maximum: max },
  );

const trueWords = new Set(['t', 'true', 'y', 'yes', 'on', '1']);
const falseWords = new Set(['f', 'false', 'n', 'no', 'off', '0']);
export const boolean = () =>
  kind(
    (value, refused): boolean => {
      if (typeof value === 'boolean') return value;
      const word = typeof value === 'string' || typeof value === 'number' ? String(value).trim().toLowerCase() : '';
      if (trueWords.has(word)) return true;
      if (falseWords.has(word)) return false;
      return refused('Value not an unambiguous boolean');
    },
    { type: 'boolean' },
  );

export const oneOf = <const T extends string>(...allowed: T[]) =>
  kind(
    (value, refused): T => {
      const found = allowed.find((one) => one === value);
      return found ?? refused(`Value should be one of: ${allowed.join(', ')}`);
    },
    { type: 'string', enum: allowed },
  );

/** Like `oneOf` for numbers, which may come as strings, `"1.0"` for one. */
export const oneOfNumbers = (...allowed: number[]) =>
  kind(
    (value, refused): number => {
      const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
      const found = allowed.find((one) => one === number);
      return found ?? refused(`Value should be one of: ${allowed.join(', ')}`);
    },
    { type: 'number', enum: allowed },
  );

export const ipAddress = () =>
  kind(
    (value, refused): string =>
      typeof value === 'string' && isIP(value) !== 0 && !value.includes('%')
        ? value
        : refused('Value should be IPv4 or IPv6 format'),
    { type: 'string', anyOf: [{ format: 'ipv4' }, { format: 'ipv6' }] },
  );

/** @param description what must match, as the client reads it */
export const pattern = (
  expression: RegExp,
  max = 255,
  description = `Value should match the pattern ${expression.source}`,
) =>
  kind(
    (value, refused): string => {
      if (typeof value !== 'string') return refused('Value should be string');
      if (value.length > max) return refused(`Value should have a maximum character requirement of ${max}`);
      return expression.test(value) ? value : refused(description);
    },
    { type: 'string', maxLength: max, pattern: expression.source },
  );

/** A path that a health monitor can ask for: no scheme, host, white space or control character. */
export const urlPath = () =>
  pattern(/^\/(?!\/)[\x21-\x7e\u00a1-\uffff]*$/, 255, 'Value must be a valid URL Path string');

export const listOf = <T>(element: AttributeKind<T>) =>
  kind(
    (value, refused): T[] => {
      if (!Array.isArray(value)) return refused('Value should be a list');
      return value.map((one) => {
        const parsed = element.safeParse(one);
        if (parsed.success) return parsed.data;
        return refused(parsed.error.issues[0]?.message ?? 'Value is not valid');
      });
    },
    { type: 'array', items: schemaOf(element) },
  );

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An object used as a map from any name to one kind of value. */
export const mapOf = <T>(element: AttributeKind<T>) =>
  kind(
    (value, refused): Record<string, T> => {
      if (!isObject(value)) return refused('Value should be an object');
      const entries = Object.entries(value).map(([name, one]): [string, T] => {
        const parsed = element.safeParse(one);
        if (parsed.success) return [name, parsed.data];
        return [name, refused(parsed.error.issues[0]?.message ?? 'Value is not valid')];
      });
      return Object.fromEntries(entries);
    },
    { type: 'object', additionalProperties: schemaOf(element) },
  );

/** A row holds its tags twice while a change of them is pending, in 400 KB with everything else. Octavia has no limit here. */
const tagsAtMost = 128;
export const tags = () => {
  const texts = listOf(text(255));
  return kind(
    (value, refused): string[] => {
      const list = texts.safeParse(value);
      if (!list.success) return refused(list.error.issues[0]?.message ?? 'Value is not valid');
      return list.data.length > tagsAtMost ? refused(`Value should have at most ${tagsAtMost} elements`) : list.data;
    },
    { ...schemaOf(texts), maxItems: tagsAtMost },
  );
};

/** Any object; what is in it is judged by the resource it stands for. */
export const nested = () =>
  kind((value, refused): Record<string, unknown> => (isObject(value) ? value : refused('Value should be an object')), {
    type: 'object',
  });
