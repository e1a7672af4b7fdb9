// Just enough of RFC 6455 by hand: a member that takes the upgrade and answers short texts in capitals, and a client of it.
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { eventually } from './eventually.ts';
import { connected } from './raw-client.ts';
import type { Behaviour } from './raw-member.ts';

const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const acceptOf = (key: string) =>
  createHash('sha1')
    .update(key + guid)
    .digest('base64');
const mask = Buffer.from([1, 2, 3, 4]);
const maskedBy = (bytes: Uint8Array) => Buffer.from(bytes).map((byte, index) => byte ^ mask[index % 4]!);
/** Of a final text frame. */
const text = 0x81;
const isMasked = 0x80;
const endOfHeaders = '\r\n\r\n';

export const speaksWebSocket: Behaviour = (socket, received) => {
  let isUpgraded = false;
  socket.on('data', (data) => {
    if (isUpgraded) {
      const answer = maskedBy(data.subarray(6)).toString().toUpperCase();
      socket.write(Buffer.concat([Buffer.from([text, answer.length]), Buffer.from(answer)]));
      return;
    }
    const key = /sec-websocket-key: (\S+)/i.exec(received().toString())?.[1];
    isUpgraded = received().includes(endOfHeaders) && key !== undefined;
    if (isUpgraded)
      socket.write(upgrade('HTTP/1.1 101 Switching Protocols', `sec-websocket-accept: ${acceptOf(key!)}`));
  });
};

const upgrade = (start: string, ...headers: string[]): string =>
  [start, 'upgrade: websocket', 'connection: Upgrade', ...headers].join('\r\n') + endOfHeaders;

export class WebSocketClient implements Disposable {
  readonly #socket: Socket;
  #heard = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data) => {
      this.#heard = Buffer.concat([this.#heard, data]);
    });
  }

  /** @throws Error when the other side does not upgrade as it must */
  static async open(host: string, port: number): Promise<WebSocketClient> {
    const client = new WebSocketClient(await connected(host, port));
    const key = Buffer.from('0123456789abcdef').toString('base64');
    const headers = ['host: example.com', `sec-websocket-key: ${key}`, 'sec-websocket-version: 13'];
    client.#socket.write(upgrade('GET /chat HTTP/1.1', ...headers));
    await eventually('the upgrade is answered', () => client.#heard.includes(endOfHeaders));
    const answer = client.#heard.toString();
    if (!answer.startsWith('HTTP/1.1 101 ') || !answer.includes(acceptOf(key)))
      throw new Error(`no upgrade: ${answer}`);
    return client;
  }

  /** The answer to a short text. */
  async say(words: string): Promise<string> {
    this.#heard = Buffer.alloc(0);
    const head = Buffer.from([text, isMasked | words.length]);
    this.#socket.write(Buffer.concat([head, mask, maskedBy(Buffer.from(words))]));
    await eventually('there is an answer', () => this.#heard.length >= words.length + 2);
    return this.#heard.subarray(2).toString();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
