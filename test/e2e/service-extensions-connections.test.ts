// What the attributes beyond Octavia promise of connections is true of them: who may open them, what they speak, how long they live.
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import type { Attributes } from '../support/octavia-client.ts';
import { echo, read, ScriptedMember } from '../support/scripted-member.ts';
import { asWeb, listenerPort, type WebLoadBalancer } from '../support/web-load-balancer.ts';

let service: LocalService;
let web: WebLoadBalancer;
let member: ScriptedMember;

beforeAll(async () => {
  service = await LocalService.start();
  member = await ScriptedMember.start();
  const members = [member.attributes];
  const default_pool = { name: 'web', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', members };
  const listeners = [{ protocol: 'HTTP', protocol_port: listenerPort, default_pool }];
  const { id } = await service.api.createLoadBalancer({ listeners });
  web = asWeb(await service.api.active(id));
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  member?.[Symbol.dispose]();
});

const listener = async (attributes: Attributes) => {
  await service.api.update('listeners', web.listenerId, attributes);
  await service.api.active(web.id);
};

/** A connection with everything that came on it. */
class Line implements Disposable {
  readonly socket: Socket;
  heard = '';
  isOpen = true;

  private constructor(port: number) {
    this.socket = connect(port, web.vip);
    this.socket.setEncoding('utf8').on('data', (text) => {
      this.heard += text;
    });
    this.socket.on('error', () => this.socket.destroy());
    this.socket.on('close', () => {
      this.isOpen = false;
    });
  }

  static async to(port: number): Promise<Line> {
    const line = new Line(port);
    await once(line.socket, 'connect');
    return line;
  }

  hears = (text: string) => eventually(`${text} comes back`, () => this.heard.includes(text));
  ends = () => eventually('the connection is closed', () => !this.isOpen);

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

async function webSocket(port = listenerPort): Promise<Line> {
  const line = await Line.to(port);
  const handshake = ['connection: upgrade', 'upgrade: websocket', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=='];
  line.socket.write(`GET / HTTP/1.1\r\nhost: a\r\n${handshake.join('\r\n')}\r\nsec-websocket-version: 13\r\n\r\n`);
  await line.hears('101 Switching Protocols');
  return line;
}

const short = { timeout_client_data: 2_000, timeout_member_data: 2_000 };
const standard = { timeout_client_data: null, timeout_member_data: null };

test('a WebSocket that is silent ends with timeout_client_data, and lives as long as timeout_tunnel when that is set', async () => {
  await listener(short);
  using forgotten = await webSocket();
  await forgotten.ends();
  await listener({ timeout_tunnel: 600_000 });
  using kept = await webSocket();
  await sleep(5_000);
  kept.socket.write('still there');
  await kept.hears('still there');
  await listener({ ...standard, timeout_tunnel: null });
});

test('connections of a TCP listener that are silent live as long as timeout_tunnel, too', async () => {
  const given = { loadbalancer_id: web.id, protocol: 'TCP', ...short, timeout_tunnel: 600_000 };
  const { id } = await service.api.create('listeners', { ...given, protocol_port: 9_001 });
  const pool = { listener_id: id, protocol: 'TCP', lb_algorithm: 'ROUND_ROBIN' };
  const { id: poolId } = await service.api.create('pools', pool);
  await service.api.create(`pools/${poolId}/members`, member.attributes);
  await service.api.active(web.id);
  using kept = await webSocket(9_001);
  await sleep(5_000);
  kept.socket.write('still there');
  await kept.hears('still there');
});

test('a TCP listener takes as many connections of an address as it may within a period, and closes others unheard', async () => {
  const given = { loadbalancer_id: web.id, protocol: 'TCP', protocol_port: 9_002 };
  const connection_rate_limit = { connections: 2, period: 600 };
  const { id } = await service.api.create('listeners', { ...given, connection_rate_limit });
  const pool = { listener_id: id, protocol: 'TCP', lb_algorithm: 'ROUND_ROBIN' };
  const { id: poolId } = await service.api.create('pools', pool);
  await service.api.create(`pools/${poolId}/members`, member.attributes);
  await service.api.active(web.id);
  const ask = () =>
    read(web.vip, 9_002).then(
      ({ status }) => status,
      () => 'closed',
    );
  expect([await ask(), await ask(), await ask(), await ask()]).toEqual([200, 200, 'closed', 'closed']);
  await service.api.update('listeners', id, { connection_rate_limit: null });
  await service.api.active(web.id);
  expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 200]);
});

test('denied_cidrs keep out whoever they name, also of those whom allowed_cidrs let in', async () => {
  const ask = () =>
    read(web.vip, listenerPort).then(
      ({ status }) => status,
      () => 'closed',
    );
  await listener({ denied_cidrs: ['192.0.2.0/24', '127.0.0.0/8'], allowed_cidrs: ['127.0.0.0/8'] });
  expect(await ask()).toBe('closed');
  await listener({ denied_cidrs: ['192.0.2.0/24'] });
  expect(await ask()).toBe(200);
  await listener({ denied_cidrs: null, allowed_cidrs: null });
});

/** Status of a request in HTTP/2 that asks nobody first whether it may. */
const priorKnowledge = () =>
  new Promise<number>((resolve, reject) => {
    const session = connectHttp2(`http://${web.vip}:${listenerPort}`);
    const failed = (error?: Error) => {
      session.destroy();
      reject(error ?? new Error('the session was closed'));
    };
    session.once('error', failed).once('close', failed);
    const asked = session.request({ ':path': '/' });
    asked.once('error', failed).once('response', (headers) => {
      resolve(Number(headers[':status']));
      session.close();
    });
    asked.resume().end();
  });

test('an HTTP listener serves HTTP/2 with prior knowledge beside HTTP/1.1, unless http2 is false', async () => {
  expect(await priorKnowledge()).toBe(200);
  await listener({ http2: false });
  await expect(priorKnowledge()).rejects.toThrow();
  expect((await read(web.vip, listenerPort)).status).toBe(200);
  await listener({ http2: true });
  expect(await priorKnowledge()).toBe(200);
  await listener({ http2: null });
});

test('a request that trickles in is answered 408 after timeout_client_request, however busy its client keeps the line', async () => {
  await listener({ timeout_client_request: 1_500 });
  using line = await Line.to(listenerPort);
  line.socket.write('GET / HTTP/1.1\r\n');
  const trickle = setInterval(() => line.socket.write('x-more: 1\r\n'), 200);
  try {
    await line.hears('408 Request Time-out');
  } finally {
    clearInterval(trickle);
  }
  // Between requests a client may be silent for as long as before.
  using patient = await Line.to(listenerPort);
  patient.socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await patient.hears('200 OK');
  await sleep(3_000);
  expect(patient.isOpen).toBe(true);
  await listener({ timeout_client_request: null });
});

test('a connection on which nothing is asked any more is closed after timeout_client_keep_alive', async () => {
  await listener({ timeout_client_keep_alive: 500 });
  using line = await Line.to(listenerPort);
  line.socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await line.hears('200 OK');
  const since = performance.now();
  await line.ends();
  // timeout_client_data, which ended it otherwise, is 50 s.
  expect(performance.now() - since).toBeLessThan(40_000);
  await listener({ timeout_client_keep_alive: null });
});

test('a member with a connection limit is never asked more at once, and what waits is served in its turn', async () => {
  const [only] = await service.api.list(`pools/${web.poolId}/members`);
  await service.api.update(`pools/${web.poolId}/members`, only!.id, { connection_limit: 2 });
  await service.api.active(web.id);
  let [now, most] = [0, 0];
  member.becomes((asked, answer) => {
    now += 1;
    most = Math.max(most, now);
    setTimeout(() => {
      now -= 1;
      echo(asked, answer);
    }, 100);
  });
  const answers = await Promise.all(Array.from({ length: 10 }, () => read(web.vip, listenerPort)));
  expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
  expect(most).toBe(2);
  // Who waits longer than timeout_member_connect waits no more.
  await listener({ timeout_member_connect: 500 });
  member.becomes((asked, answer) => void setTimeout(() => echo(asked, answer), 3_000));
  const some = await Promise.all([1, 2, 3].map(() => read(web.vip, listenerPort)));
  expect(some.map(({ status }) => status).toSorted()).toEqual([200, 200, 503]);
});

test('a member with a limit, of a pool with a slow start, is added and asked without a reload', async () => {
  const monitor = { pool_id: web.poolId, type: 'TCP', delay: 1, timeout: 1, max_retries: 1 };
  await service.api.create('healthmonitors', monitor);
  await service.api.update('pools', web.poolId, { slow_start: 60 });
  await service.api.active(web.id);
  const before = await service.workers(web.id);
  using another = await ScriptedMember.start();
  await service.api.create(`pools/${web.poolId}/members`, { ...another.attributes, connection_limit: 5 });
  await service.api.active(web.id);
  member.becomes(echo);
  await eventually('the new member is asked', async () => {
    await read(web.vip, listenerPort);
    return another.seen.length > 0;
  });
  expect(await service.workers(web.id)).toEqual(before);
});
