// A PROMETHEUS listener on one machine: what a real scrape reads, of real traffic, and who may read it.
import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { families, machineFamilies } from '../../amphora/agent/metric-families.ts';
import { eventually, report } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import { isRunning, sendSignal } from '../support/processes.ts';
import { type ReadFamily, readMetrics } from '../support/prometheus-text.ts';
import { answersFrom, TestMember } from '../support/traffic.ts';
import { createWeb, listenerPort, type WebLoadBalancer } from '../support/web-load-balancer.ts';

const metricsPort = 9100;
let service: LocalService;
let member: TestMember;
let web: WebLoadBalancer;
let metricsListener: string;

beforeAll(async () => {
  service = await LocalService.start();
  member = await TestMember.start('member');
  web = await createWeb(service, [member]);
  const { id } = await service.api.create('listeners', {
    loadbalancer_id: web.id,
    protocol: 'PROMETHEUS',
    protocol_port: metricsPort,
  });
  metricsListener = id;
  await service.api.active(web.id);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  member[Symbol.dispose]();
});

interface Answer {
  status: number;
  type: string;
  text: string;
}

function ask(path: string, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ host: web.vip, port: metricsPort, path, method, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode!, type: String(response.headers['content-type']), text }),
      );
    });
    call.on('error', reject).end();
  });
}

async function scrape(): Promise<Map<string, ReadFamily>> {
  const { status, type, text } = await ask('/metrics');
  expect([status, type]).toEqual([200, 'text/plain; version=0.0.4']);
  return readMetrics(text);
}

const sampleOf = (read: Map<string, ReadFamily>, name: string, labels: Record<string, string> = {}): number => {
  const matching = read
    .get(name)!
    .samples.filter((one) => Object.entries(labels).every(([key, value]) => one.labels[key] === value));
  expect(matching).toHaveLength(1);
  return matching[0]!.value;
};

test('tells all of Octavia’s metrics and no others, of everything by its id, and nothing of its own proxies', async () => {
  const read = await eventually('metrics', scrape);
  const contract = [...families.values()].map(({ name }) => name).concat(Object.keys(machineFamilies));
  expect([...read.keys()].sort()).toEqual(contract.sort());
  const labelled = [...read.values()].flatMap(({ samples }) => samples.map(({ labels }) => labels));
  const of = (label: string) => new Set(labelled.flatMap((labels) => labels[label] ?? []));
  expect(of('listener')).toEqual(new Set([web.listenerId, metricsListener]));
  expect(of('pool')).toEqual(new Set([`${web.poolId}:${web.listenerId}`]));
  expect(of('member').size).toBe(1);
  expect((await ask('/metrics')).text).not.toContain('prometheus');
});

test('counts what was sent, exactly', async () => {
  const before = await scrape();
  await answersFrom(web.vip, listenerPort, 25);
  const after = await scrape();
  const pool = `${web.poolId}:${web.listenerId}`;
  const counted = (name: string, labels: Record<string, string>) =>
    sampleOf(after, name, labels) - sampleOf(before, name, labels);
  expect(counted('octavia_listener_http_requests_total', { listener: web.listenerId })).toBe(25);
  expect(counted('octavia_pool_http_responses_total', { pool, code: '2xx' })).toBe(25);
  expect(counted('octavia_member_sessions_total', { pool })).toBe(25);
  expect(sampleOf(after, 'octavia_member_status', { pool, state: 'UP' })).toBe(1);
  expect(sampleOf(after, 'octavia_loadbalancer_memory')).toBeGreaterThan(0);
});

test('is all that there is: other paths and methods are refused', async () => {
  expect((await ask('/')).status).toBe(404);
  expect((await ask('/metrics/more')).status).toBe(404);
  expect((await ask('/metrics', 'POST')).status).toBe(405);
  expect((await ask('/metrics', 'HEAD')).status).toBe(200);
  expect((await ask('/metrics?scope=server')).status).toBe(200);
});

test('is a listener as others are: ONLINE, counted, and its proxies are in no report', async () => {
  await eventually('it is ONLINE', async () => {
    const { operating_status } = await service.api.show('listeners', metricsListener);
    return operating_status === 'ONLINE';
  });
  const stats = await eventually('it is counted', async () => {
    const { stats: shown } = await service.api.call('GET', `/v2.0/lbaas/listeners/${metricsListener}/stats`);
    return shown.total_connections > 0 ? shown : undefined;
  });
  expect(stats.bytes_out).toBeGreaterThan(10_000);
  const lb = await service.api.statistics(web.id);
  const { stats: ofWeb } = await service.api.call('GET', `/v2.0/lbaas/listeners/${web.listenerId}/stats`);
  const { stats: ofMetrics } = await service.api.call('GET', `/v2.0/lbaas/listeners/${metricsListener}/stats`);
  expect(lb.total_connections).toBe(ofWeb.total_connections + ofMetrics.total_connections);
});

test('goes on after a reload, and after its agent and HAProxy were killed', async () => {
  await service.api.update('listeners', web.listenerId, { timeout_client_data: 40_000 });
  await service.api.active(web.id);
  expect((await scrape()).size).toBeGreaterThan(100);
  const { haproxy } = await service.amphora(web.id);
  sendSignal(haproxy, 'SIGKILL');
  await eventually('metrics are told again', async () => (await scrape()).size > 100);
  const before = await service.amphora(web.id);
  sendSignal(before.agent, 'SIGKILL');
  await eventually('they are told by another agent', async () => {
    const now = await service.amphora(web.id);
    return now.agent !== before.agent && isRunning(now.agent) && (await scrape()).size > 100;
  });
});

test('lets in whom allowed_cidrs name, and nobody else', async () => {
  await service.api.update('listeners', metricsListener, { allowed_cidrs: ['192.0.2.0/24'] });
  await service.api.active(web.id);
  await expect(ask('/metrics')).rejects.toThrow();
  await service.api.update('listeners', metricsListener, { allowed_cidrs: ['127.0.0.0/8'] });
  await service.api.active(web.id);
  expect((await scrape()).size).toBeGreaterThan(100);
});

test('tells of thousands of members', async () => {
  const many = Array.from({ length: 5_000 }, (_, index) => ({
    address: `127.0.${1 + Math.floor(index / 200)}.${1 + (index % 200)}`,
    protocol_port: 9,
  }));
  await service.api.replaceMembers(web.poolId, many);
  await service.api.active(web.id, 120_000);
  const since = performance.now();
  const { text } = await ask('/metrics');
  report(`scrape of 5,000 members, ${Math.round(text.length / 1024 / 1024)} MiB`, performance.now() - since);
  expect(readMetrics(text).get('octavia_member_sessions_total')!.samples.length).toBeGreaterThanOrEqual(5_000);
}, 180_000);
