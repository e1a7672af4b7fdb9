// The service as a user meets it on the command line: what it says when it starts, what it refuses, and what it leaves when it ends.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { eventually, report } from '../support/eventually.ts';
import { LocalService, runLocal, type ServiceOptions } from '../support/local-service.ts';

const running: LocalService[] = [];
const start = async (options?: ServiceOptions): Promise<LocalService> => {
  const service = await LocalService.start(options);
  running.push(service);
  return service;
};
afterEach(async () => {
  for (const service of running.splice(0)) await service[Symbol.asyncDispose]();
});
const noop = ['--compute', 'noop', '--network', 'noop'];

test('says where it is and who may come in, and writes clouds.yaml for the owner alone', async () => {
  const service = await start({ args: noop });
  report('spawned -> ready, first start', service.readyAfterMs);
  const { ready } = service;
  expect(ready).toMatchObject({ event: 'ready', username: 'admin', project_name: 'admin' });
  expect(ready.endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(ready.auth_url).toBe(`${ready.endpoint}/identity/v3`);
  for (const name of ['password', 'project_id', 'network_id', 'subnet_id']) expect(ready).toHaveProperty(name);
  expect(service.lines[0]).toMatchObject({ event: 'ready' });

  const file = join(service.state, 'clouds.yaml');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).toContain(JSON.stringify(ready.auth_url));
  expect(readFileSync(file, 'utf8')).toContain(JSON.stringify(ready.password));
});

test('refuses a state directory another service works on, and goes on serving', async () => {
  const service = await start({ args: noop });
  const second = await runLocal('main.ts', service.args());
  expect(second.code).toBe(1);
  expect(second.stderr).toContain(`${service.state} is in use by the service at ${service.ready.endpoint}`);
  expect(second.stderr).not.toContain('    at ');
  expect(await service.api.list('loadbalancers')).toEqual([]);
});

test('names a port that is taken, and leaves the state directory free', async () => {
  const service = await start({ args: noop });
  const port = new URL(service.ready.endpoint).port;
  const other = join(service.temporary, 'other');
  const second = await runLocal('main.ts', ['--port', port, '--state', other, '--json', ...noop]);
  expect(second.code).toBe(1);
  expect(second.stderr).toContain(`Port ${port} is in use`);
  expect(second.stderr).not.toContain('    at ');
  const stopped = await runLocal('stop.ts', ['--state', other]);
  expect(stopped.stdout).toContain('No service is running.');
});

test('refuses an option it does not know, and a value that cannot be', async () => {
  const unknown = await runLocal('main.ts', ['--colour', 'blue']);
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toContain("'--colour'");
  expect(unknown.stderr).not.toContain('    at ');
  const wrong = await runLocal('main.ts', ['--heartbeat-timeout-ms', 'soon']);
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toContain('expected a number, not "soon"');
  expect(wrong.stderr).not.toContain('    at ');
});

test('refuses a format of the traffic log that HAProxy does not take', async () => {
  const unknown = await runLocal('main.ts', ['--user-log-format', '{{ lb_id }} %nonsense']);
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toMatch(/--user-log-format: HAProxy does not take it: .*nonsense/);
  expect(unknown.stderr).not.toContain('    at ');
  const lines = await runLocal('main.ts', ['--user-log-format', '%ci\n%cp']);
  expect(lines.stderr).toContain('--user-log-format: text with a line break');
});

test('names its options when asked, and starts nothing', async () => {
  const { code, stdout, stderr } = await runLocal('main.ts', ['--help']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  for (const option of ['--port', '--state', '--ephemeral', '--heartbeat-timeout-ms']) expect(stdout).toContain(option);
});

test('leaves no process after Ctrl-C, and serves the same load balancers when it is started again', async () => {
  const service = await start();
  const { id } = await service.api.createLoadBalancer({ name: 'kept' });
  await service.api.active(id);
  expect(service.processes().map(({ kind }) => kind)).toContain('agent');
  await service.interrupt();
  expect(service.processes()).toEqual([]);
  await service.restart();
  report('spawned -> ready, with an amphora to start again', service.readyAfterMs);
  expect((await service.api.active(id)).name).toBe('kept');
  await eventually('the agent is back', () => service.processes().some(({ kind }) => kind === 'agent'));
});

test('is stopped from another terminal, also when a kill -9 has left its amphorae behind', async () => {
  const service = await start();
  const { id } = await service.api.createLoadBalancer({ listeners: [{ protocol: 'HTTP', protocol_port: 8080 }] });
  await service.api.active(id);
  await service.kill();
  expect(service.processes().map(({ kind }) => kind)).toEqual(expect.arrayContaining(['agent', 'haproxy']));
  const stopped = await runLocal('stop.ts', ['--state', service.state]);
  expect(stopped).toMatchObject({ code: 0, stderr: '' });
  expect(service.processes()).toEqual([]);

  await service.restart();
  await runLocal('stop.ts', ['--state', service.state]);
  expect(service.processes()).toEqual([]);
});

test('keeps nothing when it is ephemeral', async () => {
  const service = await start({ args: ['--ephemeral'] });
  const states = () => readdirSync(service.temporary).filter((name) => name.startsWith('octavia-'));
  const { id } = await service.api.createLoadBalancer({ listeners: [{ protocol: 'HTTP', protocol_port: 8080 }] });
  await service.api.active(id);
  expect(states()).toHaveLength(1);
  const before = service.processes().map(({ pid }) => pid);
  expect(before.length).toBeGreaterThan(3);
  await service.kill();
  // Nobody tells the amphorae: they notice.
  await eventually('the amphorae of a killed service end by themselves', () => service.processes().length === 0);

  await service.restart();
  expect(await service.api.list('loadbalancers')).toEqual([]);
  await service.interrupt();
  expect(service.processes()).toEqual([]);
  // What the kill -9 left; the one that ended in order has taken its own away.
  expect(states()).toHaveLength(1);
  expect(existsSync(service.state)).toBe(false);
});

test('leaves no directory when it is ephemeral and cannot start', async () => {
  const service = await start({ args: noop });
  const { port } = new URL(service.ready.endpoint);
  const before = readdirSync(service.temporary);
  const args = ['--port', port, '--ephemeral', ...noop];
  const second = await runLocal('main.ts', args, { temporary: service.temporary });
  expect(second.stderr).toContain(`Port ${port} is in use`);
  expect(readdirSync(service.temporary)).toEqual(before);
});

test('runs the control plane alone with noop drivers', async () => {
  const service = await start({ args: noop });
  const pool = {
    name: 'p',
    protocol: 'HTTP',
    lb_algorithm: 'ROUND_ROBIN',
    members: [{ address: '192.0.2.1', protocol_port: 80 }],
  };
  const { id } = await service.api.createLoadBalancer({
    listeners: [{ protocol: 'HTTP', protocol_port: 80, default_pool: pool }],
  });
  const shown = await service.api.active(id);
  await service.api.create(`pools/${shown.pools[0]!.id}/members`, { address: '192.0.2.2', protocol_port: 80 });
  await service.api.active(id);
  await service.api.failover(id);
  await service.api.active(id);
  expect(service.processes().map(({ kind }) => kind)).toEqual(['service']);
  await service.api.delete('loadbalancers', `${id}?cascade=true`);
  await service.api.gone('loadbalancers', id);
});

test('accepts writes while it is paused, and does them when it is started without a pause', async () => {
  const service = await start({ args: noop });
  await service.interrupt();
  await service.restart(['--pause']);
  const { id } = await service.api.createLoadBalancer({ listeners: [{ protocol: 'HTTP', protocol_port: 80 }] });
  const pool = await service.api.create('pools', {
    loadbalancer_id: id,
    protocol: 'HTTP',
    lb_algorithm: 'ROUND_ROBIN',
  });
  expect((await service.api.show('loadbalancers', id)).provisioning_status).toBe('PENDING_CREATE');
  await service.interrupt();
  await service.restart();
  await service.api.active(id);
  expect((await service.api.show('pools', pool.id)).provisioning_status).toBe('ACTIVE');
});
