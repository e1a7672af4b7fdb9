// Protocols of listeners and pools as the two ends see them: every byte that reaches a member, and what comes back.
import { createHash } from 'node:crypto';
import { connect as connectHttp2 } from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask } from '../support/asking.ts';
import { makeAuthority } from '../support/certificates.ts';
import { LocalService } from '../support/local-service.ts';
import { readProxyHeader } from '../support/proxy-protocol.ts';
import { exchange } from '../support/raw-client.ts';
import { answersHttp, echoes, RawMember } from '../support/raw-member.ts';
import { speaksWebSocket, WebSocketClient } from '../support/web-socket.ts';

const client = '127.0.9.77';
const ports = {
  httpToProxy: 9001,
  httpToProxyV2: 9002,
  tcpToProxy: 9003,
  tcpToProxyV2: 9004,
  tcp: 9005,
  tls: 9006,
  socket: 9007,
  ipv6: 9008,
};
let service: LocalService;
let vip: string;
let proxied: RawMember;
let echo: RawMember;
let socketMember: RawMember;
let ipv6Member: RawMember;
const authority = await makeAuthority();
const certificate = await authority.issue('member.example');
const tlsMember = createTlsServer(
  { cert: certificate.certificate, key: certificate.private_key },
  (request, response) => response.end(`${request.headers.host} over TLS`),
);

const listener = (protocol: string, port: number, poolProtocol: string, member: object) => ({
  protocol,
  protocol_port: port,
  default_pool: { name: `pool of ${port}`, protocol: poolProtocol, lb_algorithm: 'ROUND_ROBIN', members: [member] },
});

beforeAll(async () => {
  service = await LocalService.start();
  proxied = await RawMember.start('proxied', answersHttp);
  echo = await RawMember.start('echo', echoes);
  socketMember = await RawMember.start('socket', speaksWebSocket);
  ipv6Member = await RawMember.start('six', answersHttp, '::1');
  await new Promise<void>((done) => tlsMember.listen(0, '127.0.0.1', () => done()));
  const { port: protocol_port } = tlsMember.address() as AddressInfo;
  const { id } = await service.api.createLoadBalancer({
    listeners: [
      listener('HTTP', ports.httpToProxy, 'PROXY', proxied.attributes),
      listener('HTTP', ports.httpToProxyV2, 'PROXYV2', proxied.attributes),
      listener('TCP', ports.tcpToProxy, 'PROXY', proxied.attributes),
      listener('TCP', ports.tcpToProxyV2, 'PROXYV2', proxied.attributes),
      listener('TCP', ports.tcp, 'TCP', echo.attributes),
      listener('HTTPS', ports.tls, 'HTTPS', { address: '127.0.0.1', protocol_port }),
      listener('HTTP', ports.socket, 'HTTP', socketMember.attributes),
      listener('HTTP', ports.ipv6, 'HTTP', ipv6Member.attributes),
    ],
  });
  vip = (await service.api.active(id)).vip_address;
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  for (const one of [proxied, echo, socketMember, ipv6Member]) one[Symbol.dispose]();
  tlsMember.close();
  tlsMember.closeAllConnections();
});

test.for([
  ['PROXY', 'an HTTP', ports.httpToProxy, 1],
  ['PROXYV2', 'an HTTP', ports.httpToProxyV2, 2],
  ['PROXY', 'a TCP', ports.tcpToProxy, 1],
  ['PROXYV2', 'a TCP', ports.tcpToProxyV2, 2],
] as const)(
  'a member of a %s pool behind %s listener is told who the client is before the request',
  async ([, , port, version]) => {
    proxied.received.length = 0;
    expect((await ask({ address: vip, port, from: client, path: '/who' })).text).toBe('ok');
    const header = readProxyHeader(proxied.received[0]!);
    expect(header).toMatchObject({ version, source: client, destination: vip, destinationPort: port });
    expect(header.sourcePort).toBeGreaterThan(1023);
    expect(header.rest.toString()).toMatch(/^GET \/who HTTP\/1.1\r\n/);
  },
);

test('a TCP listener passes every byte both ways, and one end closing is not both', async () => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7 + (index >> 8)) % 256));
  const { text } = await exchange(vip, ports.tcp, bytes, 'half closes');
  expect(createHash('sha256').update(Buffer.from(text, 'latin1')).digest('hex')).toBe(
    createHash('sha256').update(bytes).digest('hex'),
  );
});

test('an HTTPS listener passes TLS through: the certificate is the one of the member, by which it is verified', async () => {
  const socket = connectTls({ host: vip, port: ports.tls, ca: authority.certificate, servername: 'member.example' });
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  expect(socket.getPeerCertificate().subject.CN).toBe('member.example');
  let text = '';
  socket.setEncoding('utf8').on('data', (data) => {
    text += data;
  });
  socket.write('GET / HTTP/1.1\r\nhost: member.example\r\nconnection: close\r\n\r\n');
  await new Promise((done) => socket.once('close', done));
  expect(text).toContain('member.example over TLS');
});

test('a WebSocket goes through an HTTP listener, and lives through a reload', async () => {
  using client = await WebSocketClient.open(vip, ports.socket);
  expect(await client.say('hello')).toBe('HELLO');
  const [{ id } = { id: '' }] = await service.api.list('listeners');
  const [loadBalancer] = await service.api.list('loadbalancers');
  const before = await service.workers(loadBalancer!.id);
  await service.api.update('listeners', id, { timeout_client_data: 61_000 });
  await service.api.active(loadBalancer!.id);
  expect(await service.workers(loadBalancer!.id)).not.toEqual(before);
  expect(await client.say('still there')).toBe('STILL THERE');
});

test('an HTTP listener takes HTTP/2 from clients that begin with it, and its members HTTP/1.1', async () => {
  proxied.received.length = 0;
  const session = connectHttp2(`http://${vip}:${ports.httpToProxy}`);
  const stream = session.request({ ':path': '/two', 'x-kept': 'yes' });
  let text = '';
  stream.setEncoding('utf8').on('data', (data) => {
    text += data;
  });
  await new Promise((resolve, reject) => stream.once('end', resolve).once('error', reject));
  session.destroy();
  expect(text).toBe('ok');
  const { rest } = readProxyHeader(proxied.received[0]!);
  expect(rest.toString()).toMatch(/^GET \/two HTTP\/1.1\r\n(.*\r\n)*x-kept: yes\r\n/);
});

test('a member may have an IPv6 address behind an IPv4 VIP', async () => {
  expect((await ask({ address: vip, port: ports.ipv6 })).text).toBe('ok');
  expect(ipv6Member.received).toHaveLength(1);
});
