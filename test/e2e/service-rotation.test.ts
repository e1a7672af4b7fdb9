// Certificates, authorities and keys that last for seconds: they are renewed in the amphorae that are there, and traffic goes on.
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { readAllAmphorae, readAmphora } from '../../lambdas/repositories/amphorae.ts';
import { eventually } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import { sendSignal } from '../support/processes.ts';
import { Load, request, TestMember } from '../support/traffic.ts';
import { createWeb, listenerPort, type WebLoadBalancer } from '../support/web-load-balancer.ts';

const lifetimes = {
  'certificate-validity-ms': 120_000,
  'certificate-expiry-buffer-ms': 60_000,
  'certificate-replacement-buffer-ms': 5_000,
  'authority-validity-ms': 600_000,
  'authority-renewal-ms': 597_000,
  'authority-overlap-ms': 1_000,
  'heartbeat-key-max-age-ms': 4_000,
  'heartbeat-key-overlap-ms': 4_000,
  'reconcile-interval-ms': 300,
};

let service: LocalService;
let member: TestMember;
let web: WebLoadBalancer;
let table: SqliteTable;
beforeAll(async () => {
  service = await LocalService.start({
    args: Object.entries(lifetimes).flatMap(([name, value]) => [`--${name}`, String(value)]),
  });
  member = await TestMember.start('member');
  await service.spare();
  web = await createWeb(service, [member]);
  await service.spare();
  table = new SqliteTable({ path: `${service.state}/table.sqlite` });
});
afterAll(async () => {
  await table.close();
  await service[Symbol.asyncDispose]();
  member[Symbol.dispose]();
});

const told = (event: string) => service.lines.filter((line) => line['event'] === event);
const since = (event: string, before: number) => told(event).length - before;
const identity = (id: string, name: string) => `${service.state}/amphorae/${id}/run/identity/${name}`;
const certificateOf = (id: string) => new X509Certificate(readFileSync(identity(id, 'server.pem')));

/** A connection of a client that stays for the whole time. */
async function heldConnection() {
  const socket = connect(listenerPort, web.vip);
  let answers = '';
  socket.setEncoding('utf8').on('data', (text) => {
    answers += text;
  });
  const ask = async () => {
    const before = answers.split('HTTP/1.1 200').length;
    socket.write('GET / HTTP/1.1\r\nhost: web\r\n\r\n');
    await eventually('the held connection answers', () => answers.split('HTTP/1.1 200').length > before);
  };
  await ask();
  return { ask, end: () => socket.destroy() };
}

test('renews authority, certificates and heartbeat keys several times under traffic, and replaces nobody', async () => {
  const amphora = await service.amphora(web.id);
  const before = (await readAllAmphorae(table)).map(({ id }) => id).toSorted();
  const beats = (await readAmphora(table, amphora.id))!.heartbeat_key_version ?? 0;
  const load = new Load(web.vip, listenerPort);
  const held = await heldConnection();
  const cycles = told('authority_retired').length;
  const shown = new Set<string>();
  await eventually('the authority has been replaced three times', async () => {
    if (existsSync(identity(amphora.id, 'server.pem'))) shown.add(certificateOf(amphora.id).serialNumber);
    await held.ask();
    await sleep(50);
    return since('authority_retired', cycles) >= 3;
  });
  await eventually('the heartbeat key has been replaced three times', async () => {
    await held.ask();
    return ((await readAmphora(table, amphora.id))!.heartbeat_key_version ?? 0) >= beats + 3;
  });
  held.end();
  const { requests, failures } = await load.stop();
  console.log(
    `rotation: ${shown.size} certificates, ${since('authority_retired', cycles)} authorities, ${requests} requests`,
  );
  expect({ failures, silent: told('failover_started') }).toEqual({ failures: [], silent: [] });
  expect(requests).toBeGreaterThan(500);
  expect(shown.size).toBeGreaterThanOrEqual(3);
  const after = (await readAllAmphorae(table)).map(({ id }) => id).toSorted();
  expect(after).toEqual(before);
  expect(await service.amphora(web.id)).toEqual(amphora);
  const dropped = told('log').filter(({ message }) => message === 'heartbeat with a wrong signature dropped');
  expect(dropped).toEqual([]);
});

test('tells administrators when the certificate ends and that it is renewed, and nobody a key', async () => {
  const amphora = await service.amphora(web.id);
  const busy = await eventually('one is being renewed', async () => {
    const { amphorae } = (await service.api.call('GET', '/v2.0/octavia/amphorae')) as {
      amphorae: { id: string; cert_busy: boolean; cert_expiration: string }[];
    };
    return amphorae.find(({ cert_busy }) => cert_busy);
  });
  expect(busy.cert_expiration).toMatch(/^\d{4}-\d\d-\d\dT/);
  const files = ['table.sqlite', 'executions.sqlite', 'table.sqlite-wal', 'executions.sqlite-wal'].map(
    (name) => `${service.state}/${name}`,
  );
  const key = JSON.parse(readFileSync(identity(amphora.id, 'heartbeat-key.json'), 'utf8')).heartbeat_key as string;
  for (const file of files.filter((one) => existsSync(one))) {
    const text = readFileSync(file, 'latin1');
    expect(text.includes('PRIVATE KEY'), file).toBe(false);
    expect(text.includes(key), file).toBe(false);
  }
  expect(JSON.stringify(service.lines)).not.toContain('PRIVATE KEY');
  expect(JSON.stringify(service.lines)).not.toContain(key);
});

const rotations = (id: string) => told('certificate_rotated').filter(({ resource_id }) => resource_id === id).length;

/** The same amphora serves, and its turn comes again. */
async function goesOn(id: string): Promise<void> {
  await eventually('it serves', () => request(web.vip, listenerPort));
  expect((await service.amphora(web.id)).id).toBe(id);
  const seen = rotations(id);
  await eventually('it is renewed again', () => rotations(id) > seen);
}

const phases = ['certificate_rotated', 'authority_introduced', 'authority_signing', 'authority_retired'];

test('goes on with an agent that was away for a while, whatever was renewed meanwhile', async () => {
  for (const event of phases) {
    const { id, agent } = await service.amphora(web.id);
    const seen = told(event).length;
    await eventually(`${event} is told`, () => told(event).length > seen);
    sendSignal(agent, 'SIGSTOP');
    await sleep(600);
    sendSignal(agent, 'SIGCONT');
    await goesOn(id);
  }
});

test('goes on after a kill of service and agent in the middle of it, with the same amphora and HAProxy', async () => {
  for (const event of phases) {
    const { id, agent, haproxy } = await service.amphora(web.id);
    const seen = told(event).length;
    await eventually(`${event} is told`, () => told(event).length > seen);
    await service.kill();
    sendSignal(agent, 'SIGKILL');
    await service.restart();
    await goesOn(id);
    expect((await service.amphora(web.id)).haproxy).toBe(haproxy);
  }
  expect((await service.api.show('loadbalancers', web.id)).provisioning_status).toBe('ACTIVE');
});
