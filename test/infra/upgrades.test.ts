import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Code, Function as LambdaFunction, Runtime } from 'aws-cdk-lib/aws-lambda';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFlows } from '../../infra/constructs/flows.ts';
import { keptVersions, taskFunctionOf } from '../../infra/constructs/task-function.ts';
import { discard, resourcesOf, type Synthesised, synthesise, targetOf } from '../support/synthesised.ts';

let stacks: Synthesised;
const code = mkdtempSync(join(tmpdir(), 'octavia-upgrade-'));
beforeAll(() => {
  stacks = synthesise();
}, 240_000);
afterAll(() => {
  discard(stacks);
  rmSync(code, { recursive: true, force: true });
});

/** The flows in front of functions with this code. */
function release(text: string, memorySize = 512): Template {
  writeFileSync(join(code, 'index.mjs'), text);
  const stack = new Stack(new App(), 'flows');
  const known = new Map<string, LambdaFunction>();
  const lambdaOf = (name: string): LambdaFunction => {
    const made =
      known.get(name) ??
      new LambdaFunction(stack, name, {
        runtime: Runtime.NODEJS_24_X,
        handler: 'index.handler',
        code: Code.fromAsset(code),
        currentVersionOptions: keptVersions,
        memorySize,
      });
    known.set(name, made);
    return made;
  };
  makeFlows(stack, 'octavia', (name) => taskFunctionOf(lambdaOf(name)));
  return Template.fromStack(stack);
}

/** What each flow puts in for the functions it names. */
const versionsNamed = (template: Template): string[] =>
  Object.values(resourcesOf(template, 'AWS::StepFunctions::StateMachine')).flatMap(({ Properties }) =>
    Object.entries(Properties['DefinitionSubstitutions'])
      .filter(([placeholder]) => placeholder.endsWith('Tasks'))
      .map(([, value]) => targetOf(value)),
  );

describe('an upgrade', () => {
  it('leaves executions under way the code they began with: flows name versions, and versions are kept', () => {
    const versions = resourcesOf(stacks.controlPlane, 'AWS::Lambda::Version');
    const named = versionsNamed(stacks.controlPlane);
    expect(named.length).toBeGreaterThan(6);
    expect(new Set(named)).toEqual(new Set(Object.keys(versions)));
    for (const { DeletionPolicy } of Object.values(versions)) expect(DeletionPolicy).toBe('Retain');
  });

  it('with other code publishes other versions, and the flows name those', () => {
    const before = release('export const handler = () => 1;');
    const after = release('export const handler = () => 2;');
    const [old, now] = [new Set(versionsNamed(before)), new Set(versionsNamed(after))];
    expect(old.size).toBe(4);
    expect([...now].filter((id) => old.has(id))).toEqual([]);
    // CloudFormation leaves what is no longer in the template, if the template it was in said so.
    for (const id of old) expect(resourcesOf(before, 'AWS::Lambda::Version')[id]!.DeletionPolicy).toBe('Retain');
  });

  it('with the same code, or without a change, publishes nothing', () => {
    const text = 'export const handler = () => 3;';
    expect(versionsNamed(release(text))).toEqual(versionsNamed(release(text)));
    expect(versionsNamed(release(text, 1024))).not.toEqual(versionsNamed(release(text)));
  });

  it('lets flows invoke every version of their functions, and no function of others', () => {
    const machines = Object.values(resourcesOf(stacks.controlPlane, 'AWS::StepFunctions::StateMachine'));
    const policies = Object.values(resourcesOf(stacks.controlPlane, 'AWS::IAM::Policy'));
    for (const { Properties } of machines) {
      const role = targetOf(Properties['RoleArn']);
      const statements = policies
        .filter((policy) => policy.Properties['Roles'].some((one: unknown) => targetOf(one) === role))
        .flatMap((policy) => policy.Properties['PolicyDocument'].Statement);
      const invoked = statements.filter(({ Action }) => [Action].flat().includes('lambda:InvokeFunction'));
      expect(invoked.length).toBeGreaterThan(0);
      const resources = invoked.flatMap(({ Resource }) => [Resource].flat());
      for (const one of resources) {
        expect(one['Fn::Join'][1][1]).toBe(':*');
        expect(targetOf(one['Fn::Join'][1][0])).toMatch(/^tasks/);
      }
    }
  });
});
