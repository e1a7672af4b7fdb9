// The agent with the real HAProxy: what a push, a plugged VIP, a kill and a lost queue do to clients of a listener.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { outline } from '../../amphora/agent/config-diff.ts';
import { RuntimeApi } from '../../amphora/agent/runtime-api.ts';
import {
  authority,
  fetchOnce,
  freePort,
  makeAddress,
  startLoad,
  startMember,
  TestAmphora,
  TestQueue,
  until,
} from '../support/agent-process.ts';

const loadBalancer = randomUUID();
const listener = randomUUID();
const pool = randomUUID();
const ids = { m1: randomUUID(), m2: randomUUID(), m3: randomUUID() };
type Name = keyof typeof ids;

let queue: TestQueue;
let members: Record<Name, Awaited<ReturnType<typeof startMember>>>;
let amphora: TestAmphora;
let vip: string;
let port: number;

const server = (name: Name, rest = 'weight 1') =>
  `  server ${ids[name]} 127.0.0.1:${members[name].port} ${rest} check inter 200 rise 1 fall 2`;

const textOf = (servers: string[], extra: { listener?: string; frontends?: string } = {}) =>
  [
    'global',
    '  maxconn 100000',
    '  stats socket {{DIRECTORY}}/haproxy.sock mode 0600 level admin',
    '  server-state-file {{DIRECTORY}}/servers-state',
    '  hard-stop-after 5s',
    'defaults',
    '  retries 3',
    '  option redispatch',
    '  timeout connect 1s',
    '  timeout client 5s',
    '  timeout server 5s',
    `frontend ${listener}`,
    '  maxconn 1000',
    `  bind ${vip}:${port}`,
    '  mode http',
    extra.listener ?? '  timeout http-keep-alive 4s',
    `  default_backend ${pool}:${listener}`,
    `backend ${pool}:${listener}`,
    '  mode http',
    '  balance roundrobin',
    '  load-server-state-from-file global',
    ...servers,
    extra.frontends ?? '',
    '',
  ].join('\n');

/** Names of the members that answer a row of requests. */
// So many that turns taken with other clients hide no member.
async function answering(requests = 60): Promise<string[]> {
  const names = new Set<string>();
  for (let index = 0; index < requests; index++) names.add(await fetchOnce(vip, port));
  return [...names].sort();
}

const workers = () => amphora.haproxyPids(loadBalancer).workers;

const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name);

/** What HAProxy itself says of its members. */
async function membersInProcess(): Promise<{ name: string; weight: number; isDisabled: boolean }[]> {
  const { master, workers: pids } = amphora.haproxyPids(loadBalancer);
  const runtime = new RuntimeApi(`/proc/${master}/cwd/master.sock`);
  const rows = (await runtime.ask(pids[0]!, 'show servers state')).trim().split('\n').slice(2);
  const cells = rows.map((row) => row.split(' '));
  return cells.map((row) => ({ name: row[3]!, weight: Number(row[7]), isDisabled: row[6] !== '0' })).sort(byName);
}

async function serve(servers = [server('m1')]): Promise<void> {
  expect((await amphora.push(loadBalancer, 1, textOf(servers))).json).toMatchObject({ generation: 1, method: 'kept' });
  expect((await amphora.plug(loadBalancer, vip)).status).toBe(202);
}

beforeAll(async () => {
  queue = await TestQueue.open();
  members = { m1: await startMember('m1'), m2: await startMember('m2'), m3: await startMember('m3') };
});
afterAll(() => {
  queue.close();
  for (const member of Object.values(members)) member.stop();
});
beforeEach(async () => {
  vip = makeAddress();
  port = await freePort(vip);
  queue.heartbeats.length = 0;
  queue.isAway = false;
  amphora = await TestAmphora.boot(queue);
});
afterEach(() => amphora.remove());

describe('configuration', () => {
  test('serves once it has a configuration and the VIP', async () => {
    await serve();
    expect(await answering(2)).toEqual(['m1']);
    const info = await amphora.call('GET', '/1.0/info');
    expect(info.json).toMatchObject({ api_version: '1.0', amphora_id: amphora.id, generation: 1 });
    const shown = await amphora.call('GET', `/1.0/loadbalancer/${loadBalancer}/haproxy`);
    expect(shown.text).toBe(textOf([server('m1')]));
    expect((await amphora.call('GET', '/1.0/details')).json).toMatchObject({ haproxy_count: 1, listeners: [listener] });
    expect(amphora.file(`${loadBalancer}/haproxy.cfg`)).toContain('maxconn 2000\n');
  });

  test('changes members by the Runtime API: the same worker, no failed request, file and process agree', async () => {
    await serve([server('m1'), server('m2')]);
    const before = workers();
    const load = startLoad(vip, port);
    const steps = [
      { servers: [server('m1'), server('m2'), server('m3')], answer: ['m1', 'm2', 'm3'] },
      { servers: [server('m2'), server('m3')], answer: ['m2', 'm3'] },
      { servers: [server('m2', 'weight 0'), server('m3', 'weight 7')], answer: ['m3'] },
      { servers: [server('m2', 'weight 5'), server('m3', 'weight 7 disabled')], answer: ['m2'] },
      { servers: [server('m1', 'weight 2 disabled'), server('m2'), server('m3')], answer: ['m2', 'm3'] },
      { servers: [server('m1', 'weight 2'), server('m2'), server('m3', 'disabled')], answer: ['m1', 'm2'] },
    ];
    for (const [index, { servers, answer }] of steps.entries()) {
      const pushed = await amphora.push(loadBalancer, index + 2, textOf(servers));
      expect([pushed.status, pushed.json['method']]).toEqual([202, 'runtime']);
      expect(await answering()).toEqual(answer);
      await sleep(100);
    }
    const { done, failures } = await load.stop();
    expect({ failures, isBusy: done > 200 }).toEqual({ failures: [], isBusy: true });
    expect(workers()).toEqual(before);
    const inFile = [...outline(textOf(steps.at(-1)!.servers)).members.values()];
    await until('the removed one is gone', async () => (await membersInProcess()).length === inFile.length, 8_000);
    expect(await membersInProcess()).toEqual(
      inFile.map(({ name, weight, isDisabled }) => ({ name, weight, isDisabled })).sort(byName),
    );
    process.kill(amphora.haproxyPids(loadBalancer).master, 'SIGKILL');
    await until('HAProxy is back', async () => workers()[0] !== before[0] && (await fetchOnce(vip, port)));
    expect(await answering()).toEqual(['m1', 'm2']);
  }, 20_000);

  test('removes a member without cutting its connections, and can take it back meanwhile', async () => {
    await serve([server('m1'), server('m2')]);
    const before = workers();
    const slow = [1, 2, 3, 4].map(() => fetchOnce(vip, port, false, '/slow'));
    await sleep(100);
    expect((await amphora.push(loadBalancer, 2, textOf([server('m1')]))).json['method']).toBe('runtime');
    expect((await Promise.all(slow)).sort()).toEqual(['m1', 'm1', 'm2', 'm2']);
    await sleep(600);
    expect((await amphora.push(loadBalancer, 3, textOf([server('m1'), server('m2')]))).json['method']).toBe('runtime');
    expect(workers()).toEqual(before);
    const again = [1, 2].map(() => fetchOnce(vip, port, false, '/slow'));
    await sleep(100);
    await amphora.push(loadBalancer, 4, textOf([server('m1')]));
    expect((await amphora.push(loadBalancer, 5, textOf([server('m1'), server('m2')]))).status).toBe(202);
    expect(await answering()).toEqual(['m1', 'm2']);
    await Promise.all(again);
  });

  test('reloads for anything else and fails no request; weights of before do not come back', async () => {
    await serve([server('m1'), server('m2')]);
    await amphora.push(loadBalancer, 2, textOf([server('m1', 'weight 0'), server('m2', 'weight 3 disabled')]));
    await amphora.push(loadBalancer, 3, textOf([server('m1'), server('m2')]));
    const load = startLoad(vip, port);
    for (let generation = 4; generation < 8; generation++) {
      const text = textOf([server('m1'), server('m2')], { listener: `  timeout http-keep-alive ${generation - 3}s` });
      expect((await amphora.push(loadBalancer, generation, text)).json['method']).toBe('reload');
      await sleep(100);
    }
    expect((await load.stop()).failures).toEqual([]);
    expect(await answering()).toEqual(['m1', 'm2']);
  }, 20_000);

  test('refuses what HAProxy refuses, names the line and keeps the last good configuration', async () => {
    await serve();
    const file = amphora.file(`${loadBalancer}/haproxy.cfg`);
    const pushed = await amphora.push(loadBalancer, 2, textOf([server('m1')], { listener: '  timout client 1s' }));
    expect(pushed.status).toBe(400);
    expect(pushed.json).toMatchObject({ error: 'invalid', http_code: 400, lines: [{ line: 16 }] });
    expect(amphora.file(`${loadBalancer}/haproxy.cfg`)).toBe(file);
    expect(await answering(2)).toEqual(['m1']);
    expect((await amphora.call('GET', '/1.0/info')).json['generation']).toBe(1);
  });

  test('refuses an address that is taken, by the line of its bind', async () => {
    await serve();
    const other = createServer().listen(0, vip);
    const taken = await until('a taken port', () => (other.address() as { port: number } | null)?.port);
    const frontends = `frontend ${randomUUID()}\n  mode http\n  bind ${vip}:${taken}`;
    const text = textOf([server('m1')], { frontends });
    const pushed = await amphora.push(loadBalancer, 2, text);
    const line = text.split('\n').indexOf(`  bind ${vip}:${taken}`) + 1;
    expect(pushed.json).toMatchObject({ error: 'address_in_use', lines: [{ line }] });
    expect(await answering(2)).toEqual(['m1']);
    other.close();
    expect((await amphora.push(loadBalancer, 2, text)).json['method']).toBe('reload');
  });

  test('goes back to the last good configuration when only the reload finds out', async () => {
    await serve();
    const before = workers();
    const frontends = `frontend ${randomUUID()}\n  mode http\n  bind unix@/proc/nowhere/a.sock`;
    const pushed = await amphora.push(loadBalancer, 2, textOf([server('m1')], { frontends }));
    expect([pushed.status, pushed.json['http_code']]).toEqual([400, 400]);
    expect(pushed.json['lines']).toMatchObject([
      {
        line:
          textOf([server('m1')], { frontends })
            .split('\n')
            .indexOf('  bind unix@/proc/nowhere/a.sock') + 1,
      },
    ]);
    expect(workers()).toEqual(before);
    expect(await answering(2)).toEqual(['m1']);
    const next = await amphora.push(loadBalancer, 2, textOf([server('m1')], { listener: '  timeout http-request 1s' }));
    expect(next.json['method']).toBe('reload');
    expect(await answering(2)).toEqual(['m1']);
  }, 15_000);

  test('refuses an older generation, a wrong digest, another amphora, and a lower epoch of the VIP', async () => {
    await serve();
    await amphora.push(loadBalancer, 5, textOf([server('m1'), server('m2')]));
    const stale = await amphora.push(loadBalancer, 4, textOf([server('m1')]));
    expect([stale.status, stale.json['error']]).toEqual([409, 'stale']);
    const headers = { 'x-octavia-generation': '6', 'x-octavia-digest': '0'.repeat(64) };
    const path = (id: string) => `/1.0/loadbalancer/${id}/${loadBalancer}/haproxy`;
    expect((await amphora.call('PUT', path(amphora.id), 'x', headers)).status).toBe(400);
    expect((await amphora.call('PUT', path(randomUUID()), 'x', headers)).status).toBe(404);
    expect((await amphora.call('PUT', path(amphora.id), 'x'.repeat(8 * 1024 * 1024 + 1), headers)).status).toBe(413);
    expect((await amphora.plug(loadBalancer, vip, 3)).status).toBe(202);
    expect((await amphora.plug(loadBalancer, vip, 2)).status).toBe(409);
  });

  test('leaves a VIP: takes no new connection, and one with a lower epoch does not bring it back', async () => {
    await serve();
    expect(await answering(2)).toEqual(['m1']);
    expect((await amphora.plug(loadBalancer, vip, 3)).status).toBe(202);
    expect((await amphora.leave(loadBalancer, vip, 2)).status).toBe(409);
    expect((await amphora.leave(loadBalancer, vip, 4)).status).toBe(202);
    await expect(fetchOnce(vip, port)).rejects.toThrow();
    expect((await amphora.plug(loadBalancer, vip, 4)).status).toBe(409);
    await until('its connections have ended', async () => {
      const { status, json } = await amphora.leave(loadBalancer, vip, 4);
      return status === 202 && json['processes'] === 0;
    });
    await expect(fetchOnce(vip, port)).rejects.toThrow();
    expect((await amphora.plug(loadBalancer, vip, 5)).status).toBe(202);
    expect(await answering(2)).toEqual(['m1']);
  });

  test('takes a load balancer without listeners, and forgets a deleted one', async () => {
    await serve();
    const empty = 'global\n  stats socket {{DIRECTORY}}/haproxy.sock level admin\ndefaults\n  mode http\n';
    expect((await amphora.push(loadBalancer, 2, empty)).json['method']).toBe('reload');
    await expect(fetchOnce(vip, port)).rejects.toThrow();
    expect((await amphora.push(loadBalancer, 3, textOf([server('m1')]))).json['method']).toBe('reload');
    expect(await answering(2)).toEqual(['m1']);
    const { master } = amphora.haproxyPids(loadBalancer);
    for (const _ of [1, 2]) {
      expect((await amphora.call('DELETE', `/1.0/loadbalancer/${loadBalancer}`)).status).toBe(200);
    }
    expect(() => process.kill(master, 0)).toThrow();
    expect((await amphora.call('GET', `/1.0/loadbalancer/${loadBalancer}/haproxy`)).status).toBe(404);
    await serve();
  });
});

describe('who may speak', () => {
  test('refuses clients without a certificate or with another name', async () => {
    const amphoraPair = await authority.issue(randomUUID());
    expect((await amphora.call('GET', '/1.0/info', '', {}, amphoraPair)).status).toBe(403);
    await expect(amphora.call('GET', '/1.0/info', '', {}, {})).rejects.toThrow();
    expect((await amphora.call('GET', '/')).json).toEqual({ api_version: '1.0' });
    expect((await amphora.call('GET', '/1.0/unknown')).status).toBe(404);
    expect((await amphora.call('PUT', `/1.0/loadbalancer/..%2f..%2fetc/${loadBalancer}/haproxy`)).status).toBe(404);
  });
});

describe('processes', () => {
  test('starts a killed HAProxy again at once', async () => {
    await serve();
    const killedAt = Date.now();
    process.kill(amphora.haproxyPids(loadBalancer).master, 'SIGKILL');
    await sleep(20);
    await until('HAProxy serves again', () => fetchOnce(vip, port));
    const masterBackMs = Date.now() - killedAt;
    const [worker] = workers();
    process.kill(worker!, 'SIGKILL');
    await until('a new worker serves', async () => workers()[0] !== worker && (await fetchOnce(vip, port)));
    console.log(
      `back after kill -9 of the master: ${masterBackMs} ms; worker: ${Date.now() - killedAt - masterBackMs} ms`,
    );
    expect(Date.now() - killedAt).toBeLessThan(2_000);
  });

  test('keeps serving when the agent is killed, and the next agent adopts the process', async () => {
    await serve([server('m1'), server('m2')]);
    const before = amphora.haproxyPids(loadBalancer);
    const load = startLoad(vip, port);
    await amphora.kill('SIGKILL');
    await sleep(200);
    await amphora.start();
    const pushed = await amphora.push(loadBalancer, 2, textOf([server('m1')]));
    expect(pushed.json['method']).toBe('runtime');
    expect((await load.stop()).failures).toEqual([]);
    expect(amphora.haproxyPids(loadBalancer)).toEqual(before);
    expect(await answering()).toEqual(['m1']);
    process.kill(before.master, 'SIGKILL');
    await until(
      'an adopted HAProxy is started again',
      async () => workers().length > 0 && (await fetchOnce(vip, port)),
    );
  });

  test('leaves no process behind when told to end, and none when its standard input ends', async () => {
    await serve();
    const { master, workers: children } = amphora.haproxyPids(loadBalancer);
    await amphora.kill('SIGTERM');
    for (const pid of [master, ...children]) expect(() => process.kill(pid, 0)).toThrow();
    const second = await TestAmphora.boot(queue, { ends_with_stdin: true });
    await second.push(loadBalancer, 1, textOf([server('m1')]));
    await second.plug(loadBalancer, vip);
    const pids = second.haproxyPids(loadBalancer);
    const ended = new Promise((done) => second.process.once('exit', done));
    second.process.stdin!.end();
    await ended;
    for (const pid of [pids.master, ...pids.workers]) expect(() => process.kill(pid, 0)).toThrow();
    await second.remove();
  });
});

describe('heartbeats', () => {
  const backend = `${pool}:${listener}`;

  test('come from a spare, and at once after a configuration', async () => {
    const spare = await until('a heartbeat of the spare', () => queue.last);
    expect(spare).toMatchObject({ id: amphora.id, ver: 3, seq: 0, load_balancer_id: null, listeners: {}, pools: {} });
    await serve([server('m1'), server('m2', 'weight 0'), server('m3', 'disabled')]);
    const servedAt = Date.now();
    const beat = await until('the listener is reported', () =>
      queue.heartbeats.find((each) => each.listeners[listener]),
    );
    expect(beat.received_at - servedAt).toBeLessThan(600);
    expect(beat).toMatchObject({ load_balancer_id: loadBalancer, generation: 1 });
    expect(beat.listeners[listener]!.status).toBe('OPEN');
    const states = { [ids.m1]: 'UP', [ids.m2]: 'DRAIN', [ids.m3]: 'MAINT' };
    await until('states', () => JSON.stringify(queue.last?.pools[backend]?.members) === JSON.stringify(states));
    expect(queue.last?.pools[backend]?.status).toBe('UP');
  });

  test('carry each request once, over a reload, a lost queue and a restart of the agent', async () => {
    await serve();
    const agent = new HttpAgent({ keepAlive: true });
    for (let index = 0; index < 20; index++) await fetchOnce(vip, port, agent);
    for (let index = 0; index < 10; index++) await fetchOnce(vip, port);
    await sleep(300);
    queue.isAway = true;
    await amphora.push(loadBalancer, 2, textOf([server('m1')], { listener: '  timeout http-keep-alive 3s' }));
    for (let index = 0; index < 10; index++) await fetchOnce(vip, port);
    await sleep(1_200);
    queue.isAway = false;
    const reported = () => {
      return Math.max(...queue.heartbeats.map((each) => each.listeners[listener]?.stats.totconns ?? 0));
    };
    await until('21 connections are reported', () => reported() >= 21);
    await amphora.kill('SIGKILL');
    for (let index = 0; index < 5; index++) await fetchOnce(vip, port);
    await amphora.start();
    await until('all connections are reported', () => reported() >= 26);
    await sleep(1_200);
    agent.destroy();
    const bytes = queue.heartbeats.flatMap((each) => each.listeners[listener]?.stats.tx ?? []);
    const answer = 'HTTP/1.1 200 OK';
    expect(reported()).toBe(26);
    expect(Math.max(...bytes)).toBeGreaterThan(45 * answer.length);
    expect(bytes).toEqual(bytes.toSorted((a, b) => a - b));
    expect(new Set(queue.heartbeats.filter((each) => each.id === amphora.id).map((each) => each.boot)).size).toBe(2);
  }, 15_000);

  test('go on while a configuration takes long, also when a removed member still has connections', async () => {
    await amphora.remove();
    const directory = mkdtempSync(join(tmpdir(), 'slow-haproxy-'));
    const [haproxy_path, slow] = [join(directory, 'haproxy'), join(directory, 'slow')];
    const waits = `[ "$1" = -c ] && [ -e ${slow} ] && sleep 4`;
    writeFileSync(haproxy_path, `#!/bin/sh\n${waits}\nexec /usr/sbin/haproxy "$@"\n`, { mode: 0o755 });
    amphora = await TestAmphora.boot(queue, { haproxy_path });
    await serve([server('m1'), server('m2')]);
    const open = Array.from({ length: 4 }, () => connect({ host: vip, port }).on('error', () => {}));
    for (const socket of open) socket.write('GET /slow HTTP/1.1\r\nhost: lb\r\n\r\n');
    await sleep(100);
    await amphora.push(loadBalancer, 2, textOf([server('m1')]));
    writeFileSync(slow, '');
    const from = Date.now();
    await amphora.push(loadBalancer, 3, textOf([server('m1')], { listener: '  timeout http-keep-alive 3s' }));
    const told = queue.heartbeats.map(({ received_at }) => received_at).filter((at) => at > from && at < from + 4_000);
    expect(told.length).toBeGreaterThanOrEqual(2);
    for (const socket of open) socket.destroy();
    rmSync(directory, { recursive: true });
  }, 20_000);

  test('tell at once that a member is down', async () => {
    const doomed = await startMember('doomed');
    const id = randomUUID();
    await serve([server('m1'), `  server ${id} 127.0.0.1:${doomed.port} weight 1 check inter 100 rise 1 fall 1`]);
    await until('it is up', () => queue.last?.pools[backend]?.members[id] === 'UP');
    const stoppedAt = Date.now();
    doomed.stop();
    const beat = await until('it is reported', () => {
      return queue.heartbeats.find((each) => each.pools[backend]?.members[id] === 'DOWN');
    });
    expect(beat.received_at - stoppedAt).toBeLessThan(900);
    expect(amphora.file(join(loadBalancer, 'haproxy.cfg'))).toContain(id);
  });
});
