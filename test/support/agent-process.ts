// The real agent with the real HAProxy, and what stands around them in a test: the control plane's client, the queue of
// heartbeats, members, and clients of the listener.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, createHmac, randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get, Agent as HttpAgent, type Server } from 'node:http';
import { Agent as HttpsAgent, request } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentSettings, Heartbeat, SignedHeartbeat } from '../../amphora/agent-api.ts';
import { makeAuthority, type Pair, type TestAuthority } from './certificates.ts';
import { haproxyPath } from './haproxy.ts';

export const authority: TestAuthority = await makeAuthority();
export const controlPlane: Pair = await authority.issue('octavia-control-plane');
const heartbeatKey = 'a heartbeat key';
const heartbeatIntervalMs = 1_000;

/** Loopback addresses of a test's own: all of 127.0.0.0/8 can be bound. */
export const makeAddress = () => `127.${randomInt(1, 255)}.${randomInt(1, 255)}.${randomInt(2, 255)}`;

export async function freePort(address: string): Promise<number> {
  const server = createTcpServer().listen(0, address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

export async function until<T>(what: string, look: () => T | Promise<T>, timeoutMs = 5_000): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const seen = await Promise.resolve()
      .then(look)
      .catch(() => null);
    if (seen) return seen as NonNullable<T>;
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await sleep(10);
  }
}

export class TestQueue {
  readonly heartbeats: (Heartbeat & { received_at: number })[] = [];
  /** Keys heartbeats may be signed with, and the one the last was. */
  readonly keys = [heartbeatKey];
  lastKey = '';
  isAway = false;
  /** Takes requests and never answers, as behind a network that was cut. */
  isMute = false;
  muted = 0;
  /** Whom the last heartbeat came from. */
  lastSender = '';
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<TestQueue> {
    const server = createServer();
    const queue = new TestQueue(server);
    server.on('request', async (incoming, response) => {
      let body = '';
      for await (const chunk of incoming) body += chunk;
      if (queue.isMute) return void queue.muted++;
      queue.lastSender = incoming.socket.remoteAddress ?? '';
      const { status, answer } = queue.#take(body);
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(answer));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return queue;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get last(): Heartbeat | undefined {
    return this.heartbeats.at(-1);
  }

  #take(body: string): { status: number; answer: object } {
    if (this.isAway) return { status: 503, answer: { message: 'away' } };
    const text = (JSON.parse(body) as { MessageBody: string }).MessageBody;
    const { payload, hmac } = JSON.parse(text) as SignedHeartbeat;
    const key = this.keys.find((one) => createHmac('sha256', one).update(payload).digest('hex') === hmac);
    if (key === undefined) return { status: 400, answer: { message: 'wrong signature' } };
    this.lastKey = key;
    this.heartbeats.push({ ...JSON.parse(payload), received_at: Date.now() });
    const digest = createHash('md5').update(text).digest('hex');
    return { status: 200, answer: { MessageId: randomUUID(), MD5OfMessageBody: digest } };
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  json: Record<string, unknown>;
}

export class TestAmphora {
  readonly id = randomUUID();
  readonly directory: string;
  readonly settings: AgentSettings;
  #child: ChildProcess | null = null;
  readonly #agent = new HttpsAgent({ keepAlive: true });

  private constructor(settings: Partial<AgentSettings>, queue: TestQueue, port: number, address: string) {
    // A deep directory: sockets must not depend on its length.
    this.directory = join(mkdtempSync(join(tmpdir(), 'amphora-')), 'a-rather-long-name-of-a-directory'.repeat(4));
    this.settings = {
      amphora_id: this.id,
      bind_address: address,
      bind_port: port,
      directory: 'state',
      server_certificate_file: 'server.crt',
      server_private_key_file: 'server.key',
      ca_certificate_file: 'ca.crt',
      client_name: 'octavia-control-plane',
      heartbeat_key: heartbeatKey,
      heartbeat_interval_ms: heartbeatIntervalMs,
      heartbeat_queue_url: `${queue.endpoint}/000000000000/heartbeats`,
      sqs_endpoint: queue.endpoint,
      region: 'eu-central-1',
      haproxy_path: haproxyPath,
      hard_stop_after_ms: 5_000,
      max_connections: 2_000,
      ends_with_stdin: false,
      ...settings,
    };
  }

  static async boot(queue: TestQueue, settings: Partial<AgentSettings> = {}): Promise<TestAmphora> {
    const address = makeAddress();
    const amphora = new TestAmphora(settings, queue, await freePort(address), address);
    const own = await authority.issue(amphora.id);
    mkdirSync(amphora.directory, { recursive: true });
    const files = { 'server.crt': own.certificate, 'server.key': own.private_key, 'ca.crt': authority.certificate };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(amphora.directory, name), text);
    writeFileSync(join(amphora.directory, 'agent.json'), JSON.stringify(amphora.settings));
    await amphora.start();
    return amphora;
  }

  async start(): Promise<void> {
    const main = new URL('../../amphora/agent/main.ts', import.meta.url).pathname;
    const options = [main, '--config', join(this.directory, 'agent.json')];
    this.#child = spawn(process.execPath, options, { stdio: ['pipe', 'pipe', 'inherit'] });
    let output = '';
    this.#child.stdout!.on('data', (chunk) => {
      output += chunk;
    });
    await until('the agent listens', () => output.includes('"listening"'), 60_000);
  }

  get process(): ChildProcess {
    return this.#child!;
  }

  file(name: string): string {
    return readFileSync(join(this.directory, 'state', name), 'utf8');
  }

  /** Of the master and of its workers. */
  haproxyPids(loadBalancerId: string): { master: number; workers: number[] } {
    const master = Number(this.file(`${loadBalancerId}/haproxy.pid`));
    const children = readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').trim();
    return { master, workers: children === '' ? [] : children.split(' ').map(Number) };
  }

  call(method: string, path: string, body = '', headers = {}, identity: Partial<Pair> = controlPlane): Promise<Answer> {
    const { bind_address: host, bind_port: port } = this.settings;
    const tls = {
      ca: authority.certificate,
      cert: identity.certificate,
      key: identity.private_key,
      servername: this.id,
    };
    return new Promise((resolve, reject) => {
      const agent = identity === controlPlane ? this.#agent : false;
      const length = { 'content-length': Buffer.byteLength(body) };
      const call = request(
        { method, host, port, path, agent, headers: { ...length, ...headers }, ...tls },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk) => {
            text += chunk;
          });
          response.on('end', () => {
            const isJson = response.headers['content-type'] === 'application/json';
            const json = isJson ? JSON.parse(text) : {};
            resolve({ status: response.statusCode!, headers: response.headers, text, json });
          });
        },
      );
      call.on('error', reject);
      call.end(body);
    });
  }

  push(loadBalancerId: string, generation: number, text: string): Promise<Answer> {
    const digest = createHash('sha256').update(text).digest('hex');
    const headers = { 'x-octavia-generation': String(generation), 'x-octavia-digest': digest };
    return this.call('PUT', `/1.0/loadbalancer/${this.id}/${loadBalancerId}/haproxy`, text, headers);
  }

  leave(loadBalancerId: string, vip: string, epoch: number): Promise<Answer> {
    return this.call('POST', `/1.0/leave/vip/${vip}`, JSON.stringify({ load_balancer_id: loadBalancerId, epoch }));
  }

  plug(loadBalancerId: string, vip: string, epoch = 1): Promise<Answer> {
    return this.call('POST', `/1.0/plug/vip/${vip}`, JSON.stringify({ load_balancer_id: loadBalancerId, epoch }));
  }

  kill(signal: NodeJS.Signals): Promise<unknown> {
    const ended = once(this.#child!, 'exit');
    this.#child!.kill(signal);
    return ended;
  }

  async remove(): Promise<void> {
    if (this.#child?.exitCode === null && this.#child.signalCode === null) await this.kill('SIGTERM');
    this.#agent.destroy();
    rmSync(join(this.directory, '..'), { recursive: true, force: true });
  }
}

/** A member that answers with its name, after a while if the path is /slow. */
export async function startMember(name: string): Promise<{ name: string; port: number; stop(): void }> {
  const server = createServer((incoming, response) => {
    setTimeout(() => response.end(name), incoming.url === '/slow' ? 700 : 0);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return { name, port: (server.address() as AddressInfo).port, stop };
}

export function fetchOnce(
  address: string,
  port: number,
  agent: HttpAgent | false = false,
  path = '/',
): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = get({ host: address, port, path, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => (response.statusCode === 200 ? resolve(text) : reject(new Error(text))));
    });
    // A connection that was idle may be closed at any time; HTTP has the client repeat the request on a new one.
    call.on('error', (error: NodeJS.ErrnoException) => {
      const isClosedIdle = call.reusedSocket && error.code === 'ECONNRESET';
      if (isClosedIdle) fetchOnce(address, port, false, path).then(resolve, reject);
      else reject(error);
    });
  });
}

/** Requests without a pause until stopped, with and without keep-alive; counts those that failed. */
export function startLoad(address: string, port: number): { stop(): Promise<{ done: number; failures: string[] }> } {
  const agent = new HttpAgent({ keepAlive: true });
  const result = { done: 0, failures: [] as string[] };
  let isStopped = false;
  const client = async (own: HttpAgent | false) => {
    while (!isStopped) {
      await fetchOnce(address, port, own).catch((error) => result.failures.push(String(error)));
      result.done++;
    }
  };
  const clients = [agent, agent, false as const, false as const].map(client);
  const stop = async () => {
    isStopped = true;
    await Promise.all(clients);
    agent.destroy();
    return result;
  };
  return { stop };
}
