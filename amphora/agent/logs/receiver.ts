// Where HAProxy's rings deliver: a socket in the load balancer's directory. HAProxy connects again by itself after the agent
// was away, and keeps meanwhile what its ring holds.
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { log, textOf } from '../log.ts';
import { FrameReader } from './frames.ts';

/** An old worker that ends may have a last word. */
const lingerMs = 1_000;

export class Receiver {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** @param take gets the frames of one read; it must not wait */
  constructor(path: string, take: (frames: Buffer[]) => void) {
    this.#server = createServer((socket) => this.#serve(socket, take));
    this.#server.on('error', (error) => log('no logs are received', { path, error: textOf(error) }));
    // Left by an agent that was killed.
    rmSync(path, { force: true });
    this.#server.listen(path);
  }

  close(): void {
    this.#server.close();
    setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, lingerMs).unref();
  }

  #serve(socket: Socket, take: (frames: Buffer[]) => void): void {
    const reader = new FrameReader();
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => {
      try {
        take(reader.read(data));
      } catch (error) {
        log('a connection of the log is given up', { error: textOf(error) });
        socket.destroy();
      }
    });
  }
}
