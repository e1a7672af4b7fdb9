// A member that can fail in the way a health monitor of its type finds out, and come back on the same port.
import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { makeUserAuthority } from './user-certificates.ts';

export type Failure = 'answers 503' | 'speaks no TLS' | 'is not there';

export class FailingMember implements AsyncDisposable {
  readonly address = '127.0.0.1';
  readonly protocol_port: number;
  readonly #failure: Failure;
  readonly #good: () => Server;
  #server: Server;

  private constructor(server: Server, good: () => Server, failure: Failure) {
    this.protocol_port = (server.address() as AddressInfo).port;
    this.#server = server;
    this.#good = good;
    this.#failure = failure;
  }

  static async start(name: string, failure: Failure, { tls = false } = {}): Promise<FailingMember> {
    const authority = tls ? await makeUserAuthority(name) : undefined;
    const answer: RequestListener = (_request, response) => void response.end(name);
    const good = (): Server =>
      authority
        ? createHttpsServer({ cert: authority.certificate, key: authority.private_key }, answer)
        : createHttpServer(answer);
    return new FailingMember(await listening(good(), 0), good, failure);
  }

  get attributes() {
    return { address: this.address, protocol_port: this.protocol_port };
  }

  async fail(): Promise<void> {
    await this.#end();
    const unavailable: RequestListener = (_request, response) => void response.writeHead(503).end();
    if (this.#failure === 'answers 503') await this.#become(createHttpServer(unavailable));
    if (this.#failure === 'speaks no TLS') await this.#become(createServer((socket) => void socket.end('hello\r\n')));
  }

  async recover(): Promise<void> {
    await this.#end();
    await this.#become(this.#good());
  }

  async #become(server: Server): Promise<void> {
    this.#server = await listening(server, this.protocol_port);
  }

  async #end(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    if ('closeAllConnections' in this.#server) (this.#server as { closeAllConnections(): void }).closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }
}

async function listening(server: Server, port: number): Promise<Server> {
  server.on('connection', (socket) => void socket.on('error', () => {}));
  await once(server.listen(port, '127.0.0.1'), 'listening');
  return server;
}
