// Runs a loaded flow from its checkpoints: TaskFlow's engine. One visit of a state is input, action, result, output, with
// Retry around it and Catch behind it; after each visit the branch's checkpoint moves on.
import { createHash } from 'node:crypto';
import { runBranches, runMap } from './branches.ts';
import type { Machine, State } from './definition.ts';
import { FlowFailure, FlowHalted, matches, nextRetryDelay, runtimeFailure, taskFailure } from './failures.ts';
import type { Read, Source } from './paths.ts';
import { type Checkpoint, carried, type Run, withinSeconds } from './run.ts';

/** Where a state is visited. */
export interface Visit {
  run: Run;
  state: State;
  branch: string;
  checkpoint: Checkpoint;
  signal: AbortSignal;
}
interface Step {
  output: unknown;
  next: string | undefined;
}

/** @returns the output of the machine; a branch that had ended before a restart is not run again */
export async function runMachine(
  run: Run,
  machine: Machine,
  branch: string,
  input: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  let checkpoint = run.checkpoint(branch) ?? { state: machine.startAt, data: input };
  while (!checkpoint.isDone) {
    run.assertGoing(signal);
    const state = machine.states.get(checkpoint.state);
    // Another release of the flow may have lost the state a stored execution stands at.
    if (!state) throw runtimeFailure(`The flow has no state ${checkpoint.state} any more`);
    const step = await visit({ run, state, branch, checkpoint, signal });
    // A sibling failed meanwhile: its parent may already have begun anew, and must not find our checkpoint.
    if (signal.aborted) throw new FlowHalted(`${run.flow} ${run.name} was stopped`);
    const hasBranches = state.action.type === 'Parallel' || state.action.type === 'Map';
    if (step.next === undefined) checkpoint = { state: state.name, data: step.output, isDone: true };
    else checkpoint = { state: step.next, data: step.output };
    // The top level's end is recorded with the execution's, in one transaction.
    if (branch !== '' || !checkpoint.isDone) run.save(branch, checkpoint, hasBranches);
  }
  return checkpoint.data;
}

async function visit(place: Visit): Promise<Step> {
  const { run, state, branch, signal } = place;
  for (;;) {
    try {
      return await attempt(place);
    } catch (thrown) {
      if (thrown instanceof FlowHalted) throw thrown;
      const failure = thrown instanceof FlowFailure ? thrown : runtimeFailure(String(thrown));
      const attempts = [...(place.checkpoint.attempts ?? [])];
      const delaySeconds = nextRetryDelay(state.retriers, failure, attempts);
      if (delaySeconds === undefined) return caught(state, place.checkpoint.data, failure);
      run.assertGoing(signal);
      const wakeAt = run.host.now() + delaySeconds * 1000 * run.host.waitScale;
      place.checkpoint = { state: state.name, data: place.checkpoint.data, attempts, wakeAt };
      run.save(branch, place.checkpoint, true);
    }
  }
}

function caught(state: State, input: unknown, failure: FlowFailure): Step {
  const catcher = state.catchers.find((one) => matches(one.errorEquals, failure.errorName));
  if (!catcher) throw failure;
  const output = catcher.write(input, { Error: failure.errorName ?? '', Cause: failure.causeText ?? '' });
  return { output: carried(output, `the output of ${state.name}`), next: catcher.next };
}

const through = (path: Read | null | undefined, source: Source): unknown =>
  path === undefined ? source.data : path === null ? {} : path(source);

async function attempt(place: Visit): Promise<Step> {
  const { run, state, checkpoint, signal } = place;
  if (checkpoint.attempts !== undefined && checkpoint.wakeAt !== undefined)
    await run.sleepUntil(checkpoint.wakeAt, signal);
  const context = contextOf(place);
  const input = through(state.inputPath, { data: checkpoint.data, context });
  const payload = state.parameters ? state.parameters({ data: input, context }) : input;
  const acted = await act(place, { data: payload, context });
  const result = state.resultSelector ? state.resultSelector({ data: acted.result, context }) : acted.result;
  const written = state.write(checkpoint.data, result);
  const output = through(state.outputPath, { data: written, context });
  return { output: carried(output, `the output of ${state.name}`), next: acted.next };
}

function contextOf({ run, state, checkpoint }: Visit): Record<string, unknown> {
  const RetryCount = (checkpoint.attempts ?? []).reduce((sum, made) => sum + made, 0);
  return { ...run.context, State: { Name: state.name, RetryCount } };
}

interface Acted {
  result: unknown;
  next: string | undefined;
}

async function act(place: Visit, source: Source): Promise<Acted> {
  const { state, signal } = place;
  const { action, next } = state;
  switch (action.type) {
    case 'Task':
      return { result: await runTask(place, action, source.data), next };
    case 'Child':
      return { result: await runChild(place, action, source.data as ChildParameters), next };
    case 'Pass':
      return { result: action.hasResult ? action.result : source.data, next };
    case 'Wait':
      await wait(place, action.seconds(source));
      return { result: source.data, next };
    case 'Choice':
      return { result: source.data, next: choose(action, source) };
    case 'Succeed':
      return { result: source.data, next: undefined };
    case 'Fail':
      throw new FlowFailure(textOrNothing(action.error(source)), textOrNothing(action.cause(source)));
    case 'Parallel':
      return { result: await runBranches(place, action.branches, source.data, signal), next };
    case 'Map':
      return { result: await runMap(place, action, source), next };
  }
}

function textOrNothing(value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw runtimeFailure('Error and Cause of a Fail state must be texts');
}

function choose(action: Extract<State['action'], { type: 'Choice' }>, source: Source): string {
  const next = action.rules.find((rule) => rule.holds(source))?.next ?? action.otherwise;
  if (next === undefined)
    throw new FlowFailure('States.NoChoiceMatched', 'No rule of the choice matched and there is no Default');
  return next;
}

async function wait(place: Visit, seconds: unknown): Promise<void> {
  const { run, state, branch, signal, checkpoint } = place;
  if (typeof seconds !== 'number' || !(seconds >= 0)) throw runtimeFailure(`${state.name}: seconds must be a number`);
  const wakeAt = checkpoint.wakeAt ?? run.host.now() + seconds * 1000 * run.host.waitScale;
  // Written down before it is slept, so that a restart waits for the rest only.
  if (checkpoint.wakeAt === undefined) run.save(branch, { state: state.name, data: checkpoint.data, wakeAt });
  await run.sleepUntil(wakeAt, signal);
}

async function runTask(
  { run, state, signal }: Visit,
  action: Extract<State['action'], { type: 'Task' }>,
  payload: unknown,
): Promise<unknown> {
  const given = carried(payload, `the input of ${state.name}`);
  const answer = await withinSeconds(action.timeoutSeconds, signal, async () => {
    try {
      return await run.host.task(action.resource, given);
    } catch (thrown) {
      throw thrown instanceof FlowHalted ? thrown : taskFailure(thrown);
    }
  });
  return carried(answer, `the result of ${state.name}`);
}

interface ChildParameters {
  StateMachineArn: string;
  Input?: unknown;
  Name?: unknown;
}

async function runChild(
  place: Visit,
  action: Extract<State['action'], { type: 'Child' }>,
  parameters: ChildParameters,
): Promise<unknown> {
  const { run, state, branch, checkpoint, signal } = place;
  const input = JSON.stringify(carried(parameters.Input ?? {}, `the input of ${action.flow}`));
  const name = checkpoint.child ?? String(parameters.Name ?? childName(place));
  const isKnown = checkpoint.child !== undefined;
  // The name goes into the parent's checkpoint first: whatever dies after it, a restart joins this child.
  if (!isKnown) run.save(branch, { ...checkpoint, wakeAt: undefined, child: name });
  const child = await withinSeconds(action.timeoutSeconds, signal, (stop) =>
    run.host.child(action.flow, name, input, isKnown, stop),
  );
  const answer = {
    ExecutionArn: child.arn,
    StateMachineArn: parameters.StateMachineArn,
    Name: name,
    Status: child.state,
    StartDate: child.startedAt,
    StopDate: child.endedAt,
  };
  if (child.state === 'SUCCEEDED') return carried({ ...answer, Output: child.output }, `the result of ${state.name}`);
  throw new FlowFailure('States.TaskFailed', JSON.stringify({ ...answer, Error: child.error, Cause: child.cause }));
}

/** Without a Name on AWS a random one is given; ours follows from the visit and its attempt. */
function childName({ run, state, branch, checkpoint }: Visit): string {
  const visit = [run.flow, run.name, branch, state.name, run.host.now(), checkpoint.attempts ?? []];
  return createHash('sha256').update(JSON.stringify(visit)).digest('hex').slice(0, 36);
}
