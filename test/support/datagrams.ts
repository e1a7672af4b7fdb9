// Both ends of UDP through a VIP: members that answer a datagram with their name, and clients that ask who is there.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

const answerTimeoutMs = 1_000;

export class UdpMember implements Disposable {
  readonly name: string;
  readonly address = '127.0.0.1';
  /** Kept over a stop. */
  port = 0;
  #socket: Socket | null = null;

  private constructor(name: string) {
    this.name = name;
  }

  static async start(name: string): Promise<UdpMember> {
    const member = new UdpMember(name);
    await member.start();
    return member;
  }

  async start(): Promise<void> {
    const socket = createSocket('udp4', (_, from) => socket.send(this.name, from.port, from.address));
    this.#socket = socket;
    socket.bind(this.port, this.address);
    await once(socket, 'listening');
    this.port = (socket.address() as AddressInfo).port;
  }

  stop(): void {
    this.#socket?.close();
    this.#socket = null;
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  /** As a pool takes it. */
  get attributes() {
    return { name: this.name, address: this.address, protocol_port: this.port };
  }
}

/** A question of nine bytes from a port of its own; undefined when nobody answers. */
export async function askByDatagram(address: string, port: number): Promise<string | undefined> {
  const socket = createSocket('udp4');
  socket.connect(port, address);
  await once(socket, 'connect');
  try {
    socket.send('who is it');
    const [answer] = await once(socket, 'message', { signal: AbortSignal.timeout(answerTimeoutMs) });
    return String(answer);
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

/** Which members answer `count` datagrams, in alphabetical order. */
export async function datagramsAnsweredBy(address: string, port: number, count = 8): Promise<string[]> {
  const names = new Set<string>();
  for (let sent = 0; sent < count; sent++) names.add((await askByDatagram(address, port)) ?? 'nobody');
  return [...names].sort();
}
