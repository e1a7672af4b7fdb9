// A member that is looked at byte by byte: keeps what each connection brought, and answers as it is told.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** What a member does with a connection, beside keeping what comes. */
export type Behaviour = (socket: Socket, received: () => Buffer) => void;

export class RawMember implements Disposable {
  readonly name: string;
  /** Everything each connection brought, in the order they came. */
  readonly received: Buffer[] = [];
  readonly #address: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(name: string, address: string, behave: Behaviour) {
    this.name = name;
    this.#address = address;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      const index = this.received.push(Buffer.alloc(0)) - 1;
      this.#sockets.add(socket);
      socket.on('data', (data) => {
        this.received[index] = Buffer.concat([this.received[index]!, data]);
      });
      // Clients that a test cuts off.
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
      behave(socket, () => this.received[index]!);
    });
  }

  static async start(name: string, behave: Behaviour, address = '127.0.0.1'): Promise<RawMember> {
    const member = new RawMember(name, address, behave);
    await once(member.#server.listen(0, address), 'listening');
    return member;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get attributes() {
    return { name: this.name, address: this.#address, protocol_port: this.port };
  }

  get connections(): number {
    return this.#sockets.size;
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Answers a request over HTTP once its headers are there, wherever they begin. */
export const answersHttp: Behaviour = (socket, received) => {
  socket.on('data', () => {
    if (!received().includes('\r\n\r\n')) return;
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok');
  });
};

/** Sends everything back, and ends when the client does. */
export const echoes: Behaviour = (socket) => {
  socket.pipe(socket);
};

/** Takes everything and never answers. */
export const isSilent: Behaviour = (socket) => {
  socket.on('end', () => socket.end());
};
