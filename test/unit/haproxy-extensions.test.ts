// What HAProxy is told of the attributes beyond Octavia's, and that rate limits hold to the request. Golden files pass `haproxy -c`.
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { ListenerRow } from '../../lambdas/domain/listener.ts';
import type { ListenerExtensions } from '../../lambdas/domain/listener-extensions.ts';
import type { PoolRow } from '../../lambdas/domain/pool.ts';
import type { Tree } from '../../lambdas/domain/tree.ts';
import { Unrenderable } from '../../lambdas/haproxy/config.ts';
import { renderConfiguration } from '../../lambdas/haproxy/render.ts';
import { aListener, aMember, aMonitor, aPool, aTree, idOf } from '../support/builders.ts';
import { extendedListener, extendedTree } from '../support/extended.ts';
import { HaproxyDirectory, until } from '../support/haproxy.ts';
import { hostileText } from '../support/hostile-text.ts';

const directory = new HaproxyDirectory();
afterAll(() => directory[Symbol.dispose]());

const options = { amphora_id: idOf('other', 9), hardStopAfterMs: 60_000 };
const render = (tree: Tree) => renderConfiguration(tree, options);
const served = (listener: Partial<ListenerRow>, pool: Partial<PoolRow> = {}): Tree =>
  aTree({
    listeners: [aListener({ default_pool_id: idOf('pool'), ...listener })],
    pools: [aPool(pool)],
    members: [aMember()],
  });
const only = (name: keyof ListenerExtensions) => served({ [name]: extendedListener[name] });
const tcp = { protocol: 'TCP' } as const;
const retries = { attempts: 1, failures: ['500' as const], non_idempotent: true };

const goldens: Record<string, Tree> = {
  'extensions-together': extendedTree(),
  'rate-limit-by-address': served({ rate_limit: { requests: 10, period: 1, type: 'SOURCE_IP', key: null } }),
  'rate-limit-by-header': only('rate_limit'),
  'connection-rate-limit-of-a-tcp-listener': served(
    { ...tcp, connection_rate_limit: { connections: 5, period: 2 } },
    tcp,
  ),
  'rate-limit-of-one': served({
    rate_limit: { requests: 1, period: 5, type: 'SOURCE_IP', key: null },
    connection_rate_limit: { connections: 1, period: 5 },
  }),
  compression: only('compression'),
  'request-headers': only('request_headers'),
  'response-headers': only('response_headers'),
  'error-pages': only('error_pages'),
  'http2-off': only('http2'),
  'timeout-of-tunnels': only('timeout_tunnel'),
  'timeout-of-tunnels-of-a-tcp-listener': served({ ...tcp, timeout_tunnel: 86_400_000 }, tcp),
  'timeout-of-requests-alone': served({ timeout_client_request: 4_000, timeout_client_data: 30_000 }),
  'timeout-between-requests-alone': served({ timeout_client_keep_alive: 4_000 }),
  'denied-cidrs': only('denied_cidrs'),
  'denied-cidrs-within-allowed-ones': served({ allowed_cidrs: ['10.0.0.0/8'], denied_cidrs: ['10.1.0.0/16'] }),
  retries: served({}, { retries: { ...retries, non_idempotent: false } }),
  'retries-of-any-method': served({}, { retries }),
  'retries-of-a-tcp-listener': served(tcp, { retries }),
  'slow-start': { ...served({}, { slow_start: 60 }), healthMonitors: [aMonitor()] },
  'connection-limit-of-a-member': { ...served({}), members: [aMember({ connection_limit: 3 })] },
};

describe('golden configurations', () => {
  test.for(Object.entries(goldens))('%s', async ([name, tree]) => {
    const { text, origins } = render(tree);
    await expect(text).toMatchFileSnapshot(`../golden/haproxy/${name}.cfg`);
    expect(origins).toHaveLength(text.split('\n').length);
    const verdict = await directory.check(text);
    expect(verdict.isValid, verdict.output).toBe(true);
    expect(verdict.output).not.toContain('WARNING');
  });
});

test('a row from before there were extensions, and one with all of them null, are the same text', () => {
  const nothing = Object.fromEntries(Object.keys(extendedListener).map((name) => [name, null]));
  const nulled = {
    ...served(nothing, { retries: null, slow_start: null }),
    members: [aMember({ connection_limit: null })],
  };
  expect(render(nulled).text).toBe(render(served({})).text);
});

test('the order in which headers and pages were given is no change', () => {
  const reversed = (one: object) => Object.fromEntries(Object.entries(one).reverse());
  const { request_headers, error_pages } = extendedListener;
  const other = {
    request_headers: { ...request_headers!, set: reversed(request_headers!.set), remove: ['Cookie2', 'X-Internal'] },
    error_pages: reversed(error_pages!),
  };
  expect(render(served(other)).text).toBe(render(served({ request_headers, error_pages })).text);
});

test.for(['constructor', '__proto__', '\n', '\r\n', ' ', '-f', 'if'])(
  'a page of %j is what clients get',
  async (body) => {
    const error_pages = { '503': { content_type: 'text/plain', body } };
    const { text } = render(served({ error_pages }));
    const spelled = body.replaceAll('\r', '\\r').replaceAll('\n', '\\n').replace(/^ $/, "' '");
    expect(text).toContain(`content-type text/plain string ${spelled} hdr`);
    expect((await directory.check(text)).isValid).toBe(true);
  },
);

test('the largest pages and headers that the API takes are taken by HAProxy', async () => {
  const body = `${'é\n'.repeat(2_730)}ab`;
  expect(Buffer.byteLength(body)).toBe(8_192);
  const statuses = ['403', '429', '500', '502', '503', '504'];
  const error_pages = Object.fromEntries(statuses.map((status) => [status, { content_type: 'text/plain', body }]));
  const set = Object.fromEntries(Array.from({ length: 32 }, (_, n) => [`X-${n}`, "'".repeat(50)]));
  const headers = { set, add: {}, remove: [] };
  const content_types = Array.from({ length: 32 }, (_, n) => `text/x-${n}`);
  const denied_cidrs = Array.from({ length: 500 }, (_, n) => `2001:db8:${n.toString(16)}::/48`);
  const tree = served({
    error_pages,
    request_headers: headers,
    response_headers: headers,
    compression: { content_types },
    denied_cidrs,
    rate_limit: { requests: 1_000_000, period: 86_400, type: 'HEADER', key: 'x'.repeat(128) },
    timeout_tunnel: 2_073_600_000,
  });
  const verdict = await directory.check(render(tree).text);
  expect(verdict.isValid, verdict.output).toBe(true);
});

/** Paths to every text in a value, names in a map of headers among them. */
function textsIn(value: unknown, path: string[] = []): string[][] {
  if (typeof value === 'string') return [path];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) => textsIn(one, [...path, key]));
}
function replaced(value: unknown, [first, ...rest]: string[], hostile: string): unknown {
  if (first === undefined) return hostile;
  const changed = (value as Record<string, unknown>)[first];
  if (Array.isArray(value)) return value.with(Number(first), replaced(changed, rest, hostile));
  return { ...(value as object), [first]: replaced(changed, rest, hostile) };
}
function renamed({ request_headers }: Partial<ListenerExtensions>, hostile: string): Partial<ListenerExtensions> {
  return { request_headers: { ...request_headers!, set: { [hostile]: 'a' }, add: { [hostile]: `\${host}` } } };
}

/** Words by which HAProxy knows what a line is. */
const directives = (text: string): string[] =>
  text.split('\n').map((line) =>
    line
      .trim()
      .split(' ')
      .slice(0, 2)
      .join(' ')
      .replace(/ .*['"\\].*/, ''),
  );

test('hostile text in any extension is refused or stays one argument', async () => {
  const places = [...textsIn(extendedListener), ['names']];
  const { listeners, ...others } = extendedTree();
  const attacked = ([place, hostile]: [string[], string]): string | undefined => {
    const set = place[0] === 'names' ? renamed(extendedListener, hostile) : replaced(extendedListener, place, hostile);
    try {
      return render({ ...others, listeners: [{ ...listeners[0]!, ...(set as object) }] }).text;
    } catch (error) {
      if (error instanceof Unrenderable) return undefined;
      throw error;
    }
  };
  const ofSize = hostileText.filter((text) => Buffer.byteLength(text) <= 8_192);
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom(...places), ofSize), { minLength: 8, maxLength: 8 }),
      async (all) => {
        for (const attack of all) {
          const text = attacked(attack);
          if (text === undefined) continue;
          accepted += 1;
          // One header that is named twice instead of two of each kind.
          if (attack[0][0] !== 'names')
            expect(directives(text)).toHaveLength(directives(render(extendedTree()).text).length);
          expect(text.split('{{DIRECTORY}}')).toHaveLength(3);
          const verdict = await directory.check(text);
          expect(verdict.isValid, verdict.output).toBe(true);
        }
      },
    ),
    { numRuns: 15, endOnFailure: true },
  );
  expect(accepted).toBeGreaterThan(30);
}, 120_000);

describe('a rate limit', () => {
  /** Statuses of as many requests, all sent at once. */
  const burst = (port: number, count: number, headers: (index: number) => Record<string, string> = () => ({})) =>
    Promise.all(
      Array.from({ length: count }, (_, index) => {
        const asked = request({ host: '127.0.0.1', port, headers: headers(index), agent: false });
        return new Promise<string>((resolve, reject) => {
          asked.once('error', reject).once('response', (response) => {
            response.resume();
            resolve(`${response.statusCode} ${response.headers['retry-after'] ?? ''}`.trim());
          });
          asked.end();
        });
      }),
    );
  const counted = (statuses: string[]) =>
    Object.fromEntries([...Map.groupBy(statuses, (one) => one)].map(([status, all]) => [status, all.length]));

  test('lets in what it says in each period of a client who goes on asking, and at most once more at the start', async () => {
    const [requests, periodMs] = [10, 1_000];
    await using there = await running({ rate_limit: { requests, period: 1, type: 'SOURCE_IP', key: null } });
    const since = performance.now();
    let letIn = 0;
    let longestBreakMs = 0;
    let last = since;
    while (performance.now() - since < 5 * periodMs) {
      const now = performance.now();
      // A machine that was busy elsewhere asked for nothing meanwhile.
      longestBreakMs = Math.max(longestBreakMs, now - last);
      last = now;
      if ((await burst(there.port, 1))[0] === '200') letIn += 1;
    }
    const periods = (performance.now() - since) / periodMs;
    expect(letIn).toBeLessThanOrEqual(requests + Math.ceil(requests * periods));
    const unaskedPeriods = longestBreakMs > periodMs / 2 ? periods : 2;
    expect(letIn).toBeGreaterThanOrEqual(requests * Math.floor(periods - unaskedPeriods));
  });

  test('of one a period is one a period, not one in two', async () => {
    await using there = await running({ rate_limit: { requests: 1, period: 1, type: 'SOURCE_IP', key: null } });
    const letIn: { sent: number; answered: number }[] = [];
    await until(
      'a request is let in for the sixth time',
      async () => {
        const sent = performance.now();
        if ((await burst(there.port, 1))[0] === '200') letIn.push({ sent, answered: performance.now() });
        return letIn.length === 6;
      },
      30_000,
    );
    const gaps = letIn.slice(1).map(({ answered }, index) => Math.round(answered - letIn[index]!.sent));
    // Half a period is the least there may be between two of a client who is never silent; a busy machine makes it longer.
    expect(Math.min(...gaps)).toBeGreaterThan(490);
    expect(gaps.toSorted((a, b) => a - b)[2]).toBeLessThan(1_700);
  });

  async function running(given: Partial<ListenerRow>) {
    const member = createServer((_request, response) => response.end('ok')).listen(0, '127.0.0.1');
    await once(member, 'listening');
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const protocol_port = (probe.address() as AddressInfo).port;
    await new Promise((closed) => probe.close(closed));
    const tree = {
      ...served({ ...given, protocol_port }),
      members: [aMember({ address: '127.0.0.1', protocol_port: (member.address() as AddressInfo).port })],
    };
    const text = render(tree).text.replace('    hard-stop-after', '    nbthread 4\n    hard-stop-after');
    const haproxy = await directory.start(text);
    const end = async () => {
      await haproxy[Symbol.asyncDispose]();
      member.closeAllConnections();
      member.close();
    };
    return { port: protocol_port, [Symbol.asyncDispose]: end };
  }

  test('lets in not one request too many, whatever number of threads is asked at once', async () => {
    await using there = await running({ rate_limit: { requests: 20, period: 600, type: 'SOURCE_IP', key: null } });
    const { 200: letIn = 0, '429 600': refused = 0 } = counted(await burst(there.port, 200));
    expect(letIn + refused).toBe(200);
    expect(letIn).toBeLessThanOrEqual(20);
    // Of those asked at the very same moment, threads may turn each other away.
    expect(letIn).toBeGreaterThanOrEqual(16);
  });

  test('by a header counts each value on its own, and without it by address', async () => {
    const rate_limit = { requests: 2, period: 600, type: 'HEADER', key: 'X-Api-Key' } as const;
    await using there = await running({ rate_limit });
    const one = async (headers: Record<string, string>) => (await burst(there.port, 1, () => headers))[0];
    const answers: (string | undefined)[] = [];
    for (const key of ['a', 'a', 'a', 'b', 'b', 'b']) answers.push(await one({ 'x-api-key': key }));
    for (const _ of [1, 2, 3]) answers.push(await one({}));
    expect(answers).toEqual(['200', '200', '429 600', '200', '200', '429 600', '200', '200', '429 600']);
  });
});

test('a member that comes back is given its share little by little over slow_start', async () => {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((closed) => probe.close(closed));
  const tree = {
    ...served({ protocol_port: 0, admin_state_up: true }, { slow_start: 600 }),
    healthMonitors: [aMonitor({ delay: 0, timeout: 1, max_retries: 1, max_retries_down: 1 })],
    members: [aMember({ address: '127.0.0.1', protocol_port: port })],
  };
  await using haproxy = await directory.start(render(tree).text.replace(/^ {4}bind .*$/m, ''));
  const state = () => haproxy.stateOf(idOf('member'));
  await until('the member is down', async () => (await state()).startsWith('DOWN'), 20_000);
  const back = createServer().listen(port, '127.0.0.1');
  await once(back, 'listening');
  try {
    await until('the member is up', async () => (await state()).startsWith('UP'), 20_000);
    const [head = '', ...rows] = (await haproxy.ask('show stat')).split('\n');
    const at = head.split(',').indexOf('throttle');
    const throttle = rows.map((row) => row.split(',')).find((row) => row[1] === idOf('member'))?.[at];
    // Per cent of its weight; of a member that has all of it HAProxy says nothing here.
    expect(throttle).toMatch(/^\d{1,2}$/);
  } finally {
    back.close();
  }
});
