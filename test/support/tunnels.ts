// Connections that last: WebSockets through a VIP that say something all the time and want to hear it back, as chats and consoles do.
import { once } from 'node:events';
import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

const handshake = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
};
const pauseMs = 20;
const answerTimeoutMs = 10_000;

export class Tunnel implements Disposable {
  /** Name of the member at its other end. */
  readonly member: string;
  readonly #socket: Duplex;

  private constructor(member: string, socket: Duplex) {
    this.member = member;
    this.#socket = socket;
    // What is lost shows at the next word that is said.
    socket.on('error', () => {});
  }

  static async open(address: string, port: number): Promise<Tunnel> {
    const call = request({ host: address, port, headers: handshake, agent: false });
    call.on('response', ({ statusCode }) => call.destroy(new Error(`no WebSocket, but ${statusCode}`)));
    call.end();
    const [response, socket] = await once(call, 'upgrade');
    return new Tunnel(String(response.headers['x-member']), socket);
  }

  /** @throws Error when it does not come back */
  async say(text: string): Promise<void> {
    if (this.#socket.destroyed || this.#socket.readableEnded) throw new Error('the connection has ended');
    const heard = once(this.#socket, 'data', { signal: AbortSignal.timeout(answerTimeoutMs) });
    this.#socket.write(text);
    const [back] = await heard;
    if (String(back) !== text) throw new Error(`said ${text}, heard ${back}`);
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && !this.#socket.readableEnded;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

/** Several of them that are never silent, until stopped. */
export class TunnelLoad {
  readonly result = { said: 0, failures: [] as string[] };
  readonly #running: Promise<void>[];
  #isStopped = false;

  private constructor(tunnels: Tunnel[]) {
    this.#running = tunnels.map((tunnel) => this.#talk(tunnel));
  }

  static async open(address: string, port: number, count: number): Promise<TunnelLoad> {
    return new TunnelLoad(await Promise.all(Array.from({ length: count }, () => Tunnel.open(address, port))));
  }

  async #talk(tunnel: Tunnel): Promise<void> {
    try {
      while (!this.#isStopped) {
        await tunnel.say(`word ${this.result.said++}`);
        await sleep(pauseMs);
      }
    } catch (error) {
      this.result.failures.push(String(error));
    } finally {
      tunnel[Symbol.dispose]();
    }
  }

  async stop(): Promise<{ said: number; failures: string[] }> {
    this.#isStopped = true;
    await Promise.all(this.#running);
    return this.result;
  }
}
