// Parallel and Map: the branches of a flow that run side by side, each with checkpoints of its own.
import type { Machine, State } from './definition.ts';
import { runtimeFailure } from './failures.ts';
import { runMachine, type Visit } from './interpreter.ts';
import type { Source } from './paths.ts';
import { carried } from './run.ts';

export function runBranches(
  place: Visit,
  branches: Machine[],
  input: unknown,
  signal: AbortSignal,
): Promise<unknown[]> {
  return together(branches.length, branches.length, signal, (index, stop) => {
    const machine = branches[index] as Machine;
    return runMachine(place.run, machine, branchName(place, index), structuredClone(input), stop);
  });
}

export async function runMap(place: Visit, action: Extract<State['action'], { type: 'Map' }>, source: Source) {
  const items = action.items(source);
  if (!Array.isArray(items)) throw runtimeFailure(`${place.state.name}: ItemsPath does not lead to a list`);
  return together(items.length, action.maxConcurrency, place.signal, (index, stop) => {
    const context = { ...source.context, Map: { Item: { Index: index, Value: items[index] } } };
    const input = action.selector ? action.selector({ data: source.data, context }) : items[index];
    const item = carried(input, `an item of ${place.state.name}`);
    return runMachine(place.run, action.processor, branchName(place, index), item, stop);
  });
}

const branchName = ({ branch, state }: Visit, index: number) => `${branch}/${state.name}#${index}`;

/** The first that fails stops the others: they start no further state, and what they had in flight is not waited for. */
async function together(
  count: number,
  concurrency: number,
  signal: AbortSignal,
  runOne: (index: number, signal: AbortSignal) => Promise<unknown>,
): Promise<unknown[]> {
  const siblings = new AbortController();
  const stop = AbortSignal.any([signal, siblings.signal]);
  const outputs: unknown[] = new Array(count);
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const index = next++;
      outputs[index] = await runOne(index, stop);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(count, concurrency) }, lane));
  } finally {
    siblings.abort();
  }
  return outputs;
}
