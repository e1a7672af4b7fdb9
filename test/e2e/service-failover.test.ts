// Failover on one machine: whatever is killed or stopped, traffic comes back, the old amphora is fenced and nothing of it is left.
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, report } from '../support/eventually.ts';
import { type AmphoraOnDisk, LocalService } from '../support/local-service.ts';
import { isRunning, processesOf, sendSignal } from '../support/processes.ts';
import { answersFrom, Load, request, TestMember } from '../support/traffic.ts';
import { createWeb, listenerPort, type WebLoadBalancer } from '../support/web-load-balancer.ts';

let service: LocalService;
let member: TestMember;
let web: WebLoadBalancer;
beforeAll(async () => {
  service = await LocalService.start();
  member = await TestMember.start('member');
  await service.spare();
  web = await createWeb(service, [member]);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  member[Symbol.dispose]();
});

const serves = () => eventually('the VIP serves', () => request(web.vip, listenerPort));
const everything = (amphora: AmphoraOnDisk) => processesOf(amphora.directory).map(({ pid }) => pid);

/** Nothing of an amphora that was replaced is left, and the new one serves alone. */
async function isReplaced(old: AmphoraOnDisk): Promise<AmphoraOnDisk> {
  await eventually('the old amphora is gone', () => !existsSync(old.directory) && everything(old).length === 0);
  await service.api.active(web.id);
  const now = await service.amphora(web.id);
  expect(now.id).not.toBe(old.id);
  expect(await answersFrom(web.vip, listenerPort, 5)).toEqual(new Set(['member']));
  return now;
}

test('serves again when HAProxy alone is killed, from the same amphora', async () => {
  const before = await service.amphora(web.id);
  sendSignal(before.haproxy, 'SIGKILL');
  const since = performance.now();
  await eventually('another HAProxy runs', () => service.amphorae(web.id)[0]?.haproxy !== before.haproxy);
  await serves();
  report('HAProxy killed -> served again', performance.now() - since);
  const after = await service.amphora(web.id);
  expect({ id: after.id, agent: after.agent }).toEqual({ id: before.id, agent: before.agent });
  expect((await service.api.show('loadbalancers', web.id)).provisioning_status).toBe('ACTIVE');
});

test('fails over when agent and HAProxy are killed, and goes on counting', async () => {
  await service.spare();
  await answersFrom(web.vip, listenerPort, 20);
  const counted = await eventually('the traffic is counted', async () => {
    const { total_connections } = await service.api.statistics(web.id);
    return total_connections >= 20 ? total_connections : undefined;
  });
  const old = await service.amphora(web.id);
  for (const pid of everything(old)) sendSignal(pid, 'SIGKILL');
  const since = performance.now();
  await serves();
  report('amphora killed, with a spare -> served again', performance.now() - since);
  await isReplaced(old);
  expect((await service.api.statistics(web.id)).total_connections).toBeGreaterThanOrEqual(counted);
});

test('fails over when only the agent is killed, so that no HAProxy is left without one', async () => {
  await service.spare();
  const old = await service.amphora(web.id);
  sendSignal(old.agent, 'SIGKILL');
  await isReplaced(old);
});

test('fails over an amphora that hangs, and ends it before another has its VIP', async () => {
  await service.spare();
  const old = await service.amphora(web.id);
  const hung = everything(old);
  expect(hung.length).toBeGreaterThanOrEqual(3);
  for (const pid of hung) sendSignal(pid, 'SIGSTOP');
  const since = performance.now();
  await eventually('another amphora serves', async () => {
    const answer = await request(web.vip, listenerPort).catch(() => undefined);
    // Whoever serves the VIP now, it is not one of these.
    if (answer !== undefined) expect(hung.filter(isRunning)).toEqual([]);
    return answer;
  });
  report('amphora hangs, with a spare -> served again', performance.now() - since);
  await isReplaced(old);
});

test('fails over an amphora that serves but is not heard, and ends its HAProxy before another has its VIP', async () => {
  await service.spare();
  const old = await service.amphora(web.id);
  const before = everything(old);
  sendSignal(old.agent, 'SIGSTOP');
  const load = new Load(web.vip, listenerPort);
  await isReplaced(old);
  report('amphora not heard: longest pause between two answers', (await load.stop()).longestGapMs);
  expect(before.filter(isRunning)).toEqual([]);
});

test('replaces the amphora when an administrator asks for a failover', async () => {
  await service.spare();
  const old = await service.amphora(web.id);
  const since = performance.now();
  await service.api.failover(web.id);
  await service.api.active(web.id);
  report('failover asked for -> ACTIVE', performance.now() - since);
  await isReplaced(old);
  for (const event of ['failover_started', 'failover_completed']) {
    expect(service.lines.some((line) => line['event'] === event && line['resource_id'] === web.id)).toBe(true);
  }
});

test('takes changes that are written while a failover is under way', async () => {
  using second = await TestMember.start('second');
  await service.spare();
  const old = await service.amphora(web.id);
  await service.api.failover(web.id);
  const { id } = await service.api.create(`pools/${web.poolId}/members`, second.attributes);
  await service.api.active(web.id);
  expect(await answersFrom(web.vip, listenerPort, 6)).toEqual(new Set(['member', 'second']));
  await service.api.delete(`pools/${web.poolId}/members`, id);
  await service.api.gone(`pools/${web.poolId}/members`, id);
  await isReplaced(old);
});

test('replaces a spare that is killed', async () => {
  const spare = await service.spare();
  for (const { pid } of processesOf(`${service.state}/amphorae/${spare}`)) sendSignal(pid, 'SIGKILL');
  await eventually('another spare is ready', async () => {
    const spares = await service.spares();
    return spares.length > 0 && !spares.includes(spare);
  });
  await eventually('the killed one is swept', () => !service.amphoraIds().includes(spare));
});

test('leaves no amphora and no process behind when the load balancer is deleted', async () => {
  const { directory } = await service.amphora(web.id);
  await service.api.delete('loadbalancers', `${web.id}?cascade=true`);
  await service.api.gone('loadbalancers', web.id);
  await eventually('its amphora is gone', () => !existsSync(directory) && processesOf(directory).length === 0);
  await expect(request(web.vip, listenerPort)).rejects.toThrow(/ECONNREFUSED|ECONNRESET/);
  expect(service.processes().filter(({ kind }) => kind === 'haproxy')).toEqual([]);
});
