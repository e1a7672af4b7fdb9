// A bucket as far as presigned requests need one: put, put if absent, get and delete, and nothing without a valid signature.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { refusalOf } from '../../lambdas/drivers/objects/presigned-url.ts';

export const s3Credentials = { accessKeyId: 'test', secretAccessKey: 'test' };

export class FakeS3 implements AsyncDisposable {
  /** By path. */
  readonly objects = new Map<string, Buffer>();
  readonly asked: string[] = [];
  /** How many of the next requests are answered with 503. */
  failures = 0;
  readonly #server: Server;
  readonly #clock: { now(): number };

  private constructor(server: Server, clock: { now(): number }) {
    this.#server = server;
    this.#clock = clock;
  }

  static async start(clock: { now(): number }): Promise<FakeS3> {
    const server = createServer((request, response) => void fake.#serve(request, response));
    const fake = new FakeS3(server, clock);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return fake;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = '', url = '', headers } = request;
    this.asked.push(method);
    const refusal = refusalOf({ method, target: url, headers }, s3Credentials, this.#clock.now());
    const [status, body] = refusal === undefined ? this.#answer(request, Buffer.concat(chunks)) : [403, refusal];
    response.writeHead(status).end(body);
  }

  #answer({ method, url, headers }: IncomingMessage, body: Buffer): [number, Buffer | string] {
    if (this.failures > 0) {
      this.failures -= 1;
      return [503, 'SlowDown'];
    }
    const path = url!.split('?')[0]!;
    const there = this.objects.get(path);
    if (method === 'GET') return there ? [200, there] : [404, 'NoSuchKey'];
    if (method === 'DELETE') this.objects.delete(path);
    if (method !== 'PUT') return [204, ''];
    if (there && headers['if-none-match'] === '*') return [412, 'PreconditionFailed'];
    this.objects.set(path, body);
    return [200, ''];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
