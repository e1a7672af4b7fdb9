// The flows of one machine: definitions with their placeholders replaced by names that exist here.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadMachine, type Machine } from './definition.ts';
import { type Json, substitute } from './refusal.ts';

export type Task = (payload: unknown) => Promise<unknown>;

export const localStateMachineArn = (flow: string) => `arn:aws:states:local:000000000000:stateMachine:${flow}`;
export const localExecutionArn = (flow: string, name: string) =>
  `arn:aws:states:local:000000000000:execution:${flow}:${name}`;
const localFunctionArn = (placeholder: string) => `arn:aws:lambda:local:000000000000:function:${placeholder}`;
const flowPlaceholder = (flow: string) =>
  flow.replace(/(^|-)([a-z])/g, (_match, _dash, letter: string) => letter.toUpperCase());

function readDefinitions(directory: string): Record<string, unknown> {
  const files = readdirSync(directory).filter((file) => file.endsWith('.asl.json'));
  const parse = (file: string): unknown => JSON.parse(readFileSync(join(directory, file), 'utf8'));
  return Object.fromEntries(files.map((file) => [file.slice(0, -'.asl.json'.length), parse(file)]));
}

export interface FlowSources {
  /** Flow to its definition, or the directory of `<flow>.asl.json` files. */
  definitions: Record<string, unknown> | string;
  /** More placeholders; those of the tasks and `${BuildAmphora}` for the flow build-amphora are known already. */
  substitutions?: Record<string, string>;
  /** Placeholder without `${}` to the function behind it. */
  tasks: Record<string, Task>;
}

export interface LoadedFlows {
  machines: Map<string, Machine>;
  tasks: Map<string, Task>;
}

/** @throws FlowRefused for anything the interpreter does not run exactly as AWS does */
export function loadFlows({ definitions, substitutions, tasks }: FlowSources): LoadedFlows {
  const sources = typeof definitions === 'string' ? readDefinitions(definitions) : definitions;
  const flows = Object.keys(sources);
  const names: Record<string, string> = {
    ...Object.fromEntries(Object.keys(tasks).map((name) => [name, localFunctionArn(name)])),
    ...Object.fromEntries(flows.map((flow) => [flowPlaceholder(flow), localStateMachineArn(flow)])),
    ...substitutions,
  };
  const functions = new Map(Object.entries(tasks).map(([name, task]) => [names[name] as string, task]));
  const known = {
    isTask: (arn: string) => functions.has(arn),
    flowOf: (arn: string) => flows.find((flow) => arn.split(':').at(-1) === flow),
  };
  const load = (flow: string): [string, Machine] => {
    const file = `${flow}.asl.json`;
    return [flow, loadMachine(file, substitute({ file }, 'top', sources[flow], names) as Json, known)];
  };
  return { machines: new Map(flows.map(load)), tasks: functions };
}
