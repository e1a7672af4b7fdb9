// The flows as data: valid Amazon States Language, and every task they name is there, as every task there is is named.
// @ts-expect-error: asl-validator ships no types
import aslValidator from 'asl-validator';
import { describe, expect, it } from 'vitest';
import { amphoraTasks } from '../../lambdas/tasks/amphora.ts';
import { computeTasks } from '../../lambdas/tasks/compute.ts';
import { lifecycleTasks } from '../../lambdas/tasks/lifecycle.ts';
import { networkTasks } from '../../lambdas/tasks/network.ts';
import { flowFiles, flowText, isChild, taskStates } from '../support/flow-states.ts';

const groups: Record<string, object> = {
  '${LifecycleTasks}': lifecycleTasks,
  '${ComputeTasks}': computeTasks,
  '${NetworkTasks}': networkTasks,
  '${AmphoraTasks}': amphoraTasks,
};
const placeholders = [...Object.keys(groups), '${BuildAmphora}', '${FailoverAmphora}'];

describe.each(flowFiles())('%s', (file) => {
  it('is valid once its placeholders are replaced', () => {
    const text = flowText(file).replaceAll(/\$\{(\w+)\}/g, 'arn:aws:lambda:us-east-1:123456789012:function:$1');
    const { isValid, errorsText } = aslValidator(JSON.parse(text));
    expect(isValid, errorsText('\n')).toBe(true);
  });

  it('has no placeholder nobody replaces', () => {
    const named = [...flowText(file).matchAll(/\$\{\w+\}/g)].map(([name]) => name);
    expect(placeholders).toEqual(expect.arrayContaining([...new Set(named)]));
  });
});

const called = taskStates.filter((state) => !isChild(state));

it.each(called)('$at calls a task of its group', ({ definition }) => {
  expect(Object.keys(groups[definition['Resource']]!)).toContain(definition['Parameters'].task);
});

it.each(Object.entries(groups))('every task of %s is called by a flow', (resource, tasks) => {
  const names = called.filter((one) => one.definition['Resource'] === resource);
  expect([...new Set(names.map((one) => one.definition['Parameters'].task))].toSorted()).toEqual(
    Object.keys(tasks).toSorted(),
  );
});

it.each(called)('$at is given time and retried when what failed may pass', ({ definition }) => {
  expect(definition['TimeoutSeconds']).toBeGreaterThan(0);
  const retried = definition['Retry'].flatMap((one: { ErrorEquals: string[] }) => one.ErrorEquals);
  expect(retried).toEqual(
    expect.arrayContaining(['DriverError', 'TableUnavailable', 'Lambda.TooManyRequestsException']),
  );
});
