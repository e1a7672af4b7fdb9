// The agent's own log: one JSON object a line on standard output, and into the log for operators.
type Sink = (line: string) => void;

let copy: Sink = () => {};

/** @param sink must not log itself */
export function copyLogTo(sink: Sink): void {
  copy = sink;
}

export function log(message: string, details: Record<string, unknown> = {}): void {
  const line = JSON.stringify({ time: new Date().toISOString(), message, ...details });
  process.stdout.write(`${line}\n`);
  copy(line);
}

/** The text of whatever was thrown, for an operator. */
export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
