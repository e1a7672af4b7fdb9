// Client of HAProxy's master socket: the master's own commands, and the Runtime API of one worker through it. The master
// socket names the worker, so that around a reload no command reaches the wrong one, and the level of the stats socket
// in the configuration does not matter.
import { createConnection } from 'node:net';
import { answerTimeoutMs, converse, noSuchWorker, RuntimeApiError } from './conversation.ts';

export { RuntimeApiError } from './conversation.ts';

export interface Processes {
  master: number;
  /** Reloads the master has done, and how many of the latest ones in a row failed. */
  reloads: number;
  failedReloads: number;
  /** The worker that takes new connections; null while it is being started. */
  worker: number | null;
  /** Workers of before a reload that still end their connections. */
  oldWorkers: number[];
}

export class RuntimeApi {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  async showProcesses(): Promise<Processes> {
    return parseProcesses(await this.#exchange('show proc\n'));
  }

  /** What the master said, which is nothing before HAProxy 2.7: it executes itself anew and the connection ends. */
  reload(): Promise<string> {
    return this.#exchange('reload\n');
  }

  ask(worker: number, command: string): Promise<string> {
    return this.#exchange(`@!${worker} ${command}\n`);
  }

  /** One connection for all commands; the answers in their order, empty where HAProxy had nothing to say. */
  askAll(worker: number, commands: string[]): Promise<string[]> {
    return converse(this.#socketPath, worker, commands);
  }

  #exchange(request: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(this.#socketPath);
      let answer = '';
      socket.setEncoding('utf8').setTimeout(answerTimeoutMs);
      socket.on('data', (chunk) => {
        answer += chunk;
        if (answer.includes(noSuchWorker)) socket.destroy();
      });
      socket.on('timeout', () => socket.destroy(new RuntimeApiError('HAProxy does not answer on its master socket')));
      socket.on('error', (cause) => reject(new RuntimeApiError(`master socket: ${cause.message}`, { cause })));
      socket.on('close', () => resolve(answer));
      // The master keeps a connection open until its client has nothing more to say.
      socket.on('connect', () => socket.end(request));
    });
  }
}

/** The table of `show proc`: columns pid, type, reloads, ...; current and old workers under headings of their own. */
export function parseProcesses(table: string): Processes {
  const result: Processes = { master: 0, reloads: 0, failedReloads: 0, worker: null, oldWorkers: [] };
  let isOld = false;
  for (const line of table.split('\n')) {
    if (line.startsWith('# ')) isOld = line.includes('old');
    const [, pid, type, reloads] = /^(\d+)\s+(\w+)\s+(\d+)/.exec(line) ?? [];
    if (type === 'master') {
      result.master = Number(pid);
      result.reloads = Number(reloads);
      result.failedReloads = Number(/failed: (\d+)/.exec(line)?.[1] ?? 0);
    }
    if (type === 'worker' && isOld) result.oldWorkers.push(Number(pid));
    if (type === 'worker' && !isOld) result.worker = Number(pid);
  }
  if (result.master === 0) throw new RuntimeApiError('HAProxy did not answer on its master socket');
  return result;
}
