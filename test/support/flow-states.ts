// The flows of state-machines/ as a test sees them: every Task state by name, and each task told which state calls it.
import { readdirSync, readFileSync } from 'node:fs';

export type Json = Record<string, any>;

const directory = new URL('../../state-machines/', import.meta.url);
export const childResource = 'arn:aws:states:::states:startExecution.sync:2';

export const flowFiles = (): string[] => readdirSync(directory).filter((file) => file.endsWith('.asl.json'));
export const flowText = (file: string): string => readFileSync(new URL(file, directory), 'utf8');

export interface TaskState {
  flow: string;
  name: string;
  /** `<flow>/<name>`: where faults are injected. */
  at: string;
  definition: Json;
  /** Only reached after something failed. */
  isRevert: boolean;
}

const targets = (state: Json): string[] =>
  [state['Next'], state['Default'], ...(state['Choices'] ?? []).map((rule: Json) => rule['Next'])].filter(Boolean);

/** States reached without a failure. */
function reachedWell(machine: Json): Set<string> {
  const reached = new Set<string>();
  const waiting: string[] = [machine['StartAt']];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (reached.has(name)) continue;
    reached.add(name);
    waiting.push(...targets(machine['States'][name]));
  }
  return reached;
}

const isTask = (state: Json): boolean => state['Type'] === 'Task';

/** Walks a machine and those inside its Map and Parallel states. */
function* walk(machine: Json, isReverting = false): Generator<{ name: string; state: Json; isRevert: boolean }> {
  const well = reachedWell(machine);
  for (const [name, state] of Object.entries<Json>(machine['States'])) {
    const isRevert = isReverting || !well.has(name);
    yield { name, state, isRevert };
    for (const inner of [state['ItemProcessor'], ...(state['Branches'] ?? [])].filter(Boolean))
      yield* walk(inner, isRevert);
  }
}

/** The definitions as they are in their files, but for one more parameter by which a task knows its state. */
export function flowDefinitions(): Record<string, Json> {
  const definitions: Record<string, Json> = {};
  for (const file of flowFiles()) {
    const flow = file.slice(0, -'.asl.json'.length);
    const machine = JSON.parse(flowText(file)) as Json;
    for (const { name, state } of walk(machine))
      if (isTask(state) && state['Resource'] !== childResource) state['Parameters']['at'] = `${flow}/${name}`;
    definitions[flow] = machine;
  }
  return definitions;
}

export const taskStates: TaskState[] = Object.entries(flowDefinitions()).flatMap(([flow, machine]) =>
  [...walk(machine)]
    .filter(({ state }) => isTask(state))
    .map(({ name, state, isRevert }) => ({ flow, name, at: `${flow}/${name}`, definition: state, isRevert })),
);

export const isChild = ({ definition }: TaskState): boolean => definition['Resource'] === childResource;

/** The task whose failure leads to the revert of a flow: the last that catches, when most is there to be reverted. */
export function lastCaught(flow: string): TaskState {
  const catching = taskStates.filter(
    (state) =>
      state.flow === flow &&
      !state.isRevert &&
      !isChild(state) &&
      !['Replaced', 'UnplugVip'].includes(state.definition['Catch']?.[0]?.Next),
  );
  return catching.filter(({ definition }) => definition['Catch'] !== undefined).at(-1)!;
}
