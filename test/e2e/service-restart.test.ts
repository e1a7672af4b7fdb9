// The service may be killed at any point: the data plane serves on, and the next start goes on with what was left.

import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, report } from '../support/eventually.ts';
import { LocalService, runLocal } from '../support/local-service.ts';
import { processesOf, sendSignal } from '../support/processes.ts';
import { answersFrom, Load, request, TestMember } from '../support/traffic.ts';
import { createWeb, listenerPort, type WebLoadBalancer, webGraph } from '../support/web-load-balancer.ts';

let service: LocalService;
let one: TestMember;
let two: TestMember;
let web: WebLoadBalancer;
beforeAll(async () => {
  service = await LocalService.start();
  one = await TestMember.start('one');
  two = await TestMember.start('two');
  web = await createWeb(service, [one]);
  await service.spare();
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  for (const member of [one, two]) member?.[Symbol.dispose]();
});

const members = () => `pools/${web.poolId}/members`;
const dataPlane = () =>
  service
    .processes()
    .filter(({ kind }) => kind !== 'service')
    .map(({ pid }) => pid)
    .toSorted((a, b) => a - b);
const serves = (names: string[]) =>
  eventually(`${names} serve`, async () => {
    const seen = await answersFrom(web.vip, listenerPort, 6);
    return seen.size === names.length && names.every((name) => seen.has(name));
  });

test('serves on without the service, whose next start takes the same amphorae over', async () => {
  await eventually('the spare is done', async () => (await service.spares()).length === 1);
  const before = dataPlane();
  const load = new Load(web.vip, listenerPort);
  await service.kill();
  expect(dataPlane()).toEqual(before);
  await answersFrom(web.vip, listenerPort, 50);
  await service.restart();
  report('killed -> ready again', service.readyAfterMs);
  // Longer than silence is borne: heartbeats are heard again, or there would be a failover.
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const { failures, closedIdle, longestGapMs } = await load.stop();
  expect({ failures, closedIdle }).toEqual({ failures: [], closedIdle: 0 });
  report('longest pause between two answers meanwhile', longestGapMs);
  expect(dataPlane()).toEqual(before);
  await service.api.active(web.id);
});

test('brings into force what was accepted right before the kill', async () => {
  const added = await service.api.create(members(), two.attributes);
  await service.kill();
  await service.restart();
  await serves(['one', 'two']);
  await service.api.becomes(members(), added.id, 'ACTIVE');
  await service.api.delete(members(), added.id);
  await service.kill();
  await service.restart();
  await service.api.gone(members(), added.id);
  await service.api.active(web.id);
  await serves(['one']);
});

test('notices what died while nobody watched', async () => {
  const old = await service.amphora(web.id);
  await service.kill();
  for (const { pid } of processesOf(old.directory)) sendSignal(pid, 'SIGKILL');
  await expect(request(web.vip, listenerPort)).rejects.toThrow(/ECONNREFUSED|ECONNRESET/);
  await service.restart();
  const since = performance.now();
  await serves(['one']);
  report('amphora died without the service; ready again -> served', performance.now() - since);
  await service.api.active(web.id);
});

test('fails over after a restart as before it', async () => {
  await service.spare();
  const old = await service.amphora(web.id);
  for (const { pid } of processesOf(old.directory)) sendSignal(pid, 'SIGKILL');
  await serves(['one']);
  await eventually('the old amphora is gone', () => !existsSync(old.directory));
  await service.api.active(web.id);
});

test('serves everything again after all was killed, and ends what was unfinished', async () => {
  const other = await service.api.createLoadBalancer(webGraph([two], { name: 'unfinished' }));
  const added = await service.api.create(members(), two.attributes);
  await service.killAll();
  expect(service.processes()).toEqual([]);
  await service.restart();
  const since = performance.now();
  await serves(['one', 'two']);
  report('all killed; ready again -> served', performance.now() - since);
  await service.api.becomes(members(), added.id, 'ACTIVE');
  const { vip_address } = await service.api.active(other.id);
  report('all killed; ready again -> unfinished create ACTIVE', performance.now() - since);
  expect(await answersFrom(vip_address, listenerPort, 3)).toEqual(new Set(['two']));
});

test('goes on with a failover and a deletion it was killed in', async () => {
  const other = (await service.api.list('loadbalancers')).find(({ name }) => name === 'unfinished')!;
  const old = await service.amphora(web.id);
  await service.api.failover(web.id);
  await service.api.delete('loadbalancers', `${other.id}?cascade=true`);
  await eventually('work is under way', () =>
    service.lines.some(({ event, resource_id }) => event === 'failover_started' && resource_id === web.id),
  );
  await service.kill();
  await service.restart();
  await service.api.active(web.id);
  await service.api.gone('loadbalancers', other.id);
  await eventually('the old amphora is gone', () => !existsSync(old.directory));
  expect((await service.amphora(web.id)).id).not.toBe(old.id);
  await serves(['one', 'two']);
  await eventually('nobody is left of the other', () => service.amphorae(other.id).length === 0);
});

test('finishes what was accepted though the message about it was lost', async () => {
  await service.interrupt();
  await service.restart(['--pause']);
  const { id } = await service.api.createLoadBalancer(webGraph([one], { name: 'unheard of' }));
  await service.kill();
  rmSync(join(service.state, 'queues'), { recursive: true });
  await service.restart();
  const since = performance.now();
  const { vip_address } = await service.api.active(id);
  report('message lost; ready again -> ACTIVE', performance.now() - since);
  expect(await request(vip_address, listenerPort)).toBe('one');
});

test('leaves no process when it is interrupted while it starts', async () => {
  await service.interrupt();
  const interruptWhen = () => service.processes().some(({ kind }) => kind === 'agent');
  await runLocal('main.ts', service.args(), { interruptWhen });
  expect(service.processes()).toEqual([]);
});

test('starts no amphora when its port is taken', async () => {
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  const { port } = squatter.address() as { port: number };
  const refused = await runLocal('main.ts', [...service.args(), '--port', String(port)]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(`Port ${port} is in use`);
  expect(service.processes()).toEqual([]);
  squatter.close();
});

test('says so when the port its amphorae report to is taken', async () => {
  const { queue } = JSON.parse(readFileSync(join(service.state, 'ports.json'), 'utf8')) as { queue: number };
  const squatter = createServer().listen(queue, '127.0.0.1');
  await once(squatter, 'listening');
  const refused = await runLocal('main.ts', service.args());
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(`Port ${queue}`);
  expect(refused.stderr).not.toContain('    at ');
  expect(service.processes()).toEqual([]);
  squatter.close();
  await once(squatter, 'close');
  await service.restart();
  await eventually('the VIP serves', () => request(web.vip, listenerPort));
});
