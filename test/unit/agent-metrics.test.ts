// HAProxy's metrics in Octavia's words: which are told, under which names, and that pages of any size go through whole.
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, test } from 'vitest';
import { families } from '../../amphora/agent/metric-families.ts';
import { MetricTranslation } from '../../amphora/agent/metric-translation.ts';
import { readMetrics } from '../support/prometheus-text.ts';

async function translated(chunks: Iterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  const end = new Writable({
    write(part, _encoding, done) {
      parts.push(part);
      done();
    },
  });
  await pipeline(Readable.from(chunks), new MetricTranslation(), end);
  return Buffer.concat(parts).toString();
}

const page = `# HELP haproxy_process_nbthread Number of started threads.
# TYPE haproxy_process_nbthread gauge
haproxy_process_nbthread 2
# HELP haproxy_process_requests_total Total number of requests on this worker process.
# TYPE haproxy_process_requests_total counter
haproxy_process_requests_total 7
# HELP haproxy_frontend_sessions_total Total number of sessions of the frontend.
# TYPE haproxy_frontend_sessions_total counter
haproxy_frontend_sessions_total{proxy="l1"} 5
haproxy_frontend_sessions_total{proxy="prometheus-exporter-internal-endpoint"} 9
# HELP haproxy_backend_active_servers Number of active servers.
# TYPE haproxy_backend_active_servers gauge
haproxy_backend_active_servers{proxy="p1:l1"} 1
haproxy_backend_active_servers{proxy="prometheus-exporter-internal"} 1
# HELP haproxy_server_status Current status of the server.
# TYPE haproxy_server_status gauge
haproxy_server_status{proxy="p1:l1",server="m1",state="UP"} 1
haproxy_server_status{proxy="prometheus-exporter-internal",server="prometheus-proxy",state="UP"} 1
`;
const inOctaviasWords = `# HELP octavia_loadbalancer_requests_total Total number of requests on this worker process.
# TYPE octavia_loadbalancer_requests_total counter
octavia_loadbalancer_requests_total 7
# HELP octavia_listener_sessions_total Total number of sessions of the listener.
# TYPE octavia_listener_sessions_total counter
octavia_listener_sessions_total{listener="l1"} 5
# HELP octavia_pool_active_members Number of active members.
# TYPE octavia_pool_active_members gauge
octavia_pool_active_members{pool="p1:l1"} 1
# HELP octavia_member_status Current status of the member.
# TYPE octavia_member_status gauge
octavia_member_status{pool="p1:l1",member="m1",state="UP"} 1
`;

describe('metrics', () => {
  test('have Octavia’s names and words; what Octavia does not tell, and the agent’s own proxies, are left out', async () => {
    expect(await translated([Buffer.from(page)])).toBe(inOctaviasWords);
  });

  test('come through whole wherever a chunk ends', async () => {
    const bytes = Buffer.from(page);
    for (const size of [1, 2, 7, 64]) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
        bytes.subarray(index * size, (index + 1) * size),
      );
      expect(await translated(chunks)).toBe(inOctaviasWords);
    }
  });

  test('that end within a line, or never end one, are an error', async () => {
    await expect(translated([Buffer.from(page.slice(0, -3))])).rejects.toThrow('end within a line');
    await expect(translated([Buffer.alloc(100_000, 'x')])).rejects.toThrow('does not end');
  });

  test('are as many as Octavia has of each kind', () => {
    const kinds = [...families.values()].map(({ name }) => name.split('_')[1]!);
    const counts = Object.fromEntries([...Map.groupBy(kinds, (kind) => kind)].map(([kind, all]) => [kind, all.length]));
    expect(counts).toEqual({ loadbalancer: 28, memory: 3, listener: 27, pool: 44, member: 40 });
  });

  test('of 5,000 members take little memory, however large the page', async () => {
    const names = [...families.keys()].filter((name) => name.startsWith('haproxy_server_'));
    const labels = Array.from({ length: 5_000 }, (_, index) => {
      const id = `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
      return `{proxy="${id}:${id}",server="${id}"}`;
    });
    let told = 0;
    let highest = 0;
    const before = process.memoryUsage().rss;
    function* chunks() {
      for (const name of names) {
        yield Buffer.from(`# HELP ${name} Text.\n# TYPE ${name} gauge\n`);
        for (let at = 0; at < labels.length; at += 100) {
          yield Buffer.from(
            labels
              .slice(at, at + 100)
              .map((label) => `${name}${label} 1\n`)
              .join(''),
          );
        }
      }
    }
    const end = new Writable({
      write(part, _encoding, done) {
        told += part.length;
        highest = Math.max(highest, process.memoryUsage().rss - before);
        setImmediate(done);
      },
    });
    const since = performance.now();
    await pipeline(Readable.from(chunks()), new MetricTranslation(), end);
    const ms = Math.round(performance.now() - since);
    const mib = (bytes: number) => Math.round(bytes / 1024 / 1024);
    process.stdout.write(`  5,000 members: ${mib(told)} MiB translated in ${ms} ms, ${mib(highest)} MiB more memory\n`);
    expect(told).toBeGreaterThan(20 * 1024 * 1024);
    expect(highest).toBeLessThan(128 * 1024 * 1024);
  });
});

describe('the reader of metrics', () => {
  test('takes a page, with labels', () => {
    const read = readMetrics(inOctaviasWords);
    expect(read.get('octavia_member_status')!.samples).toEqual([
      { labels: { pool: 'p1:l1', member: 'm1', state: 'UP' }, value: 1 },
    ]);
  });

  test.each([
    ['a sample before its family', 'x 1\n'],
    ['a sample without a number', '# HELP x y\n# TYPE x gauge\nx one\n'],
    ['a label without quotes', '# HELP x y\n# TYPE x gauge\nx{a=b} 1\n'],
    ['a sample twice', '# HELP x y\n# TYPE x gauge\nx{a="b"} 1\nx{a="b"} 2\n'],
    ['a family twice', '# HELP x y\n# TYPE x gauge\nx 1\n# HELP x y\n'],
    ['a page that is cut off', '# HELP x y\n# TYPE x gauge\nx 1'],
    ['an empty line', '# HELP x y\n\n# TYPE x gauge\nx 1\n'],
  ])('refuses %s', (_what, text) => {
    expect(() => readMetrics(text)).toThrow();
  });
});
