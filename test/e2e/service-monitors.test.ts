// Health monitors of every type that amphorae run, against real members that fail in the matching way: the operating statuses say so,
// traffic goes elsewhere, and all of it comes back.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, report } from '../support/eventually.ts';
import { FailingMember, type Failure } from '../support/failing-member.ts';
import { LocalService } from '../support/local-service.ts';
import type { Attributes, LoadBalancer } from '../support/octavia-client.ts';
import { answersFrom, request } from '../support/traffic.ts';

let service: LocalService;
let loadBalancer: LoadBalancer;
const started: FailingMember[] = [];
let lastPort = 8000;

beforeAll(async () => {
  service = await LocalService.start();
  const { id } = await service.api.createLoadBalancer({ name: 'monitored' });
  loadBalancer = await service.api.active(id);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  for (const one of started) await one[Symbol.asyncDispose]();
});

const quick = { delay: 1, timeout: 1, max_retries: 1, max_retries_down: 1 };

interface Monitored {
  port: number;
  poolId: string;
  steady: string;
  failing: string;
}

/** A listener with a pool of two members, one of which is to fail. */
async function serve(protocol: string, members: Attributes[], monitor: Attributes, pool = {}): Promise<Monitored> {
  const port = ++lastPort;
  const { id: poolId } = await service.api.create('pools', {
    loadbalancer_id: loadBalancer.id,
    protocol,
    lb_algorithm: 'ROUND_ROBIN',
    ...pool,
  });
  const listener = { loadbalancer_id: loadBalancer.id, protocol, protocol_port: port, default_pool_id: poolId };
  await service.api.create('listeners', listener);
  await service.api.create('healthmonitors', { pool_id: poolId, ...quick, ...monitor });
  const ids = [];
  for (const one of members) ids.push((await service.api.create(`pools/${poolId}/members`, one)).id);
  await service.api.active(loadBalancer.id);
  return { port, poolId, steady: ids[0]!, failing: ids[1]! };
}

const hasStatus = (collection: string, id: string, operating_status: string) =>
  eventually(`${collection} ${id} is ${operating_status}`, async () => {
    return (await service.api.show(collection, id)).operating_status === operating_status;
  });

async function timedUntil(what: string, { poolId, failing }: Monitored, status: string): Promise<void> {
  const since = performance.now();
  await hasStatus(`pools/${poolId}/members`, failing, status);
  report(`${what}: member ${status} after`, performance.now() - since);
}

async function startMembers(failure: Failure, options = {}): Promise<[FailingMember, FailingMember]> {
  const pair = [
    await FailingMember.start('steady', failure, options),
    await FailingMember.start('failing', failure, options),
  ] as [FailingMember, FailingMember];
  started.push(...pair);
  return pair;
}

describe('a member that fails is ERROR, pool and load balancer DEGRADED, and nobody is sent to it until it is back: monitor', () => {
  test.for<[string, string, Failure, Attributes, Attributes]>([
    ['HTTP', 'HTTP', 'answers 503', { url_path: '/health' }, {}],
    ['HTTPS', 'HTTP', 'answers 503', { url_path: '/health' }, { tls_enabled: true }],
    ['TCP', 'HTTP', 'is not there', {}, {}],
    ['TLS-HELLO', 'HTTP', 'speaks no TLS', {}, { tls_enabled: true }],
  ])('%s', async ([type, protocol, failure, monitor, pool]) => {
    const [steady, failing] = await startMembers(failure, { tls: 'tls_enabled' in pool });
    const monitored = await serve(protocol, [steady.attributes, failing.attributes], { type, ...monitor }, pool);
    const { port, poolId } = monitored;
    await hasStatus(`pools/${poolId}/members`, monitored.steady, 'ONLINE');
    await hasStatus(`pools/${poolId}/members`, monitored.failing, 'ONLINE');
    await hasStatus('pools', poolId, 'ONLINE');
    expect(await answersFrom(loadBalancer.vip_address, port, 8)).toEqual(new Set(['steady', 'failing']));

    await failing.fail();
    await timedUntil(type, monitored, 'ERROR');
    await hasStatus('pools', poolId, 'DEGRADED');
    await hasStatus('loadbalancers', loadBalancer.id, 'DEGRADED');
    expect(await answersFrom(loadBalancer.vip_address, port, 8)).toEqual(new Set(['steady']));

    await failing.recover();
    await timedUntil(type, monitored, 'ONLINE');
    await hasStatus('pools', poolId, 'ONLINE');
    await hasStatus('loadbalancers', loadBalancer.id, 'ONLINE');
    // A member that comes back is first given what it missed of its share.
    await eventually('both serve', async () => (await answersFrom(loadBalancer.vip_address, port, 8)).size === 2);
  });
});

test('a PING monitor asks the address it is given, and its member is back when that answers again', async () => {
  const [steady, failing] = await startMembers('is not there');
  const monitored = await serve('HTTP', [steady.attributes, failing.attributes], { type: 'PING' });
  const members = `pools/${monitored.poolId}/members`;
  await hasStatus(members, monitored.failing, 'ONLINE');
  // The prefix whose packets are to be discarded: nobody answers there.
  await service.api.update(members, monitored.failing, { monitor_address: '100::1' });
  await timedUntil('PING', monitored, 'ERROR');
  await hasStatus(members, monitored.steady, 'ONLINE');
  expect(await answersFrom(loadBalancer.vip_address, monitored.port, 8)).toEqual(new Set(['steady']));
  await service.api.update(members, monitored.failing, { monitor_address: null });
  await timedUntil('PING', monitored, 'ONLINE');
});

test('monitor_address and monitor_port are asked instead of the member, which goes on serving its own port', async () => {
  const [steady, failing] = await startMembers('is not there');
  const health = await FailingMember.start('health', 'is not there');
  started.push(health);
  const elsewhere = { monitor_address: '127.0.0.1', monitor_port: health.protocol_port };
  const members = [steady.attributes, { ...failing.attributes, ...elsewhere }];
  const monitored = await serve('HTTP', members, { type: 'TCP' });
  await hasStatus(`pools/${monitored.poolId}/members`, monitored.failing, 'ONLINE');
  await health.fail();
  await timedUntil('TCP elsewhere', monitored, 'ERROR');
  expect(await answersFrom(loadBalancer.vip_address, monitored.port, 8)).toEqual(new Set(['steady']));
});

test('a member is DRAINING without weight, OFFLINE while disabled, and without a monitor NO_MONITOR', async () => {
  const [steady, failing] = await startMembers('is not there');
  const monitored = await serve('HTTP', [steady.attributes, failing.attributes], { type: 'TCP' });
  const members = `pools/${monitored.poolId}/members`;
  const set = async (attributes: Attributes, status: string, names: string[]) => {
    await service.api.update(members, monitored.failing, attributes);
    await service.api.active(loadBalancer.id);
    await hasStatus(members, monitored.failing, status);
    expect(await answersFrom(loadBalancer.vip_address, monitored.port, 8)).toEqual(new Set(names));
  };
  await set({ weight: 0 }, 'DRAINING', ['steady']);
  await set({ weight: 1 }, 'ONLINE', ['steady', 'failing']);
  await set({ admin_state_up: false }, 'OFFLINE', ['steady']);
  await set({ admin_state_up: true }, 'ONLINE', ['steady', 'failing']);
  const { healthmonitor_id } = await service.api.show('pools', monitored.poolId);
  await service.api.delete('healthmonitors', String(healthmonitor_id));
  await hasStatus(members, monitored.failing, 'NO_MONITOR');
});

test('a backup member serves while all others are down, and no longer', async () => {
  const [backup, failing] = await startMembers('is not there');
  const members = [{ ...backup.attributes, backup: true }, failing.attributes];
  const monitored = await serve('HTTP', members, { type: 'TCP' });
  await hasStatus(`pools/${monitored.poolId}/members`, monitored.failing, 'ONLINE');
  const served = () => answersFrom(loadBalancer.vip_address, monitored.port, 6);
  expect(await served()).toEqual(new Set(['failing']));
  await failing.fail();
  await hasStatus(`pools/${monitored.poolId}/members`, monitored.failing, 'ERROR');
  expect(await served()).toEqual(new Set(['steady']));
  await failing.recover();
  await hasStatus(`pools/${monitored.poolId}/members`, monitored.failing, 'ONLINE');
  expect(await served()).toEqual(new Set(['failing']));
});

test('with all members down the pool and its load balancer are in ERROR and clients are told 503', async () => {
  const [first, second] = await startMembers('is not there');
  const monitored = await serve('HTTP', [first.attributes, second.attributes], { type: 'TCP' });
  await hasStatus('pools', monitored.poolId, 'ONLINE');
  await first.fail();
  await second.fail();
  await hasStatus('pools', monitored.poolId, 'ERROR');
  await hasStatus('loadbalancers', loadBalancer.id, 'ERROR');
  await expect(request(loadBalancer.vip_address, monitored.port)).rejects.toThrow('503');
});
