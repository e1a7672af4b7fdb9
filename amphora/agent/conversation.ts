// Many commands to one worker on one connection to HAProxy's master socket, a few at a time: a master that was sent thousands at once, and
// then the end of the connection, may end it from its side before it has answered them all.
import { createConnection } from 'node:net';

export const answerTimeoutMs = 10_000;
/** HAProxy 3.4 says so of a worker that is being started, and now and then leaves the connection open after it. */
export const noSuchWorker = "Can't find the target PID";
/** Well within HAProxy's buffer of 16 KB. */
const atOnceBytes = 8_192;

export class RuntimeApiError extends Error {
  override readonly name = 'RuntimeApiError';
}

/** @throws RuntimeApiError when HAProxy ends it before the last answer */
export function converse(socketPath: string, worker: number, commands: string[]): Promise<string[]> {
  // In interactive mode each answer is followed by a prompt that names the worker; the first prompt answers nothing.
  const prompt = `${worker}> `;
  const parts = inParts(commands);
  const answers: string[] = [];
  let sent = 0;
  let heard = '';
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath).setEncoding('utf8').setTimeout(answerTimeoutMs);
    const goOn = () => {
      const part = parts.shift();
      if (part === undefined) socket.end('quit\n');
      else socket.write(`${part.join('\n')}\n`);
      sent += part?.length ?? 0;
    };
    socket.on('connect', () => socket.write(`prompt\n@!${worker}\n`));
    socket.on('data', (chunk) => {
      const ended = (heard + chunk).split(prompt);
      heard = ended.pop()!;
      answers.push(...ended);
      if (heard.includes(noSuchWorker)) socket.destroy();
      else if (ended.length > 0 && answers.length === sent + 1) goOn();
    });
    socket.on('timeout', () => socket.destroy(new RuntimeApiError('HAProxy does not answer on its master socket')));
    socket.on('error', (cause) => {
      // After the last answer it does not matter how it ends.
      if (answers.length <= commands.length) reject(new RuntimeApiError(`master socket: ${cause.message}`, { cause }));
    });
    socket.on('close', () => {
      if (answers.length > commands.length)
        resolve(answers.slice(1, commands.length + 1).map((answer) => answer.trim()));
      else reject(new RuntimeApiError(`HAProxy ended the conversation: ${heard}`));
    });
  });
}

function inParts(commands: string[]): string[][] {
  const parts: string[][] = [];
  let bytes = atOnceBytes;
  for (const command of commands) {
    const length = Buffer.byteLength(command) + 1;
    if (bytes + length > atOnceBytes) {
      parts.push([]);
      bytes = 0;
    }
    parts.at(-1)!.push(command);
    bytes += length;
  }
  return parts;
}
