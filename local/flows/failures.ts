// How a flow fails: the errors of the Amazon States Language, and who may retry or catch them. TaskFlow's revert and retry.

/** A failure inside a running flow, as Retry and Catch see it. */
export class FlowFailure extends Error {
  override readonly name = 'FlowFailure';
  /** What ErrorEquals is compared with; undefined when a Fail state gave none. */
  readonly errorName: string | undefined;
  readonly causeText: string | undefined;
  constructor(errorName: string | undefined, causeText: string | undefined, options?: ErrorOptions) {
    super(`${errorName ?? 'no error name'}: ${causeText ?? ''}`, options);
    this.errorName = errorName;
    this.causeText = causeText;
  }
}

/** The execution takes no further step: stopped, timed out, or the process is closing. Never retried, never caught. */
export class FlowHalted extends Error {
  override readonly name = 'FlowHalted';
}

/** An invalid path at run time. On AWS it always ends the execution. */
export const runtimeFailure = (causeText: string): FlowFailure => new FlowFailure('States.Runtime', causeText);

/** Step Functions refuses more than 256 KiB as input or output of a state. */
export const payloadLimitBytes = 256 * 1024;

/** @returns the value as JSON text, as it would travel between states */
export function toPayload(value: unknown, what: string): string {
  const text = JSON.stringify(value) ?? 'null';
  if (text.length * 3 <= payloadLimitBytes || Buffer.byteLength(text) <= payloadLimitBytes) return text;
  throw new FlowFailure('States.DataLimitExceeded', `${what} exceeded the maximum of ${payloadLimitBytes} bytes`);
}

/** What a function threw becomes what Lambda tells Step Functions: its name, and message and type as JSON. */
export function taskFailure(thrown: unknown): FlowFailure {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const cause = JSON.stringify({ errorMessage: error.message, errorType: error.name });
  return new FlowFailure(error.name, cause, { cause: thrown });
}

/** `States.ALL` leaves data limits and runtime errors alone; `States.TaskFailed` is everything but a timeout. */
export function matches(errorEquals: string[], errorName: string | undefined): boolean {
  if (errorName === 'States.Runtime') return false;
  return errorEquals.some((wanted) => {
    if (wanted === errorName) return true;
    if (errorName === 'States.DataLimitExceeded') return false;
    return wanted === 'States.ALL' || (wanted === 'States.TaskFailed' && errorName !== 'States.Timeout');
  });
}

export interface Retrier {
  errorEquals: string[];
  intervalSeconds: number;
  maxAttempts: number;
  backoffRate: number;
  maxDelaySeconds: number;
  hasFullJitter: boolean;
}

/**
 * The first retrier that matches decides, even when its attempts are spent.
 * @param attempts retries made so far by each retrier; the one that is used is counted up
 * @returns seconds to wait, or undefined when the failure stands
 */
export function nextRetryDelay(retriers: Retrier[], failure: FlowFailure, attempts: number[]): number | undefined {
  const index = retriers.findIndex((retrier) => matches(retrier.errorEquals, failure.errorName));
  const retrier = retriers[index];
  const made = attempts[index] ?? 0;
  if (!retrier || made >= retrier.maxAttempts) return undefined;
  for (let i = attempts.length; i < index; i++) attempts[i] = 0;
  attempts[index] = made + 1;
  const delay = Math.min(retrier.intervalSeconds * retrier.backoffRate ** made, retrier.maxDelaySeconds);
  return retrier.hasFullJitter ? Math.random() * delay : delay;
}
