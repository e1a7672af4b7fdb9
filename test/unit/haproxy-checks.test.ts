// What a running HAProxy makes of rendered health monitors and members.
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { expect, test } from 'vitest';
import type { Tree } from '../../lambdas/domain/tree.ts';
import { renderConfiguration } from '../../lambdas/haproxy/render.ts';
import { aListener, aMember, aMonitor, aPool, aTree, idOf } from '../support/builders.ts';
import { HaproxyDirectory, until } from '../support/haproxy.ts';

async function listening(server: Server): Promise<AsyncDisposable & { port: number }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => void (await new Promise((closed) => server.close(closed)));
  return { port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: close };
}

async function freePort(): Promise<number> {
  await using server = await listening(createServer());
  return server.port;
}

/** Without a certificate: it can only answer a hello with an alert, which is TLS all the same. */
const tlsMember = () => createTlsServer({}).on('tlsClientError', () => {});
const plainMember = () =>
  createServer(
    (socket) =>
      void socket
        .on('error', () => {})
        .resume()
        .end('hello\r\n'),
  );

/** Checks every 100 ms: seconds are the least that the API has. */
const startQuickly = (directory: HaproxyDirectory, tree: Tree) => {
  const { text } = renderConfiguration(tree, { amphora_id: idOf('other', 9), hardStopAfterMs: 1_000 });
  return directory.start(text.replaceAll(/inter \d+/g, 'inter 100'));
};

const quick = { delay: 1, timeout: 1, max_retries: 1, max_retries_down: 1 };
const to = (protocol: 'HTTP' | 'TCP', port: number) =>
  aListener({ protocol, protocol_port: port, default_pool_id: idOf('pool') });
const memberOn = (number: number, port: number) =>
  aMember({ id: idOf('member', number), address: '127.0.0.1', protocol_port: port });

test('TLS-HELLO marks a member that speaks TLS up and one that does not down, also when added at run time', async () => {
  await using tls = await listening(tlsMember());
  await using plain = await listening(plainMember());
  using directory = new HaproxyDirectory();
  await using haproxy = await startQuickly(
    directory,
    aTree({
      listeners: [to('TCP', await freePort())],
      pools: [aPool({ protocol: 'TCP', lb_algorithm: 'SOURCE_IP' })],
      healthMonitors: [aMonitor({ ...quick, type: 'TLS-HELLO' })],
      members: [memberOn(1, tls.port), memberOn(2, plain.port)],
    }),
  );
  const late = `${idOf('pool')}:${idOf('listener')}/late`;
  const parameters = `127.0.0.1:${plain.port} weight 1 check inter 100 fall 1 rise 1`;
  expect(await haproxy.ask(`add server ${late} ${parameters}`)).toMatch(/registered/);
  expect(await haproxy.ask(`enable health ${late}`)).toBe('');
  expect(await haproxy.ask(`enable server ${late}`)).toBe('');
  const isDown = async (name: string) => /^DOWN L6/.test(await haproxy.stateOf(name));
  await until('the plain member is down', () => isDown(idOf('member', 2)));
  await until('the plain member added later is down', () => isDown('late'));
  await until('the TLS member passed', async () => (await haproxy.stateOf(idOf('member', 1))) === 'UP L6OK');
}, 15_000);

test('an HTTP monitor asks for exactly the path and host it has', async () => {
  const asked: IncomingMessage[] = [];
  const webMember = createHttpServer((request, response) => {
    asked.push(request);
    response.end();
  });
  await using web = await listening(webMember);
  using directory = new HaproxyDirectory();
  const path = `/a'b"c\\d#e$HOME{{DIRECTORY}}%[date]{{{x`;
  const monitor = { type: 'HTTP', url_path: path, http_version: 1.1, domain_name: 'a%[date].example' } as const;
  await using haproxy = await startQuickly(
    directory,
    aTree({
      listeners: [to('HTTP', await freePort())],
      pools: [aPool()],
      healthMonitors: [aMonitor({ ...quick, ...monitor })],
      members: [memberOn(1, web.port)],
    }),
  );
  await until('the member passed', async () => (await haproxy.stateOf(idOf('member', 1))) === 'UP L7OK');
  expect(asked[0]).toMatchObject({ method: 'GET', url: path, httpVersion: '1.1' });
  expect(asked[0]!.headers.host).toBe('a%[date].example');
}, 15_000);

test('every kind of member line is accepted by add server', async () => {
  using directory = new HaproxyDirectory();
  const listener = to('HTTP', await freePort());
  const pool = aPool({ protocol: 'PROXYV2', lb_algorithm: 'SOURCE_IP' });
  const healthMonitors = [aMonitor({ type: 'HTTPS' })];
  const rows = [
    memberOn(1, 1),
    { ...memberOn(2, 2), weight: 0, backup: true, monitor_address: '::1', monitor_port: 9 },
    { ...memberOn(3, 3), address: '::1', admin_state_up: false },
  ];
  const empty = aTree({ listeners: [listener], pools: [pool], healthMonitors });
  await using haproxy = await startQuickly(directory, empty);
  const { text } = renderConfiguration({ ...empty, members: rows }, { amphora_id: 'a', hardStopAfterMs: 1 });
  const lines = text.split('\n').filter((line) => line.startsWith('    server '));
  expect(lines).toHaveLength(rows.length);
  for (const line of lines) {
    const command = line.replace('    server ', `add server ${pool.id}:${listener.id}/`);
    expect(await haproxy.ask(command), command).toMatch(/registered/);
  }
}, 15_000);
