// What amphorae refused has to fit between two tasks of a flow, and nobody's refusal may be forgotten on the way.
import { expect, it } from 'vitest';
import { carried, uncarried } from '../../lambdas/tasks/refused.ts';

const flowBytes = 256 * 1024;
const refused = (count: number, reasonOf: (index: number) => string) =>
  new Map(Array.from({ length: count }, (_, index) => [`${index}`.padStart(36, '0'), reasonOf(index)]));

it('few refusals arrive word for word', () => {
  const few = refused(3, (index) => `line ${index % 2} is wrong`);
  expect(uncarried(carried(few))).toEqual(few);
});

it.each([
  ['one long reason for all', () => 'wrong '.repeat(2_000)],
  ['a reason for each', (index: number) => `server ${index} ${'is wrong '.repeat(20)}`],
  ['long reasons for each in letters that take several bytes', (index: number) => `${index} ${'ü"'.repeat(3_000)}`],
])('thousands of refusals fit, and each keeps a reason: %s', (_, reasonOf) => {
  const many = refused(4_000, reasonOf);
  const given = carried(many);
  expect(Buffer.byteLength(JSON.stringify(given))).toBeLessThan(flowBytes - 20_000);
  const arrived = uncarried(given);
  expect([...arrived.keys()].toSorted()).toEqual([...many.keys()]);
  expect([...arrived.values()].every((reason) => /wrong|ü/.test(reason))).toBe(true);
});

it('says how many there are when there is no room for their ids', () => {
  expect(() => carried(refused(8_000, () => 'wrong'))).toThrow('the amphora refuses 8000 resources: wrong');
});
