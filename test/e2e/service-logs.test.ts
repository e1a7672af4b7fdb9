// Logs on one machine: what goes through a VIP is found in the directory of its project with every field right, and what HAProxy
// and the agent say is found elsewhere.
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import type { LoadBalancer } from '../support/octavia-client.ts';
import { TestMember } from '../support/traffic.ts';

const httpPort = 8080;
const tcpPort = 8081;
let service: LocalService;
let member: TestMember;
let logged: LoadBalancer;
let silent: LoadBalancer;
let tcpListener: string;

beforeAll(async () => {
  [service, member] = await Promise.all([
    LocalService.start({ args: ['--log-chunk-age-ms', '500', '--spare-amphorae', '0'] }),
    TestMember.start('one'),
  ]);
  const listener = (name: string, protocol: string, port: number) => ({
    name,
    protocol,
    protocol_port: port,
    default_pool: { name, protocol, lb_algorithm: 'ROUND_ROBIN', members: [member.attributes] },
  });
  const listeners = [listener('http', 'HTTP', httpPort), listener('tcp', 'TCP', tcpPort)];
  const create = (tags: string[]) => service.api.createLoadBalancer({ listeners, tags });
  const ids = [await create(['connection_logging=true']), await create([])].map(({ id }) => id);
  logged = await service.api.active(ids[0]!);
  silent = await service.api.active(ids[1]!);
  const shown = await Promise.all(logged.listeners.map(({ id }) => service.api.show('listeners', id)));
  tcpListener = shown.find(({ name }) => name === 'tcp')!.id;
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  member[Symbol.dispose]();
});

/** Files below `logs/`, and what is in them. */
const archives = (pattern: string): { file: string; text: string }[] =>
  globSync(pattern, { cwd: join(service.state, 'logs') }).map((file) => ({
    file,
    text: gunzipSync(readFileSync(join(service.state, 'logs', file))).toString(),
  }));
const lines = (pattern: string): string[] =>
  archives(pattern).flatMap(({ text }) => text.split('\n').filter((line) => line !== ''));
const tenantLines = () => lines(`tenant/**/${logged.id}/**/*.log.gz`);
const lineWith = (text: string): Promise<string> =>
  eventually(`a line with ${text}`, () => tenantLines().find((line) => line.includes(text)));

/** What a client sees of one exchange, from its own address and port. */
function exchange(path: string, body = ''): Promise<{ port: number; status: number; sent: number; received: number }> {
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      { host: logged.vip_address, port: httpPort, path, method: 'POST', agent: false },
      (answer) => {
        const { socket } = answer;
        const { localPort: port = 0 } = socket;
        answer.resume().on('end', () => {
          resolve({ port, status: answer.statusCode!, sent: socket.bytesWritten, received: socket.bytesRead });
        });
      },
    );
    call.on('error', reject).end(body);
  });
}

/** Octavia's fields, in their order; what is between quotes is one. */
const fieldsOf = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);

describe('traffic of a load balancer that asks for its log', () => {
  test('is found below its project, a request a line, with Octavia’s fields', async () => {
    const path = `/a/path?question=${'x'.repeat(30)}`;
    const seen = await exchange(path, 'b'.repeat(5_000));
    const fields = fieldsOf(await lineWith('/a/path'));
    const [projectId, lbId, listenerId, client, port, time, request, status, bytesRead, bytesUploaded] = fields;
    const [verified, name, pool, server, took, state] = fields.slice(10);
    const { project_id, pools } = await service.api.show('loadbalancers', logged.id);
    expect([projectId, lbId]).toEqual([project_id, logged.id]);
    expect(logged.listeners.map(({ id }) => id)).toContain(listenerId);
    expect(listenerId).not.toBe(tcpListener);
    expect([client, port]).toEqual(['127.0.0.1', String(seen.port)]);
    expect(time).toMatch(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d\.\d{3}$/);
    expect([request, status]).toEqual([`POST ${path} HTTP/1.1`, '200']);
    // HAProxy does not count what frames a body on the wire.
    expect(seen.sent - Number(bytesUploaded)).toBeGreaterThanOrEqual(0);
    expect(seen.sent - Number(bytesUploaded)).toBeLessThan(100);
    expect(seen.received - Number(bytesRead)).toBeGreaterThanOrEqual(0);
    expect(seen.received - Number(bytesRead)).toBeLessThan(50);
    expect([verified, name]).toEqual(['-', '']);
    expect((pools as { id: string }[]).map(({ id }) => `${id}:${listenerId}`)).toContain(pool);
    const { members } = await service.api.show('pools', pool!.split(':')[0]!);
    expect((members as { id: string }[]).map(({ id }) => id)).toEqual([server]);
    expect(Number(took)).toBeGreaterThanOrEqual(0);
    expect(state).toBe('----');
    expect(fields).toHaveLength(16);
  });

  test('that is none of HTTP has a dash for request and status', async () => {
    const socket = connect(tcpPort, logged.vip_address);
    await once(socket, 'connect');
    const { localPort: port } = socket;
    socket.write('GET /hidden HTTP/1.0\r\n\r\n');
    expect(await readAll(socket)).toContain('one');
    const fields = fieldsOf(await lineWith(` ${tcpListener} 127.0.0.1 ${port} `));
    expect(fields.slice(6, 8)).toEqual(['-', '-']);
    expect(Number(fields[8])).toBeGreaterThan(0);
    expect(fields).toHaveLength(16);
    expect(tenantLines().join()).not.toContain('/hidden');
  });

  test('is one line whatever a client writes', async () => {
    const before = tenantLines().length;
    await exchange('/forge%0d%0a"%22\u00e9'.replace('é', '%C3%A9'));
    await lineWith('/forge');
    expect(tenantLines()).toHaveLength(before + 1);
  });

  test('survives an agent that stands still and a kill of the service, each line once', async () => {
    await exchange('/before');
    const { agent } = await service.amphora(logged.id);
    process.kill(agent, 'SIGSTOP');
    await exchange('/while-stopped');
    process.kill(agent, 'SIGCONT');
    await lineWith('/while-stopped');
    await service.kill();
    await exchange('/while-away');
    await service.restart();
    await lineWith('/while-away');
    for (const path of ['/before', '/while-stopped', '/while-away'])
      expect(tenantLines().filter((line) => line.includes(path))).toHaveLength(1);
  });

  test('ends when the tag is taken away', async () => {
    await service.api.update('loadbalancers', logged.id, { tags: [] });
    await service.api.active(logged.id);
    await exchange('/not-logged');
    await service.api.update('loadbalancers', logged.id, { tags: ['connection_logging=true'] });
    await service.api.active(logged.id);
    await exchange('/logged-again');
    await lineWith('/logged-again');
    expect(tenantLines().join()).not.toContain('/not-logged');
  });
});

test('a load balancer that does not ask has no log of its traffic', async () => {
  const socket = connect(tcpPort, silent.vip_address);
  socket.end('GET / HTTP/1.0\r\n\r\n');
  expect(await readAll(socket)).toContain('one');
  expect(service.configuration(await service.amphora(silent.id), silent.id)).not.toContain('log-format');
  expect(archives(`tenant/**/${silent.id}/**`)).toEqual([]);
});

describe('what HAProxy and the agent say', () => {
  test('is kept apart, by amphora, for operators', async () => {
    const { id: amphoraId } = await service.amphora(logged.id);
    const own = () => lines(`admin/${amphoraId}/**/*.log.gz`).join('\n');
    await eventually('the agent’s own lines', () => own().includes('"message":"listening"'));
    const pools = await Promise.all(logged.pools.map(({ id }) => service.api.show('pools', id)));
    const pool = pools.find(({ protocol }) => protocol === 'HTTP')!;
    const check = { pool_id: pool.id, type: 'HTTP', delay: 1, timeout: 1, max_retries: 1, max_retries_down: 1 };
    await service.api.create('healthmonitors', { ...check, expected_codes: '418' });
    await service.api.active(logged.id);
    await eventually('HAProxy tells of its member', () => / is DOWN, reason: Layer7 wrong status/.test(own()));
    expect(own()).not.toContain('POST /');
    expect(tenantLines().join('\n')).not.toMatch(/is DOWN|listening/);
  });

  test('is no longer on the amphora when it has arrived, nor is the traffic', async () => {
    const { directory } = await service.amphora(logged.id);
    await eventually('nothing waits', () => globSync('run/logs/*/*.log.gz', { cwd: directory }).length === 0);
    for (const { file } of archives('**/*.log.gz'))
      expect(file).toMatch(
        /^(tenant\/[\w-]+\/[\w-]{36}|admin\/[\w-]{36})\/\d{4}\/\d\d\/\d\d\/\d{8}T\d{6}Z-[\w-]{36}-\w{8}\.log\.gz$/,
      );
  });
});
