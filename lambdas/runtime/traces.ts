// X-Ray by its own protocol: a function's part of a trace is made by Lambda, and what it did in there is told to the daemon beside it,
// a datagram each. The SDK for that weighs 124 kB and takes 45 ms to load (decision 34).
import { randomBytes } from 'node:crypto';

export interface Trace {
  /** `1-<time>-<random>`, the same in everything that follows from a request. */
  trace_id: string;
  /** The function's own part. */
  parent_id: string | undefined;
  isSampled: boolean;
}

/** Of the invocation at hand; undefined where nobody traces. */
export function currentTrace(header = process.env['_X_AMZN_TRACE_ID']): Trace | undefined {
  const parts = new Map((header ?? '').split(';').map((part) => part.split('=', 2) as [string, string]));
  const trace_id = parts.get('Root');
  return trace_id ? { trace_id, parent_id: parts.get('Parent'), isSampled: parts.get('Sampled') === '1' } : undefined;
}

/**
 * Runs the work, and where the invocation is sampled tells how long it took and whether it failed.
 * @param annotations by which traces are searched
 */
export async function recorded<T>(
  name: string,
  annotations: Record<string, string>,
  work: () => Promise<T>,
): Promise<T> {
  const address = process.env['AWS_XRAY_DAEMON_ADDRESS'];
  const trace = currentTrace();
  if (!trace?.isSampled || trace.parent_id === undefined || !address) return work();
  const start_time = Date.now() / 1_000;
  const tell = (failure: { fault: true } | object) => {
    const { trace_id, parent_id } = trace;
    const part = { name, id: randomBytes(8).toString('hex'), type: 'subsegment', trace_id, parent_id };
    return toDaemon(address, { ...part, start_time, end_time: Date.now() / 1_000, annotations, ...failure });
  };
  try {
    const answer = await work();
    await tell({});
    return answer;
  } catch (error) {
    await tell({ fault: true });
    throw error;
  }
}

/** Waited for, as Lambda stops the process between invocations; lost when the daemon is away. */
async function toDaemon(address: string, document: object): Promise<void> {
  const { createSocket } = await import('node:dgram');
  const [host, port] = address.split(':');
  const socket = createSocket('udp4');
  const datagram = `{"format":"json","version":1}\n${JSON.stringify(document)}`;
  await new Promise<void>((resolve) => {
    socket.once('error', () => resolve());
    socket.send(datagram, Number(port), host, () => resolve());
  });
  socket.close();
}
