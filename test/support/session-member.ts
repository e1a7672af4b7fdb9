// A member with sessions of its own: begins one where it is asked to, and says which cookies reached it.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** As tokens of one issuer begin: longer than what is kept of a cookie elsewhere. */
const sameBeginning = 'eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InNpZ25pbmcta2V5LTEifQ.eyJpc3MiOiJo'.padEnd(
  100,
  'x',
);

const cookies: Record<string, () => string> = {
  '/log-in': () => `JSESSIONID=${randomUUID()}; Path=/`,
  '/token': () => `token=${sameBeginning}${randomUUID()}`,
};

export class SessionMember implements Disposable {
  readonly name: string;
  readonly #server: Server;

  private constructor(name: string) {
    this.name = name;
    this.#server = createServer((request, response) => {
      response.setHeader('x-cookie-seen', request.headers.cookie ?? '');
      const cookie = cookies[request.url ?? ''];
      if (cookie !== undefined) response.setHeader('set-cookie', cookie());
      response.setHeader('etag', '"what a cache might keep"').end(name);
    });
    this.#server.keepAliveTimeout = 0;
  }

  static async start(name: string): Promise<SessionMember> {
    const member = new SessionMember(name);
    await once(member.#server.listen(0, '127.0.0.1'), 'listening');
    return member;
  }

  /** As a pool takes it. */
  get attributes() {
    const { port } = this.#server.address() as AddressInfo;
    return { name: this.name, address: '127.0.0.1', protocol_port: port };
  }

  [Symbol.dispose](): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
