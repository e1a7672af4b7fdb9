// What an EC2 instance finds around itself, over HTTP: its metadata by IMDSv2, its boot bundle by a URL, credentials of its role,
// and a queue that takes only messages signed with those.
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BootBundle } from '../../amphora/boot-document.ts';

interface Machine {
  address: string;
  /** What the URL leads to; none yet: 404. */
  bundle: Buffer | undefined;
  fetches: number;
  userData?: string;
}

export const roleCredentials = { AccessKeyId: 'ASIAROLE', SecretAccessKey: 'the role’s key', Token: 'session' };

export class InstanceWorld implements AsyncDisposable {
  readonly machines = new Map<string, Machine>();
  /** Bodies of `SendMessage`, with the credentials they were signed by. */
  readonly messages: { body: string; accessKeyId: string; token: string | undefined }[] = [];
  readonly #tokens = new Set<string>();
  readonly #server: Server;
  isDown = false;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const { status, text } = await this.#answer(request);
      response.writeHead(status).end(text);
    });
  }

  static async open(host = '127.0.0.1'): Promise<InstanceWorld> {
    const world = new InstanceWorld();
    await once(world.#server.listen(0, host), 'listening');
    return world;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** @returns what the boot document says of the bundle */
  put(amphoraId: string, address: string, bundle: BootBundle): { url: string; sha256: string } {
    const bytes = Buffer.from(JSON.stringify(bundle));
    this.machines.set(amphoraId, { address, bundle: bytes, fetches: 0 });
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { url: `${this.endpoint}/bundle/${amphoraId}?X-Amz-Signature=secret`, sha256 };
  }

  /** The base of its metadata. */
  metadataOf(amphoraId: string): string {
    return `${this.endpoint}/metadata/${amphoraId}`;
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; text: string | Buffer }> {
    const { pathname } = new URL(request.url!, this.endpoint);
    if (this.isDown) return { status: 503, text: 'down' };
    const [, place, id = ''] = pathname.split('/');
    const machine = this.machines.get(id);
    if (place === 'bundle') return this.#bundle(machine);
    if (place === 'metadata' && machine)
      return this.#metadata(request, pathname.split('/').slice(3).join('/'), machine);
    if (request.method === 'POST') return this.#message(request);
    // A machine that knows no name of its own: the one there is.
    const [only] = this.machines.values();
    return only ? this.#metadata(request, pathname.slice(1), only) : { status: 404, text: '' };
  }

  #bundle(machine: Machine | undefined) {
    if (machine) machine.fetches++;
    return machine?.bundle ? { status: 200, text: machine.bundle } : { status: 404, text: 'NoSuchKey' };
  }

  #metadata({ method, headers }: IncomingMessage, path: string, { address, userData }: Machine) {
    if (method === 'PUT' && path === 'latest/api/token' && headers['x-aws-ec2-metadata-token-ttl-seconds']) {
      const token = randomUUID();
      this.#tokens.add(token);
      return { status: 200, text: token };
    }
    if (!this.#tokens.has(String(headers['x-aws-ec2-metadata-token']))) return { status: 401, text: '' };
    const credentials = {
      Code: 'Success',
      ...roleCredentials,
      Expiration: new Date(Date.now() + 3_600_000).toISOString(),
    };
    const known: Record<string, string> = {
      // What cloud-init asks for, by EC2's oldest version.
      '2009-04-04/dynamic/instance-identity/': 'document',
      '2009-04-04/dynamic/instance-identity': 'document',
      '2009-04-04/dynamic/instance-identity/document': '{}',
      '2009-04-04/meta-data/instance-id': 'i-0123456789abcdef0',
      '2009-04-04/meta-data/': 'instance-id\nlocal-ipv4\nlocal-hostname',
      '2009-04-04/meta-data/local-ipv4': address,
      '2009-04-04/meta-data/local-hostname': 'amphora',
      ...(userData !== undefined && { '2009-04-04/user-data': userData }),
      'latest/meta-data/local-ipv4': `${address}\n`,
      'latest/meta-data/iam/security-credentials/': 'octavia-amphora',
      'latest/meta-data/iam/security-credentials/octavia-amphora': JSON.stringify(credentials),
    };
    const text = known[path];
    return text === undefined ? { status: 404, text: '' } : { status: 200, text };
  }

  async #message(request: IncomingMessage): Promise<{ status: number; text: string }> {
    let text = '';
    for await (const chunk of request) text += chunk;
    const accessKeyId = /Credential=([^/]+)\//.exec(String(request.headers.authorization))?.[1] ?? '';
    const body = (JSON.parse(text) as { MessageBody: string }).MessageBody;
    this.messages.push({ body, accessKeyId, token: request.headers['x-amz-security-token'] as string | undefined });
    const digest = createHash('md5').update(body).digest('hex');
    return { status: 200, text: JSON.stringify({ MessageId: randomUUID(), MD5OfMessageBody: digest }) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}
