import { globSync } from 'node:fs';
import { basename } from 'node:path';
// @ts-expect-error it comes without types
import aslValidator from 'asl-validator';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { makeFlows, taskFunctionOf } from '../../infra/constructs/flows.ts';
import { specOf } from '../../infra/functions.ts';
import { flowNames } from '../../lambdas/drivers/flows/flow-driver.ts';
import { amphoraTasks } from '../../lambdas/tasks/amphora.ts';
import { computeTasks } from '../../lambdas/tasks/compute.ts';
import { lifecycleTasks } from '../../lambdas/tasks/lifecycle.ts';
import { networkTasks } from '../../lambdas/tasks/network.ts';
import { resourcesOf } from '../support/synthesised.ts';

const flows = globSync('*.asl.json', { cwd: 'state-machines' }).map((file) => basename(file, '.asl.json'));

const tasksByFunction: Record<string, Record<string, unknown>> = {
  'tasks-lifecycle': lifecycleTasks,
  'tasks-compute': computeTasks,
  'tasks-network': networkTasks,
  'tasks-amphora': amphoraTasks,
};

interface State {
  Type: string;
  Resource?: string;
  Parameters?: { task?: string };
  TimeoutSeconds?: number;
  ItemProcessor?: Machine;
  Branches?: Machine[];
}
interface Machine {
  States: Record<string, State>;
}

/** States at any depth, with their names. */
const statesOf = ({ States }: Machine): [string, State][] =>
  Object.entries(States).flatMap(([name, state]): [string, State][] => [
    [name, state],
    ...[state.ItemProcessor, ...(state.Branches ?? [])].filter((one) => one !== undefined).flatMap(statesOf),
  ]);

const arnOf = (name: string) => `arn:aws:lambda:eu-central-1:123456789012:function:${name}`;

/** The state machines alone: functions stand behind them as names. */
const template = (() => {
  const stack = new Stack(new App(), 'flows');
  makeFlows(stack, 'octavia', (name) => ({ functionArn: arnOf(name), versionArn: `${arnOf(name)}:7` }));
  return Template.fromStack(stack);
})();

/** The definition CloudFormation makes of a state machine: a placeholder without a substitution is left as it is. */
function deployed(flow: string): { text: string; name: string } {
  const machines = Object.values(resourcesOf(template, 'AWS::StepFunctions::StateMachine'));
  const found = machines.find(({ Properties }) => Properties['StateMachineName'] === `octavia-${flow}`);
  const substitutions = (found?.Properties['DefinitionSubstitutions'] ?? {}) as Record<string, unknown>;
  const text = String(found?.Properties['DefinitionString']).replaceAll(/\$\{(\w+)\}/g, (placeholder, name: string) =>
    name in substitutions ? arnOf(name) : placeholder,
  );
  return { text, name: String(found?.Properties['StateMachineName']) };
}

describe.each(flows)('flow %s', (flow) => {
  const fileOf = async () =>
    (await import(`../../state-machines/${flow}.asl.json`, { with: { type: 'json' } })).default;

  it('is a state machine the flow driver finds by its name, with no placeholder left', () => {
    expect(flowNames).toContain(flow);
    const { text, name } = deployed(flow);
    expect(name).toBe(`octavia-${flow}`);
    expect(text).not.toMatch(/\$\{/);
  });

  it('is valid Amazon States Language', () => {
    const { isValid, errorsText } = aslValidator(JSON.parse(deployed(flow).text));
    expect(isValid, errorsText('\n')).toBe(true);
  });

  it('names tasks that the function behind each of its states has', async () => {
    const states = statesOf(await fileOf());
    const tasks = states.filter(([, { Resource }]) => /^\$\{\w+Tasks\}$/.test(Resource ?? ''));
    expect(tasks.length).toBeGreaterThan(2);
    for (const [name, { Resource, Parameters }] of tasks) {
      const group = tasksByFunction[taskFunctionOf(Resource!.slice(2, -1))!]!;
      expect(Object.keys(group), name).toContain(Parameters?.task);
    }
  });

  it('waits for a task longer than its function may take, so that two never run at once', async () => {
    for (const [name, { Resource, TimeoutSeconds }] of statesOf(await fileOf())) {
      const taskFunction = /Tasks\}$/.test(Resource ?? '') && taskFunctionOf(Resource!.slice(2, -1));
      if (taskFunction) expect(TimeoutSeconds, name).toBeGreaterThan(specOf(taskFunction).timeoutSeconds);
    }
  });
});
