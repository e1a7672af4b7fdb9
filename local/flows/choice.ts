// Choice rules of a flow, compiled to predicates.
import { runtimeFailure } from './failures.ts';
import { compileOptionalPath, type Source } from './paths.ts';
import { asObject, type Json, onlyKnown, type Place, refuse } from './refusal.ts';

export type Holds = (source: Source) => boolean;

const number = (compare: (value: number, wanted: number) => boolean) => ({
  type: 'number',
  test: (value: unknown, wanted: unknown) => typeof value === 'number' && compare(value, wanted as number),
});
/** Type of the operand, and the test; a value of another type does not match, as on AWS. */
const operators: Record<string, { type: string; test: (value: unknown, wanted: unknown) => boolean }> = {
  StringEquals: { type: 'string', test: (value, wanted) => value === wanted },
  BooleanEquals: { type: 'boolean', test: (value, wanted) => value === wanted },
  NumericEquals: number((value, wanted) => value === wanted),
  NumericLessThan: number((value, wanted) => value < wanted),
  NumericLessThanEquals: number((value, wanted) => value <= wanted),
  NumericGreaterThan: number((value, wanted) => value > wanted),
  NumericGreaterThanEquals: number((value, wanted) => value >= wanted),
  IsPresent: { type: 'boolean', test: (value, wanted) => (value !== undefined) === wanted },
  IsNull: { type: 'boolean', test: (value, wanted) => (value === null) === wanted },
};

/** @param isNested Next belongs to the outermost rule only */
export function compileRule(place: Place, field: string, value: unknown, isNested: boolean): Holds {
  const rule = asObject(place, field, value);
  const extras = isNested ? [] : ['Next', 'Comment'];
  const joint = ['And', 'Or', 'Not'].find((name) => Object.hasOwn(rule, name));
  if (joint === undefined) return compileTest(place, field, rule, extras);
  onlyKnown(place, rule, [joint, ...extras], `${field}.`);
  if (joint === 'Not') {
    const inner = compileRule(place, `${field}.Not`, rule.Not, true);
    return (source) => !inner(source);
  }
  const list = rule[joint];
  if (!Array.isArray(list) || list.length === 0) refuse(place, `${field}.${joint}`, 'must be a list of rules');
  const inner = list.map((entry, index) => compileRule(place, `${field}.${joint}[${index}]`, entry, true));
  return joint === 'And' ? (s) => inner.every((holds) => holds(s)) : (s) => inner.some((holds) => holds(s));
}

function compileTest(place: Place, field: string, rule: Json, extras: string[]): Holds {
  const names = Object.keys(rule).filter((name) => Object.hasOwn(operators, name));
  onlyKnown(place, rule, ['Variable', ...names, ...extras], `${field}.`);
  const name = names[0];
  if (name === undefined || names.length > 1) refuse(place, field, 'must have exactly one comparison');
  const { type, test } = operators[name]!;
  const wanted = rule[name];
  if (typeof wanted !== type) refuse(place, `${field}.${name}`, `must be a ${type}`);
  const read = compileOptionalPath(place, `${field}.Variable`, rule.Variable);
  return (source) => {
    const value = read(source);
    if (value === undefined && name !== 'IsPresent') {
      throw runtimeFailure(`The variable '${rule.Variable}' of a choice was not found in the input`);
    }
    return test(value, wanted);
  };
}
