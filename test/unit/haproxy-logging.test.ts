// What HAProxy is told to log. Golden files as in haproxy.test.ts, in its folder.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import type { Tree } from '../../lambdas/domain/tree.ts';
import { defaultLogFormat, type LoggingOptions } from '../../lambdas/haproxy/logging.ts';
import { renderConfiguration } from '../../lambdas/haproxy/render.ts';
import { aListener, aLoadBalancer, aMember, aPool, aTree, idOf } from '../support/builders.ts';
import { HaproxyDirectory, until } from '../support/haproxy.ts';

const directory = new HaproxyDirectory();
afterAll(() => directory[Symbol.dispose]());

const toPool = aListener({ default_pool_id: idOf('pool') });
const overTcp = aListener({ id: idOf('listener', 2), protocol: 'TCP', protocol_port: 5432 });
const tree = (tags: string[] = [], given: Partial<Parameters<typeof aTree>[0]> = {}): Tree =>
  aTree({
    loadBalancer: aLoadBalancer({ tags }),
    listeners: [toPool, overTcp],
    pools: [aPool()],
    members: [aMember({ id: idOf('member'), address: '192.0.2.1' })],
    ...given,
  });
const render = (given: Tree, logging?: Partial<LoggingOptions>) =>
  renderConfiguration(given, {
    amphora_id: idOf('other', 9),
    hardStopAfterMs: 60_000,
    ...(logging && { logging: { format: defaultLogFormat, traffic: 'tagged', ...logging } }),
  }).text;
const asked = tree(['connection_logging=true']);

describe('logging', () => {
  const goldens = { 'traffic-logged': asked, 'traffic-not-logged': tree() };
  test.each(Object.entries(goldens))('%s', async (name, given) => {
    const text = render(given, {});
    expect(await directory.check(text)).toMatchObject({ isValid: true });
    await expect(text).toMatchFileSnapshot(`../golden/haproxy/${name}.cfg`);
  });

  test('is not told of where nobody takes logs', () => {
    expect(render(asked)).not.toMatch(/\blog\b|^ring/m);
  });

  test.each([
    ['tagged', [], false],
    ['tagged', ['connection_logging=true'], true],
    ['on', [], true],
    ['on', ['connection_logging=false'], false],
    ['off', ['connection_logging=true'], false],
  ] as const)('of traffic, when the deployment says %s and the tags %j: %s', (traffic, tags, isLogged) => {
    expect(render(tree([...tags]), { traffic }).includes('ring@tenant')).toBe(isLogged);
  });

  test('takes the format of the operator, with project and load balancer filled in', async () => {
    const text = render(asked, { format: "{{ lb_id }} it's {{ project_id }} %ci %ST" });
    expect(await directory.check(text)).toMatchObject({ isValid: true });
    const project = aLoadBalancer().project_id;
    expect(text).toContain(`log-format '${idOf('lb')} it'\\''s ${project} %ci %ST'`);
    expect(text).toContain(`log-format '${idOf('lb')} it'\\''s ${project} %ci -'`);
  });

  test('with a format that HAProxy does not know is refused by it, in the line of the listener', async () => {
    const { isValid, lines } = await directory.check(render(asked, { format: '%nonsense' }));
    expect(isValid).toBe(false);
    expect(lines.length).toBeGreaterThan(0);
  });

  test('makes one field of any project id', () => {
    const loadBalancer = aLoadBalancer({ tags: ['connection_logging=true'], project_id: "a %ci'$&\n{{DIRECTORY}}" });
    expect(render(tree([], { loadBalancer }), {})).toContain(`log-format 'a__ci______DIRECTORY__ ${idOf('lb')} %f`);
  });
});

/** Everything HAProxy logged, as it came. */
async function logOf(run: (port: number) => Promise<void>): Promise<string> {
  let received = '';
  const receiver = createServer((socket) => socket.on('data', (data) => (received += data)));
  await once(receiver.listen(join(directory.path, 'log.sock')), 'listening');
  const port = 20_000 + Math.floor(Math.random() * 12_000);
  const text = render(tree(['connection_logging=true'], { listeners: [aListener({ protocol_port: port })] }), {});
  await using _haproxy = await directory.start(text);
  await run(port);
  await until('a line came', async () => received.includes('HTTP/1.'));
  await sleep(50);
  receiver.close();
  return received;
}

test('a client cannot end its line of the log, nor begin another', async () => {
  const received = await logOf(async (port) => {
    await fetch(`http://127.0.0.1:${port}/a"b%0aforged?c=\u0001`, {
      headers: { authorization: 'Bearer secret', cookie: 'secret' },
    });
  });
  const [, size = '0', rest = ''] = /^(\d+) ([\s\S]*)$/.exec(received) ?? [];
  // One frame, of one line, with the request between the only two quotes of its own and the two of the empty DN.
  expect(Buffer.byteLength(rest)).toBe(Number(size));
  expect(rest).not.toMatch(/[\r\n]/);
  expect(rest.split('"')).toHaveLength(5);
  expect(rest).not.toContain('secret');
});
