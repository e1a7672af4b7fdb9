// All flows of state-machines/, those that others start first.
import { globSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Construct } from 'constructs';
import { type FunctionName, functions } from '../functions.ts';
import { root } from './bundle.ts';
import { definitionOf, Flow, placeholdersOf } from './flow.ts';
import type { TaskFunction } from './task-function.ts';

export const flowFiles = (): string[] =>
  globSync('*.asl.json', { cwd: join(root, 'state-machines') })
    .map((file) => basename(file, '.asl.json'))
    .sort();

/** `ComputeTasks` is the function `tasks-compute`; undefined for a placeholder that is not of functions. */
export function taskFunctionOf(placeholder: string): FunctionName | undefined {
  const group = /^(\w+)Tasks$/.exec(placeholder)?.[1];
  if (group === undefined) return undefined;
  const name = `tasks-${group.toLowerCase()}`;
  if (!Object.hasOwn(functions, name)) throw new Error(`a flow names ${placeholder}, and there is no function ${name}`);
  return name as FunctionName;
}

/** `BuildAmphora` is the flow `build-amphora`. */
export const childFlowOf = (placeholder: string): string =>
  placeholder.replace(/(?!^)[A-Z]/g, (letter) => `-${letter}`).toLowerCase();

/** @param deployment starts the names of the state machines, by which functions know them */
export function makeFlows(
  scope: Construct,
  deployment: string,
  functionOf: (name: FunctionName) => TaskFunction,
): Map<string, Flow> {
  const made = new Map<string, Flow>();
  const ensure = (flow: string): Flow => {
    const known = made.get(flow);
    if (known) return known;
    const taskFunctions: Record<string, TaskFunction> = {};
    const children: Record<string, Flow> = {};
    for (const placeholder of placeholdersOf(definitionOf(flow))) {
      const name = taskFunctionOf(placeholder);
      if (name) taskFunctions[placeholder] = functionOf(name);
      else children[placeholder] = ensure(childFlowOf(placeholder));
    }
    const stateMachineName = `${deployment}-${flow}`;
    made.set(flow, new Flow(scope, { flow, stateMachineName, functions: taskFunctions, children }));
    return made.get(flow)!;
  };
  flowFiles().forEach(ensure);
  return made;
}
