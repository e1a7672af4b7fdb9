// A member that does as its test says, and a client that reads of an answer everything there is.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** Of RFC 6455. */
const webSocketId = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

type Script = (asked: IncomingMessage, answer: ServerResponse) => void;

export class ScriptedMember implements Disposable {
  /** Methods of the requests that reached it. */
  readonly seen: string[] = [];
  readonly #server: Server;
  #script: Script;

  private constructor(script: Script) {
    this.#script = script;
    this.#server = createServer((asked, answer) => {
      this.seen.push(asked.method ?? '');
      this.#script(asked, answer);
    });
    // Idle connections are closed by HAProxy alone, never under a request that is on its way.
    this.#server.keepAliveTimeout = 0;
    // A WebSocket as far as a proxy knows: after the handshake what comes is sent back.
    this.#server.on('upgrade', ({ headers }, socket) => {
      const accept = createHash('sha1').update(`${headers['sec-websocket-key']}${webSocketId}`).digest('base64');
      const heading = ['connection: upgrade', 'upgrade: websocket', `sec-websocket-accept: ${accept}`];
      socket.on('error', () => socket.destroy());
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${heading.join('\r\n')}\r\n\r\n`);
      socket.pipe(socket);
    });
  }

  /** @param script answers with the headers it got, unless told */
  static async start(script: Script = echo): Promise<ScriptedMember> {
    const member = new ScriptedMember(script);
    await once(member.#server.listen(0, '127.0.0.1'), 'listening');
    return member;
  }

  becomes(script: Script): void {
    this.#script = script;
    this.seen.length = 0;
  }

  /** As a pool takes it. */
  get attributes() {
    return { address: '127.0.0.1', protocol_port: (this.#server.address() as AddressInfo).port };
  }

  [Symbol.dispose](): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

export const echo: Script = (asked, answer) =>
  void answer.setHeader('content-type', 'application/json').end(JSON.stringify(asked.headers));

export interface Read {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  text: string;
}

interface Asked {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string;
}

/** On a connection of its own. @throws Error when that is refused or cut */
export function read(host: string, port: number, { body, ...options }: Asked = {}): Promise<Read> {
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, agent: false, timeout: 20_000, ...options }, async (answer) => {
      const whole = Buffer.concat(await answer.toArray());
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: whole, text: whole.toString() });
    });
    asked.once('timeout', () => asked.destroy(new Error('no answer in time')));
    asked.once('error', reject).end(body);
  });
}
