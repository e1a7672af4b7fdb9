// Who and what the agent does not listen to: the network is not trusted, and neither is every holder of a certificate.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { authority, controlPlane, TestAmphora, TestQueue } from '../support/agent-process.ts';
import { makeAuthority } from '../support/certificates.ts';

const loadBalancer = randomUUID();
let queue: TestQueue;
let amphora: TestAmphora;
beforeAll(async () => {
  queue = await TestQueue.open();
  amphora = await TestAmphora.boot(queue);
});
afterAll(async () => {
  await amphora.remove();
  queue.close();
});

/** However it ends; `once` would throw where it ends with an error. */
const closed = (socket: Socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()));

/** As the control plane does, unless told otherwise. */
async function connected(given: ConnectionOptions = {}): Promise<TLSSocket> {
  const { bind_address: host, bind_port: port } = amphora.settings;
  const own = { cert: controlPlane.certificate, key: controlPlane.private_key, ca: authority.certificate };
  const socket = tlsConnect({ host, port, servername: amphora.id, ...own, ...given });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return socket;
}

/** Everything it hears until the connection ends. */
async function answerTo(socket: TLSSocket, text: string): Promise<string> {
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  const ended = closed(socket);
  socket.write(text);
  await ended;
  return answer;
}

const request = (method: string, path: string, headers: string[] = []) =>
  `${[`${method} ${path} HTTP/1.1`, 'host: amphora', 'connection: close', ...headers].join('\r\n')}\r\n\r\n`;
const put = `/1.0/loadbalancer/${'{id}'}/${loadBalancer}/haproxy`;
const putPath = () => put.replace('{id}', amphora.id);

const isWell = async () => expect((await amphora.call('GET', '/1.0/info')).status).toBe(200);

test('listens to nobody whose certificate is of another authority, even with the right name', async () => {
  const other = await (await makeAuthority()).issue('octavia-control-plane');
  const socket = await connected({ cert: other.certificate, key: other.private_key }).catch(() => undefined);
  // With TLS 1.3 a client learns of it by the first answer.
  expect(socket === undefined ? '' : await answerTo(socket, request('GET', '/1.0/info'))).toBe('');
  await isWell();
});

test('listens to no other amphora', async () => {
  const other = await authority.issue(randomUUID());
  const socket = await connected({ cert: other.certificate, key: other.private_key });
  expect(await answerTo(socket, request('GET', '/1.0/info'))).toMatch(/^HTTP\/1\.1 403 /);
});

test('answers to its own name only', async () => {
  const socket = await connected({ servername: randomUUID(), checkServerIdentity: () => undefined });
  expect(await answerTo(socket, request('GET', '/1.0/info'))).toMatch(/^HTTP\/1\.1 421 /);
  const nameless = await connected({ servername: '', checkServerIdentity: () => undefined });
  expect(await answerTo(nameless, request('GET', '/1.0/info'))).toMatch(/^HTTP\/1\.1 421 /);
});

test.for(['TLSv1', 'TLSv1.1'] as const)('does not speak %s', async (version) => {
  const old = { minVersion: version, maxVersion: version, ciphers: 'ALL:@SECLEVEL=0' } as const;
  await expect(connected(old)).rejects.toThrow(/alert|version|protocol/i);
  await isWell();
});

test('does not speak without encryption', async () => {
  const { bind_address: host, bind_port: port } = amphora.settings;
  const socket = connect(port, host);
  socket.on('error', () => {});
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString('latin1');
  });
  const ended = closed(socket);
  socket.write(request('GET', '/1.0/info'));
  await ended;
  expect(answer).not.toContain('HTTP/');
  await isWell();
});

test.for([
  '/1.0/loadbalancer/..%2f..%2fetc/{lb}/haproxy',
  '/1.0/loadbalancer/{id}/..%2f..%2f..%2fetc/haproxy',
  '/1.0/loadbalancer/{id}/%2e%2e/haproxy',
  '/1.0/loadbalancer/{id}/../../../etc/passwd',
  '/1.0/loadbalancer/{id}/{lb}/haproxy/../../x',
  '/1.0/loadbalancer/{id}/{lb}%00/haproxy',
  '//1.0/info',
  '/1.0/info/',
  '/2.0/info',
  '/1.0/loadbalancer/{id}/{lb}/certificates/../../../x.pem',
])('knows no %s', async (path) => {
  const placed = path.replace('{id}', amphora.id).replace('{lb}', loadBalancer);
  for (const method of ['GET', 'PUT', 'POST', 'DELETE', 'TRACE']) {
    const answer = await answerTo(await connected(), request(method, placed));
    expect(`${method} ${answer.split('\r\n')[0]}`).toMatch(/ 404 /);
  }
  expect(existsSync(join(amphora.directory, 'state', loadBalancer))).toBe(false);
});

test('reads no more of a body than a configuration may have, said or unsaid', async () => {
  const said = await answerTo(
    await connected(),
    request('PUT', putPath(), ['content-length: 999999999999']) + 'x'.repeat(1_000),
  );
  expect(said).toMatch(/^HTTP\/1\.1 413 /);
  const socket = await connected();
  const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
  let answer = '';
  socket.on('data', (part) => {
    answer += part;
  });
  const ended = closed(socket);
  socket.write(request('PUT', putPath(), ['transfer-encoding: chunked']));
  let sent = 0;
  while (!socket.destroyed && sent < 64) {
    if (!socket.write(chunk)) await Promise.race([once(socket, 'drain').catch(() => {}), ended]);
    sent++;
  }
  await ended;
  expect(answer === '' || / 413 /.test(answer)).toBe(true);
  expect(sent).toBeLessThan(64);
  await isWell();
}, 60_000);

test('ends with who says nothing, or says it drop by drop', async () => {
  const { bind_address: host, bind_port: port } = amphora.settings;
  const silent = connect(port, host);
  silent.on('error', () => {});
  const ends = [closed(silent)];
  const dripping = await connected();
  ends.push(closed(dripping));
  dripping.write('GET /1.0/info HTTP/1.1\r\n');
  const drip = setInterval(() => dripping.write('x-drop: 1\r\n'), 200);
  const late = sleep(30_000, 'still there', { ref: false });
  const outcome = await Promise.race([Promise.all(ends).then(() => 'ended'), late]);
  clearInterval(drip);
  expect(outcome).toBe('ended');
  await isWell();
}, 60_000);
