// The agent's own log: one JSON object a line on standard output.
export function log(message: string, details: Record<string, unknown> = {}): void {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), message, ...details })}\n`);
}

/** The text of whatever was thrown, for an operator. */
export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
