// Session persistence, inserted headers, allowed CIDRs, additional VIPs and TLS to members as HAProxy's configuration, and what of
// it a running HAProxy does. Golden files pass `haproxy -c`.
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { afterAll, describe, expect, test } from 'vitest';
import type { ListenerRow } from '../../lambdas/domain/listener.ts';
import type { PoolRow } from '../../lambdas/domain/pool.ts';
import type { SessionPersistence } from '../../lambdas/domain/session-persistence.ts';
import type { Tree } from '../../lambdas/domain/tree.ts';
import { renderConfiguration } from '../../lambdas/haproxy/render.ts';
import { aListener, aLoadBalancer, aMember, aPool, aTree, idOf } from '../support/builders.ts';
import { HaproxyDirectory } from '../support/haproxy.ts';

const directory = new HaproxyDirectory();
afterAll(() => directory[Symbol.dispose]());

const options = { amphora_id: idOf('other', 9), hardStopAfterMs: 60_000 };
const render = (tree: Tree) => renderConfiguration(tree, options);
const members = [1, 2].map((number) => aMember({ id: idOf('member', number), address: `192.0.2.${number}` }));

const served = (listener: Partial<ListenerRow>, pool: Partial<PoolRow> = {}) =>
  aTree({ listeners: [aListener({ default_pool_id: idOf('pool'), ...listener })], pools: [aPool(pool)], members });
const persisting = (given: Partial<SessionPersistence>, pool: Partial<PoolRow> = {}, listener = {}) => {
  const none = { cookie_name: null, persistence_timeout: null, persistence_granularity: null };
  return served(listener, { session_persistence: { type: 'SOURCE_IP', ...none, ...given }, ...pool });
};
const tcp = { protocol: 'TCP' } as const;
const allHeaders = [
  'X-Real-IP',
  'X-Client-IP',
  'X-Forwarded-IP',
  'X-Forwarded-Proto',
  'X-Forwarded-Port',
  'X-Forwarded-For',
];
const insert_headers = Object.fromEntries(allHeaders.map((name) => [name, 'True']));

const goldens: Record<string, Tree> = {
  'persistence-by-source-ip': persisting({ type: 'SOURCE_IP' }),
  'persistence-by-source-ip-of-a-tcp-pool': persisting({ type: 'SOURCE_IP' }, tcp, tcp),
  'persistence-by-http-cookie': persisting({ type: 'HTTP_COOKIE' }),
  'persistence-by-app-cookie': persisting({ type: 'APP_COOKIE', cookie_name: 'JSESSION.id' }),
  'persistence-by-cookie-without-requests': persisting({ type: 'HTTP_COOKIE' }, tcp, tcp),
  'headers-inserted': served({ insert_headers }),
  'headers-inserted-for-a-proxy-pool': served({ insert_headers }, { protocol: 'PROXY' }),
  'headers-not-asked-for': served({ insert_headers: { 'X-Forwarded-For': 'false', 'X-Real-IP': 'yes' } }),
  'allowed-cidrs': served({
    allowed_cidrs: ['10.0.0.0/8', '2001:db8::/32', ...Array.from({ length: 40 }, (_, n) => `192.0.2.${n}/32`)],
  }),
  'additional-vips': {
    ...served(tcp, tcp),
    loadBalancer: aLoadBalancer({
      additional_vips: [
        { subnet_id: idOf('other', 5), ip_address: '127.0.0.2', port_id: idOf('other', 6) },
        { subnet_id: idOf('other', 7), ip_address: '::1', port_id: idOf('other', 8) },
      ],
    }),
  },
  'tls-to-members': served(
    {},
    {
      tls_enabled: true,
      tls_ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:!aNULL',
      tls_versions: ['TLSv1.2', 'TLSv1.3'],
      alpn_protocols: ['http/1.1', 'http/1.0'],
    },
  ),
};

describe('golden configurations', () => {
  test.for(Object.entries(goldens))('%s', async ([name, tree]) => {
    const { text, origins } = render(tree);
    await expect(text).toMatchFileSnapshot(`../golden/haproxy/${name}.cfg`);
    expect(origins).toHaveLength(text.split('\n').length);
    const verdict = await directory.check(text);
    expect(verdict.isValid, verdict.output).toBe(true);
  });
});

test('is the same text whatever order headers were given in', () => {
  const reversed = Object.fromEntries(Object.entries(insert_headers).reverse());
  expect(render(served({ insert_headers })).text).toBe(render(served({ insert_headers: reversed })).text);
});

describe('what amphorae do not do is refused, and put down to', () => {
  const certificate = 'https://keys.example/v1/containers/1';
  test.for<[string, string, Tree]>([
    ['a TERMINATED_HTTPS listener', idOf('listener'), served({ protocol: 'TERMINATED_HTTPS' })],
    ['a UDP listener, not its pool', idOf('listener'), served({ protocol: 'UDP' }, { protocol: 'UDP' })],
    ['a SCTP listener', idOf('listener'), served({ protocol: 'SCTP' }, { protocol: 'SCTP' })],
    ['a pool with a certificate', idOf('pool'), served({}, { tls_enabled: true, tls_container_ref: certificate })],
    ['a pool with an authority', idOf('pool'), served({}, { tls_enabled: true, ca_tls_container_ref: certificate })],
    ['a cookie that HAProxy cannot name', idOf('pool'), persisting({ type: 'APP_COOKIE', cookie_name: "a'b" })],
    ['a CIDR that is none', idOf('listener'), served({ allowed_cidrs: ['-f /etc/passwd'] })],
  ])('%s', ([, resource_id, tree]) => {
    expect(() => render(tree)).toThrow(expect.objectContaining({ name: 'Unrenderable', resource_id }));
  });

  test('nobody, as long as it is disabled', () => {
    expect(render(served({ protocol: 'UDP', admin_state_up: false })).text).not.toContain('frontend');
  });
});

async function listening(
  server: Server | ReturnType<typeof createTcpServer>,
): Promise<AsyncDisposable & { port: number }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => void (await new Promise((closed) => server.close(closed)));
  return { port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: close };
}
async function freePort(): Promise<number> {
  await using server = await listening(createTcpServer());
  return server.port;
}

/** A member that answers with its name and the headers it got. */
const member = (name: string) =>
  createServer(({ headers }, response) => {
    response.setHeader('connection', 'close').end(JSON.stringify({ name, headers }));
  });

interface Seen {
  name: string;
  headers: IncomingHttpHeaders;
  cookie: string | undefined;
}

/** @throws Error when the connection is refused or cut */
const get = (port: number, headers: Record<string, string> = {}, localAddress = '127.0.0.1'): Promise<Seen> =>
  new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, headers, localAddress, agent: false }, async (response) => {
      const body = Buffer.concat(await response.toArray()).toString();
      const cookie = response.headers['set-cookie']?.[0]?.split(';')[0];
      resolve({ ...(JSON.parse(body) as Omit<Seen, 'cookie'>), cookie });
    });
    asked.once('error', reject).end();
  });

describe('a running HAProxy', () => {
  const running = async (listener: Partial<ListenerRow>, pool: Partial<PoolRow>, ports: number[]) => {
    const protocol_port = await freePort();
    const there = ports.map((port, index) =>
      aMember({ id: idOf('member', index + 1), address: '127.0.0.1', protocol_port: port }),
    );
    const tree = { ...served({ ...listener, protocol_port }, pool), members: there };
    const haproxy = await directory.start(render(tree).text);
    return { protocol_port, [Symbol.asyncDispose]: () => haproxy[Symbol.asyncDispose]() };
  };

  test('tells members who the client is, and adds to what the client says of itself', async () => {
    await using one = await listening(member('one'));
    await using listener = await running({ insert_headers }, {}, [one.port]);
    const { headers } = await get(listener.protocol_port, { 'x-forwarded-for': '192.0.2.7', 'x-real-ip': '192.0.2.7' });
    expect(headers).toMatchObject({
      'x-forwarded-for': '192.0.2.7, 127.0.0.1',
      'x-forwarded-port': String(listener.protocol_port),
      'x-forwarded-proto': 'http',
      'x-forwarded-ip': '127.0.0.1',
      'x-client-ip': '127.0.0.1',
      'x-real-ip': '127.0.0.1',
    });
  });

  test('lets in whom allowed_cidrs name, and nobody else', async () => {
    await using one = await listening(member('one'));
    await using listener = await running({ allowed_cidrs: ['127.0.0.8/31', '2001:db8::/32'] }, {}, [one.port]);
    expect((await get(listener.protocol_port, {}, '127.0.0.9')).name).toBe('one');
    await expect(get(listener.protocol_port, {}, '127.0.0.10')).rejects.toThrow();
  });

  test('keeps a client at its member, by address and by either cookie', async () => {
    await using one = await listening(member('one'));
    await using two = await listening(member('two'));
    const of = (type: SessionPersistence['type'], cookie_name: string | null = null) =>
      running({}, persisting({ type, cookie_name }).pools[0]!, [one.port, two.port]);
    const names = async (port: number, headers = {}) => {
      const seen = new Set<string>();
      // One after the other: of several new clients at once each may be sent elsewhere.
      for (let count = 0; count < 4; count += 1) seen.add((await get(port, headers)).name);
      return seen.size;
    };
    {
      await using listener = await of('SOURCE_IP');
      expect(await names(listener.protocol_port)).toBe(1);
    }
    {
      await using listener = await of('HTTP_COOKIE');
      expect(await names(listener.protocol_port)).toBe(2);
      const { cookie } = await get(listener.protocol_port);
      expect(await names(listener.protocol_port, { cookie })).toBe(1);
    }
  });
});
