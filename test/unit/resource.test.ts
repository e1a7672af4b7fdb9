// One statement of each attribute: what a create and an update make of what a client sends.
import { describe, expect, it } from 'vitest';
import { boolean, integer, oneOf, text } from '../../lambdas/domain/attribute-types.ts';
import { ApiError } from '../../lambdas/domain/errors.ts';
import { parseCreate, parseUpdate, resource, rootOf } from '../../lambdas/domain/resource.ts';

const thing = resource({
  root: 'thing',
  plural: 'things',
  argument: 'thing_',
  title: 'Thing',
  attributes: {
    kind: { type: oneOf('A', 'B'), on: 'create', required: true },
    size: { type: integer(1, 9), on: 'create+update', required: true, nullable: false },
    name: { type: text(), on: 'create+update', default: '' },
    note: { type: text(), on: 'create+update' },
    admin_state_up: { type: boolean(), on: 'create+update', default: true },
    project_id: { type: text(36), on: 'create' },
  },
});
const needed = { kind: 'A', size: 1 };

/** The fault of a refusal. */
function fault(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ApiError) return `${error.status} ${error.faultstring}`;
    throw error;
  }
  return 'accepted';
}

describe('a create', () => {
  it('fills in defaults, and null where there is none', () => {
    const created = { ...needed, name: '', note: null, admin_state_up: true, project_id: null };
    expect(parseCreate(thing, needed)).toEqual(created);
    expect(parseCreate(thing, { ...needed, name: null, note: null })).toEqual(created);
  });

  it('takes admin_state_up null for false', () => {
    expect(parseCreate(thing, { ...needed, admin_state_up: null }).admin_state_up).toBe(false);
  });

  it('takes tenant_id for project_id, which wins', () => {
    expect(parseCreate(thing, { ...needed, tenant_id: 't' }).project_id).toBe('t');
    expect(parseCreate(thing, { ...needed, tenant_id: 't', project_id: 'p' }).project_id).toBe('p');
  });

  it('refuses what is mandatory and missing, and what is unknown', () => {
    expect(fault(() => parseCreate(thing, { size: 1 }))).toBe(
      "400 Invalid input for field/attribute kind. Value: 'None'. Mandatory field missing.",
    );
    expect(fault(() => parseCreate(thing, JSON.parse('{"__proto__": 1, "constructor": 2}')))).toBe(
      '400 Unknown attributes for argument thing_.thing: __proto__, constructor',
    );
  });
});

describe('an update', () => {
  it('is only what was given, null for the default', () => {
    expect(parseUpdate(thing, {})).toEqual({});
    expect(parseUpdate(thing, { name: null, note: null })).toEqual({ name: '', note: null });
  });

  it('refuses what is immutable or may not be null', () => {
    expect(fault(() => parseUpdate(thing, { kind: 'B' }))).toBe(
      '400 Unknown attribute for argument thing_.thing: kind',
    );
    expect(fault(() => parseUpdate(thing, { size: null }))).toBe(
      "400 Invalid input for field/attribute size. Value: 'None'. Value is required and cannot be null",
    );
  });
});

describe('a body', () => {
  it.each<[unknown, string]>([
    [undefined, '400 Request is not in valid JSON format'],
    [[], '400 Request is not in valid JSON format'],
    [{}, '400 Missing argument: "thing"'],
    [{ thing: {}, other: 1 }, '400 Unknown argument: "other"'],
    [{ thing: {} }, 'accepted'],
  ])('%j: %s', (body, expected) => {
    expect(fault(() => rootOf(thing, body))).toBe(expected);
  });
});

describe('a value', () => {
  const size = (value: unknown) => parseUpdate(thing, { size: value }).size;
  it.each<[unknown, number]>([
    ['7', 7],
    [' 7 ', 7],
    [7.9, 7],
    ['+7', 7],
  ])('%j is the integer %i, as in Python', (value, expected) => {
    expect(size(value)).toBe(expected);
  });
  it.each(['7.5', '', 'seven', true, [7], { valueOf: 7 }, 0, 10])('%j is not', (value) => {
    expect(fault(() => size(value))).toMatch(/^400 Invalid input for field\/attribute size\./);
  });

  const up = (value: unknown) => parseUpdate(thing, { admin_state_up: value }).admin_state_up;
  it.each(['true', 'T', 'yes', 'on', 1, '1', true])('%j is true', (value) => expect(up(value)).toBe(true));
  it.each(['false', 'F', 'no', 'off', 0, '0', false])('%j is false', (value) => expect(up(value)).toBe(false));
  it.each(['', 'perhaps', 2, [true], { toString: 1 }])('%j is neither', (value) => {
    expect(fault(() => up(value))).toContain('Value not an unambiguous boolean');
  });
});
