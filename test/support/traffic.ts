// Both ends of the traffic through a VIP: members that count what reaches them, and clients that count what fails.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, get, Agent as HttpAgent, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

const requestTimeoutMs = 10_000;

/** Answers every request with its name, and says back what comes through a connection that was upgraded, as a WebSocket is. */
export class TestMember implements Disposable {
  readonly name: string;
  readonly address = '127.0.0.1';
  requests = 0;
  readonly #server: Server;
  readonly #upgraded = new Set<Duplex>();

  private constructor(name: string) {
    this.name = name;
    this.#server = createServer((_request, response) => {
      this.requests++;
      response.end(name);
    });
    // Idle connections are closed by HAProxy alone, never under a request that is on its way.
    this.#server.keepAliveTimeout = 0;
    this.#server.on('upgrade', ({ headers }, socket) => this.#upgrade(socket, headers['sec-websocket-key']));
  }

  #upgrade(socket: Duplex, key = ''): void {
    this.#upgraded.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => this.#upgraded.delete(socket));
    // HAProxy takes no answer to a WebSocket's key but the one of the standard.
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'];
    socket.write(`${[...lines, `Sec-WebSocket-Accept: ${accept}`, `X-Member: ${this.name}`].join('\r\n')}\r\n\r\n`);
    socket.pipe(socket);
  }

  /** @param host where it listens: 0.0.0.0 makes every loopback address a member */
  static async start(name: string, host = '127.0.0.1'): Promise<TestMember> {
    const member = new TestMember(name);
    await once(member.#server.listen(0, host), 'listening');
    return member;
  }

  get protocol_port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** As a pool takes it. */
  get attributes() {
    return { name: this.name, address: this.address, protocol_port: this.protocol_port };
  }

  [Symbol.dispose](): void {
    this.#server.close();
    this.#server.closeAllConnections();
    for (const socket of this.#upgraded) socket.destroy();
  }
}

/** A connection kept for the next request was closed as that one was sent: HTTP has the client send it again. */
export class ClosedIdle extends Error {
  override readonly name = 'ClosedIdle';
}

/** The body of the answer. @throws Error for anything but 200 */
export function request(address: string, port: number, agent: HttpAgent | false = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = get({ host: address, port, agent, timeout: requestTimeoutMs }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () =>
        response.statusCode === 200 ? resolve(text) : reject(new Error(`${response.statusCode} ${text}`)),
      );
    });
    call.on('timeout', () => call.destroy(new Error('no answer in time')));
    call.on('error', (cause: NodeJS.ErrnoException) => {
      const isClosedIdle = call.reusedSocket && cause.code === 'ECONNRESET';
      reject(isClosedIdle ? new ClosedIdle(cause.message, { cause }) : cause);
    });
  });
}

/** Which members answer `count` requests. */
export async function answersFrom(address: string, port: number, count: number): Promise<Set<string>> {
  const names = new Set<string>();
  for (let sent = 0; sent < count; sent++) names.add(await request(address, port));
  return names;
}

export interface LoadResult {
  requests: number;
  failures: string[];
  /** When the first and the last of them were, of performance.now(). */
  failedFrom?: number;
  failedUntil?: number;
  /** As a reload does it; no failures, as clients have an answer to them. */
  closedIdle: number;
  /** Longest time between two answered requests. */
  longestGapMs: number;
}

const thinkMs = 5;

/** Clients with and without keep-alive, until stopped; nothing is tried twice. */
export class Load {
  readonly result: LoadResult = { requests: 0, failures: [], closedIdle: 0, longestGapMs: 0 };
  readonly #keepAlive = new HttpAgent({ keepAlive: true });
  readonly #clients: Promise<void>[];
  #isStopped = false;
  #lastAnswer = performance.now();

  constructor(address: string, port: number) {
    const kinds = [this.#keepAlive, this.#keepAlive, false as const, false as const];
    this.#clients = kinds.map((agent) => this.#client(address, port, agent));
  }

  async #client(address: string, port: number, agent: HttpAgent | false): Promise<void> {
    while (!this.#isStopped) {
      try {
        await request(address, port, agent);
        this.#answered();
      } catch (error) {
        if (error instanceof ClosedIdle) this.result.closedIdle++;
        else this.#failed(error);
      }
      this.result.requests++;
      await sleep(thinkMs);
    }
  }

  #failed(error: unknown): void {
    this.result.failures.push(String(error));
    this.result.failedUntil = performance.now();
    this.result.failedFrom ??= this.result.failedUntil;
  }

  #answered(): void {
    const now = performance.now();
    this.result.longestGapMs = Math.max(this.result.longestGapMs, now - this.#lastAnswer);
    this.#lastAnswer = now;
  }

  async stop(): Promise<LoadResult> {
    this.#isStopped = true;
    await Promise.all(this.#clients);
    this.#keepAlive.destroy();
    return this.result;
  }
}
