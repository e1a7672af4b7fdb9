// The kinds of values attributes have (Octavia's wsme types): what is accepted, what it is coerced to, and the reason a
// client reads when it is not. Each is a zod schema with the JSON schema of its values as metadata, so types, filters and the
// API's documentation follow from it.
import { isIP } from 'node:net';
import * as z from 'zod';

const refused = (context: z.RefinementCtx, reason: string) => {
  context.addIssue({ code: 'custom', message: reason });
  return z.NEVER;
};

/** @param max characters */
export const text = (max = 255, min = 0) =>
  z
    .unknown()
    .transform((value, context): string => {
      if (typeof value !== 'string') return refused(context, 'Value should be string');
      if (value.length > max) return refused(context, `Value should have a maximum character requirement of ${max}`);
      if (value.length < min) return refused(context, `Value should have a minimum character requirement of ${min}`);
      return value;
    })
    .meta({ type: 'string', maxLength: max, ...(min > 0 ? { minLength: min } : {}) });

const dashedUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Dashed lowercase; undashed and uppercase spellings are accepted. */
export const uuid = () =>
  z
    .unknown()
    .transform((value, context): string => {
      const hex = typeof value === 'string' ? value.toLowerCase().replaceAll('-', '') : '';
      const dashed = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
      return dashedUuid.test(dashed) ? dashed : refused(context, 'Value should be UUID format');
    })
    .meta({ type: 'string', format: 'uuid' });

/** Numeric strings and floats are coerced as Python's int() does. */
export const integer = (min: number, max: number) =>
  z
    .unknown()
    .transform((value, context): number => {
      const number = typeof value === 'string' && /^\s*[-+]?\d+\s*$/.test(value) ? Number(value) : value;
      if (typeof number !== 'number' || !Number.isFinite(number)) return refused(context, 'Value should be an integer');
      const whole = Math.trunc(number);
      if (whole < min) return refused(context, `Value should be greater or equal to ${min}`);
      if (whole > max) return refused(context, `Value should be lower or equal to ${max}`);
      return whole;
    })
    .meta({ type: 'integer', minimum: min, maximum: max });

const trueWords = new Set(['t', 'true', 'y', 'yes', 'on', '1']);
const falseWords = new Set(['f', 'false', 'n', 'no', 'off', '0']);
export const boolean = () =>
  z
    .unknown()
    .transform((value, context): boolean => {
      if (typeof value === 'boolean') return value;
      const word = typeof value === 'string' || typeof value === 'number' ? String(value).trim().toLowerCase() : '';
      if (trueWords.has(word)) return true;
      if (falseWords.has(word)) return false;
      return refused(context, 'Value not an unambiguous boolean');
    })
    .meta({ type: 'boolean' });

export const oneOf = <const T extends string>(...allowed: T[]) =>
  z
    .unknown()
    .transform((value, context): T => {
      const found = allowed.find((one) => one === value);
      return found ?? refused(context, `Value should be one of: ${allowed.join(', ')}`);
    })
    .meta({ type: 'string', enum: allowed });

/** Like `oneOf` for numbers, which may come as strings, `"1.0"` for one. */
export const oneOfNumbers = (...allowed: number[]) =>
  z
    .unknown()
    .transform((value, context): number => {
      const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
      const found = allowed.find((one) => one === number);
      return found ?? refused(context, `Value should be one of: ${allowed.join(', ')}`);
    })
    .meta({ type: 'number', enum: allowed });

export const ipAddress = () =>
  z
    .unknown()
    .transform((value, context): string =>
      typeof value === 'string' && isIP(value) !== 0 ? value : refused(context, 'Value should be IPv4 or IPv6 format'),
    )
    .meta({ type: 'string', anyOf: [{ format: 'ipv4' }, { format: 'ipv6' }] });

/** @param description what must match, as the client reads it */
export const pattern = (
  expression: RegExp,
  max = 255,
  description = `Value should match the pattern ${expression.source}`,
) =>
  z
    .unknown()
    .transform((value, context): string => {
      if (typeof value !== 'string') return refused(context, 'Value should be string');
      if (value.length > max) return refused(context, `Value should have a maximum character requirement of ${max}`);
      return expression.test(value) ? value : refused(context, description);
    })
    .meta({ type: 'string', maxLength: max, pattern: expression.source });

/** A path that a health monitor can ask for: no scheme, host, white space or control character. */
export const urlPath = () =>
  pattern(/^\/(?!\/)[\x21-\x7e\u00a1-\uffff]*$/, 255, 'Value must be a valid URL Path string');

export const listOf = <T>(element: z.ZodType<T>) =>
  z
    .unknown()
    .transform((value, context): T[] => {
      if (!Array.isArray(value)) return refused(context, 'Value should be a list');
      return value.map((one) => {
        const parsed = element.safeParse(one);
        if (parsed.success) return parsed.data;
        return refused(context, parsed.error.issues[0]?.message ?? 'Value is not valid');
      });
    })
    .meta({ type: 'array', items: element.meta() ?? {} });

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An object used as a map from any name to one kind of value. */
export const mapOf = <T>(element: z.ZodType<T>) =>
  z
    .unknown()
    .transform((value, context): Record<string, T> => {
      if (!isObject(value)) return refused(context, 'Value should be an object');
      const entries = Object.entries(value).map(([name, one]): [string, T] => {
        const parsed = element.safeParse(one);
        if (parsed.success) return [name, parsed.data];
        return [name, refused(context, parsed.error.issues[0]?.message ?? 'Value is not valid')];
      });
      return Object.fromEntries(entries);
    })
    .meta({ type: 'object', additionalProperties: element.meta() ?? {} });

/** A row holds its tags twice while a change of them is pending, in 400 KB with everything else. Octavia has no limit here. */
const tagsAtMost = 128;
export const tags = () =>
  listOf(text(255))
    .transform((list, context) =>
      list.length > tagsAtMost ? refused(context, `Value should have at most ${tagsAtMost} elements`) : list,
    )
    .meta({ type: 'array', items: text(255).meta() ?? {}, maxItems: tagsAtMost });

/** Any object; what is in it is judged by the resource it stands for. */
export const nested = () =>
  z
    .unknown()
    .transform(
      (value, context): Record<string, unknown> =>
        isObject(value) ? value : refused(context, 'Value should be an object'),
    )
    .meta({ type: 'object' });
