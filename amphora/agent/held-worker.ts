// A conversation with a worker of HAProxy that keeps it from ending: an old worker ends with its last connection, and would
// take with it what that connection counted.
import { createConnection, type Socket } from 'node:net';
import { RuntimeApiError } from './runtime-api.ts';

const answerTimeoutMs = 2_000;
const prompt = '\n> ';

export class HeldWorker {
  readonly #socket: Socket;
  #text = '';
  #isClosed = false;
  #onText = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (chunk) => {
      this.#text += chunk;
      this.#onText();
    });
    socket.on('close', () => {
      this.#isClosed = true;
      this.#onText();
    });
    // Whoever asks next is told.
    socket.on('error', () => {});
  }

  /** @param socketPath the stats socket of the worker's configuration @throws RuntimeApiError when another worker answers there */
  static async hold(socketPath: string, worker: number): Promise<HeldWorker> {
    const held = new HeldWorker(createConnection(socketPath));
    try {
      await held.#exchange('prompt');
      const pid = /^Pid: (\d+)$/m.exec(await held.ask('show info'))?.[1];
      if (Number(pid) !== worker) throw new RuntimeApiError(`worker ${pid} answers instead of ${worker}`);
      return held;
    } catch (error) {
      held.release();
      throw error;
    }
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** One command at a time. */
  ask(command: string): Promise<string> {
    return this.#exchange(command);
  }

  /** True when this conversation is all that keeps it from ending. */
  async isDone(): Promise<boolean> {
    const info = await this.ask('show info');
    const count = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(info)?.[1] ?? 0);
    return count('Stopping') === 1 && count('Jobs') - count('Unstoppable Jobs') <= 1;
  }

  release(): void {
    this.#socket.destroy();
  }

  #exchange(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const fail = (message: string) => {
        clearTimeout(timer);
        reject(new RuntimeApiError(message));
      };
      const timer = setTimeout(() => fail('the held worker does not answer'), answerTimeoutMs);
      this.#onText = () => {
        const answer = this.#text;
        if (this.#isClosed) return fail('the held worker ended');
        if (!answer.endsWith(prompt)) return;
        clearTimeout(timer);
        resolve(answer.slice(0, -prompt.length));
      };
      this.#text = '';
      if (this.#isClosed) return fail('the held worker ended');
      this.#socket.write(`${command}\n`);
    });
  }
}
