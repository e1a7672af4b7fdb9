// One request to an agent and its answer. Tells an agent that is not there, for which one waits, from one that is wrong.
import { type RequestOptions, request } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { DriverError, NotReady } from '../../domain/errors.ts';

export interface Answer {
  status: number;
  /** Parsed when it is JSON. */
  body: unknown;
}

export interface Timeouts {
  connectTimeoutMs: number;
  readTimeoutMs: number;
}

/** An agent that answers more than this is none of ours. */
const answerLimitBytes = 1024 * 1024;

const notThere = ['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN'];

/**
 * @throws NotReady `AmphoraNotReady` when nobody answers, or not in time
 * @throws DriverError for everything else, such as a certificate of another amphora
 */
export async function exchange(options: RequestOptions, body: string | undefined, timeouts: Timeouts): Promise<Answer> {
  const sent = send(options, body, timeouts);
  try {
    return await sent.answer;
  } catch (error) {
    // The agent closed a kept connection while it was idle. Every request of the agent's API may be sent twice.
    if (sent.isReused() && codeOf(error) === 'ECONNRESET') return exchange(options, body, timeouts);
    throw translate(error, options);
  }
}

function send(options: RequestOptions, body: string | undefined, timeouts: Timeouts) {
  const outgoing = request(options);
  const answer = new Promise<Answer>((resolve, reject) => {
    const timer = setTimeout(() => outgoing.destroy(timedOut('connect')), timeouts.connectTimeoutMs);
    outgoing.once('socket', (socket) => {
      const connected = () => clearTimeout(timer);
      if (outgoing.reusedSocket) connected();
      else (socket as TLSSocket).once('secureConnect', connected);
    });
    outgoing.setTimeout(timeouts.readTimeoutMs, () => outgoing.destroy(timedOut('read')));
    outgoing.once('close', () => clearTimeout(timer));
    outgoing.once('error', reject);
    outgoing.once('response', (incoming) => {
      read(incoming).then((text) => resolve({ status: incoming.statusCode!, body: parse(text) }), reject);
    });
    outgoing.end(body);
  });
  return { answer, isReused: () => outgoing.reusedSocket };
}

async function read(incoming: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming) {
    bytes += chunk.length;
    if (bytes > answerLimitBytes) throw new Error(`the answer is larger than ${answerLimitBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function translate(cause: unknown, { host, servername }: RequestOptions): Error {
  const text = `amphora ${servername} at ${host}: ${cause instanceof Error ? cause.message : cause}`;
  if (notThere.includes(codeOf(cause) ?? '')) return new NotReady('AmphoraNotReady', text, { cause });
  return new DriverError(text, { cause, userText: 'The amphora could not be talked to.' });
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

const timedOut = (what: string): Error => Object.assign(new Error(`${what} timed out`), { code: 'ETIMEDOUT' });
