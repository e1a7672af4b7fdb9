// One running execution: its checkpoints, its context object, and what may stop it.
import type { ExecutionStore } from './execution-store.ts';
import { FlowFailure, FlowHalted, toPayload } from './failures.ts';

/** How far one branch has come. The state named here has not ended: after a restart it runs again. */
export interface Checkpoint {
  state: string;
  data: unknown;
  /** Retries made in this visit of the state, by retrier. */
  attempts?: number[];
  /** Milliseconds since the epoch; set while the state waits, for itself or for its next attempt. */
  wakeAt?: number;
  /** Name of the child execution this visit has started. */
  child?: string;
  /** The branch has ended and `data` is its output. */
  isDone?: boolean;
}

export interface ChildResult {
  arn: string;
  state: string;
  output: unknown;
  error?: string;
  cause?: string;
  startedAt: number;
  endedAt: number;
}

/** What an execution needs of its host. */
export interface Host {
  store: ExecutionStore;
  task(resource: string, payload: unknown): Promise<unknown>;
  /** Starts or joins the child and waits for its end. @param isKnown the child was started by this very visit before */
  child(flow: string, name: string, input: string, isKnown: boolean, signal: AbortSignal): Promise<ChildResult>;
  now(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  waitScale: number;
  /** Aborted when the process closes: no further steps, but what is in flight may end and be recorded. */
  closing: AbortSignal;
}

export class Run {
  readonly flow: string;
  readonly name: string;
  readonly host: Host;
  readonly context: Record<string, unknown>;
  /** Ends this execution for good. */
  readonly stopping = new AbortController();
  readonly #checkpoints: Map<string, Checkpoint>;
  #hasEnded = false;

  constructor(host: Host, flow: string, name: string, context: Record<string, unknown>) {
    this.host = host;
    this.flow = flow;
    this.name = name;
    this.context = context;
    const stored = host.store.checkpoints(flow, name);
    this.#checkpoints = new Map([...stored].map(([branch, text]) => [branch, JSON.parse(text) as Checkpoint]));
  }

  checkpoint(branch: string): Checkpoint | undefined {
    return this.#checkpoints.get(branch);
  }

  /** @param dropBelow the branches below are done with: the state they belong to has ended or starts anew */
  save(branch: string, checkpoint: Checkpoint, dropBelow = false): void {
    // A task that outlives its execution comes back here and must not write into what has ended.
    if (this.#hasEnded) throw new FlowHalted(`${this.flow} ${this.name} has ended`);
    this.#checkpoints.set(branch, checkpoint);
    if (dropBelow) this.#dropBelow(branch);
    const text = JSON.stringify(checkpoint);
    this.host.store.saveCheckpoint(this.flow, this.name, branch, text, dropBelow);
  }

  #dropBelow(branch: string): void {
    for (const other of this.#checkpoints.keys()) if (other.startsWith(`${branch}/`)) this.#checkpoints.delete(other);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Nothing is written from here on. */
  seal(): void {
    this.#hasEnded = true;
    this.stopping.abort();
  }

  assertGoing(signal: AbortSignal): void {
    if (signal.aborted || this.host.closing.aborted) throw new FlowHalted(`${this.flow} ${this.name} was stopped`);
  }

  async sleepUntil(wakeAt: number, signal: AbortSignal): Promise<void> {
    const ms = wakeAt - this.host.now();
    if (ms <= 0) return;
    const either = AbortSignal.any([signal, this.host.closing]);
    await untilAborted(this.host.sleep(ms, either), either);
  }
}

/** Waits for the promise, but no longer than the signal lets it. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const halted = () => new FlowHalted('stopped while waiting');
  if (signal.aborted) {
    promise.catch(() => {});
    throw halted();
  }
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(halted());
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } catch (error) {
    // A sleep that was aborted rejects in its own words.
    throw signal.aborted && !(error instanceof FlowHalted) ? halted() : error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** @throws FlowFailure `States.Timeout`; whatever is in flight goes on by itself, as a Lambda does */
export async function withinSeconds<T>(
  seconds: number | undefined,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (seconds === undefined) return untilAborted(work(signal), signal);
  const stop = new AbortController();
  const working = work(AbortSignal.any([signal, stop.signal]));
  const late = Promise.withResolvers<never>();
  // Neither a promise of a timer nor an abort where nothing is late: each costs an error with a stack for every task.
  const timer = setTimeout(() => {
    late.reject(new FlowFailure('States.Timeout', `not done within ${seconds} seconds`));
    stop.abort();
  }, seconds * 1000).unref();
  try {
    return await untilAborted(Promise.race([working, late.promise]), signal);
  } finally {
    working.catch(() => {});
    clearTimeout(timer);
  }
}

/** A value as the next state gets it: JSON, nobody else's object, within the limit. */
export const carried = (value: unknown, what: string): unknown => JSON.parse(toPayload(value, what));
