// Runs flows in this process: Step Functions' place on one machine. Executions outlive the process: `resume` goes on with
// all that were running when it died, at the state that was in flight.
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { DriverError } from '../../lambdas/domain/errors.ts';
import type { Execution, FlowDriver, FlowName } from '../../lambdas/drivers/flows/flow-driver.ts';
import type { Machine } from './definition.ts';
import type { Ending, ExecutionStore, StoredExecution } from './execution-store.ts';
import { FlowFailure, FlowHalted, toPayload } from './failures.ts';
import { runMachine } from './interpreter.ts';
import { type FlowSources, loadFlows, localExecutionArn, type Task } from './load-flows.ts';
import { type ChildResult, type Host, Run, untilAborted } from './run.ts';

export interface LocalFlowOptions extends FlowSources {
  store: ExecutionStore;
  now?: () => number;
  sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Multiplies the intervals of Wait and Retry, not the timeouts. */
  waitScale?: number;
  /** At least once per execution, again after a restart if the process died in it. */
  onEnded?: (execution: Execution) => void | Promise<void>;
  logger?: { error(message: string, error: Error): void };
}

interface Active {
  run: Run;
  ended: Promise<void>;
}

const key = (flow: string, name: string) => `${flow}/${name}`;
const sleepFor = (ms: number, signal: AbortSignal) => delay(ms, undefined, { signal });
/** Pruning reads an index; once in so many endings it does not show. */
const endingsPerPruning = 100;

export class LocalFlowDriver implements FlowDriver {
  readonly #options: LocalFlowOptions;
  readonly #machines: Map<string, Machine>;
  readonly #tasks: Map<string, Task>;
  readonly #host: Host;
  readonly #closing = new AbortController();
  readonly #active = new Map<string, Active>();
  readonly #inFlight = new Set<Promise<unknown>>();
  #endings = 0;

  /** @throws FlowRefused */
  constructor(options: LocalFlowOptions) {
    this.#options = options;
    const { machines, tasks } = loadFlows(options);
    this.#machines = machines;
    this.#tasks = tasks;
    this.#host = {
      store: options.store,
      task: (resource, payload) => this.#runTask(resource, payload),
      child: (...child) => this.#runChild(...child),
      now: options.now ?? Date.now,
      sleep: options.sleep ?? sleepFor,
      waitScale: options.waitScale ?? 1,
      closing: this.#closing.signal,
    };
  }

  async start(flow: FlowName, name: string, input: Record<string, unknown>): Promise<void> {
    const text = this.#checkStart(flow, name, input);
    if (this.#begin(flow, name, text)) return;
    const taken = this.#options.store.find(flow, name);
    if (taken && isDeepStrictEqual(JSON.parse(taken.input), JSON.parse(text))) return;
    throw new DriverError(`flow ${flow} has an execution ${name} with another input`);
  }

  async describe(flow: FlowName, name: string): Promise<Execution | undefined> {
    const stored = this.#options.store.find(flow, name);
    return stored && asExecution(stored);
  }

  async stop(flow: FlowName, name: string, cause: string): Promise<void> {
    const active = this.#active.get(key(flow, name));
    if (!active) return;
    this.#end(active.run, { state: 'ABORTED', cause });
    await active.ended;
  }

  /** Goes on with everything that was running when the process ended, and tells endings that were not told. */
  async resume(): Promise<void> {
    for (const stored of this.#options.store.untold()) await this.#tell(stored);
    for (const stored of this.#options.store.running()) {
      if (!this.#active.has(key(stored.flow, stored.name)))
        this.#launch(stored.flow, stored.name, stored.input, stored.started_at);
    }
  }

  /** Takes no more steps and waits for tasks in flight; executions stay RUNNING in the store for the next start. */
  async close(boundMs = 10_000): Promise<void> {
    this.#closing.abort();
    const settled = async () => {
      await Promise.allSettled(this.#inFlight);
      await Promise.allSettled([...this.#active.values()].map(({ ended }) => ended));
    };
    const bound = new AbortController();
    await Promise.race([settled(), delay(boundMs, undefined, { signal: bound.signal }).catch(() => {})]);
    bound.abort();
    for (const { run } of this.#active.values()) run.seal();
    this.#options.store.close();
  }

  #checkStart(flow: string, name: string, input: Record<string, unknown>): string {
    if (this.#closing.signal.aborted) throw new DriverError('flows are closing', { isTransient: true });
    if (!this.#machines.has(flow)) throw new DriverError(`there is no flow ${flow}`);
    if (!/^[\w.-]{1,80}$/.test(name)) throw new DriverError(`an execution cannot be named ${name}`);
    try {
      return toPayload(input, 'the input');
    } catch (cause) {
      throw new DriverError(`flow ${flow} was given too large an input`, { cause });
    }
  }

  /** @returns false when there is one of this name */
  #begin(flow: string, name: string, input: string): boolean {
    const startedAt = this.#host.now();
    if (!this.#options.store.insert(flow, name, input, startedAt)) return false;
    this.#launch(flow, name, input, startedAt);
    return true;
  }

  #launch(flow: string, name: string, inputText: string, startedAt: number): void {
    const Input = JSON.parse(inputText);
    const Execution = {
      Id: localExecutionArn(flow, name),
      Name: name,
      Input,
      StartTime: new Date(startedAt).toISOString(),
    };
    const run = new Run(this.#host, flow, name, { Execution });
    // The caller of start does not pay for the first state.
    const ended = new Promise<void>((resolve) => setImmediate(() => resolve(this.#execute(run, Input, startedAt))));
    this.#active.set(key(flow, name), { run, ended });
  }

  async #execute(run: Run, input: unknown, startedAt: number): Promise<void> {
    const machine = this.#machines.get(run.flow);
    const timer = this.#timeOut(run, machine, startedAt);
    try {
      if (!machine) throw new FlowFailure('States.Runtime', `There is no flow ${run.flow} any more`);
      const output = await runMachine(run, machine, '', input, run.stopping.signal);
      this.#end(run, { state: 'SUCCEEDED', output: toPayload(output, 'the output') });
    } catch (error) {
      if (!(error instanceof FlowHalted)) this.#fail(run, error);
    } finally {
      clearTimeout(timer);
      this.#active.delete(key(run.flow, run.name));
    }
    await this.#tellEnded(run);
  }

  #fail(run: Run, thrown: unknown): void {
    const failure = thrown instanceof FlowFailure ? thrown : new FlowFailure('States.Runtime', String(thrown));
    const state = failure.errorName === 'States.Timeout' ? 'TIMED_OUT' : 'FAILED';
    this.#end(run, { state, error: failure.errorName, cause: failure.causeText });
  }

  #timeOut(run: Run, machine: Machine | undefined, startedAt: number): NodeJS.Timeout | undefined {
    const seconds = machine?.timeoutSeconds;
    if (seconds === undefined) return undefined;
    const ms = Math.max(0, startedAt + seconds * 1000 - this.#host.now());
    return setTimeout(
      () => this.#end(run, { state: 'TIMED_OUT', error: 'States.Timeout' }),
      Math.min(ms, 2 ** 31 - 1),
    ).unref();
  }

  /** The first ending stands; the run writes nothing after it. */
  #end(run: Run, ending: { state: Ending['state']; output?: string; error?: string; cause?: string }): void {
    if (run.hasEnded) return;
    const { state, output = null, error = null, cause = null } = ending;
    this.#options.store.end(run.flow, run.name, { state, output, error, cause, ended_at: this.#host.now() });
    run.seal();
  }

  async #tellEnded(run: Run): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const stored = this.#options.store.find(run.flow, run.name);
    if (stored && stored.state !== 'RUNNING') await this.#tell(stored);
    if (++this.#endings % endingsPerPruning === 0 && !this.#closing.signal.aborted)
      this.#options.store.prune(this.#host.now());
  }

  async #tell(stored: StoredExecution): Promise<void> {
    try {
      await this.#options.onEnded?.(asExecution(stored));
      if (!this.#closing.signal.aborted) this.#options.store.markTold(stored.flow, stored.name);
    } catch (error) {
      // It stays untold and is told again at the next start; until then the reconciler's deadline is the net.
      this.#options.logger?.error(`end of ${stored.flow} ${stored.name} was not taken`, error as Error);
    }
  }

  #runTask(resource: string, payload: unknown): Promise<unknown> {
    const task = this.#tasks.get(resource) as Task;
    const running = task(payload);
    this.#inFlight.add(running);
    const done = () => this.#inFlight.delete(running);
    running.then(done, done);
    return running;
  }

  async #runChild(
    flow: string,
    name: string,
    input: string,
    isKnown: boolean,
    signal: AbortSignal,
  ): Promise<ChildResult> {
    if (!this.#begin(flow, name, input) && !isKnown && !this.#canJoin(flow, name, input)) {
      const text = `Execution Already Exists: '${localExecutionArn(flow, name)}'`;
      throw new FlowFailure('StepFunctions.ExecutionAlreadyExistsException', text);
    }
    const active = this.#active.get(key(flow, name)) ?? this.#revive(flow, name);
    try {
      if (active) await untilAborted(active.ended, AbortSignal.any([signal, this.#closing.signal]));
    } catch (error) {
      if (signal.aborted) await this.stop(flow as FlowName, name, 'the parent execution was stopped');
      throw error;
    }
    return this.#childResult(flow, name);
  }

  /** Step Functions takes a second start as the first one while that runs with the same input. */
  #canJoin(flow: string, name: string, input: string): boolean {
    const stored = this.#options.store.find(flow, name);
    return stored?.state === 'RUNNING' && stored.input === input;
  }

  /** After a restart a parent may come before its child in the list of those to resume. */
  #revive(flow: string, name: string): Active | undefined {
    const stored = this.#options.store.find(flow, name);
    if (stored?.state !== 'RUNNING') return undefined;
    this.#launch(flow, name, stored.input, stored.started_at);
    return this.#active.get(key(flow, name));
  }

  #childResult(flow: string, name: string): ChildResult {
    const stored = this.#options.store.find(flow, name);
    if (!stored || stored.ended_at === null) throw new FlowHalted(`${flow} ${name} has not ended`);
    const { state, output, error, cause } = asExecution(stored);
    const times = { startedAt: stored.started_at, endedAt: stored.ended_at };
    return { arn: localExecutionArn(flow, name), state, output, error, cause, ...times };
  }
}

function asExecution({ flow, name, state, input, output, error, cause }: StoredExecution): Execution {
  return {
    flow: flow as FlowName,
    name,
    state,
    input: JSON.parse(input),
    ...(output === null ? {} : { output: JSON.parse(output) }),
    ...(error === null ? {} : { error }),
    ...(cause === null ? {} : { cause }),
  };
}
