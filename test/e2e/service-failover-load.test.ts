// A failover that an administrator asks for, of amphorae that are well, under load: what clients see of it.
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventually, report } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import { isRunning, processesOf, sendSignal } from '../support/processes.ts';
import { Load, request, TestMember } from '../support/traffic.ts';
import { Tunnel } from '../support/tunnels.ts';
import { createWeb, listenerPort } from '../support/web-load-balancer.ts';

test.each(['SINGLE', 'ACTIVE_STANDBY'])(
  'serves on over a failover of a load balancer with topology %s',
  async (topology) => {
    await using service = await LocalService.start({ args: ['--topology', topology] });
    using member = await TestMember.start('member');
    const web = await createWeb(service, [member]);
    const before = service.amphoraeWith(web.id);
    const load = new Load(web.vip, listenerPort);
    await service.api.failover(web.id);
    await service.api.active(web.id);
    const seen = await load.stop();
    process.stdout.write(`  failover of ${topology}: ${seen.failures.length} of ${seen.requests} requests failed\n`);
    report(`failover of ${topology}: longest pause between two answers`, seen.longestGapMs);
    expect(seen.failures).toEqual([]);
    expect(seen.requests).toBeGreaterThan(100);
    expect(await request(web.vip, listenerPort)).toBe('member');
    expect(service.amphoraeWith(web.id).filter((id) => before.includes(id))).toEqual([]);
  },
);

test('lets a WebSocket end that the old amphora has, and takes new ones with the new amphora meanwhile', async () => {
  await using service = await LocalService.start();
  using member = await TestMember.start('member');
  const web = await createWeb(service, [member]);
  const old = await service.amphora(web.id);
  using tunnel = await Tunnel.open(web.vip, listenerPort);
  await service.api.failover(web.id);
  await eventually('the old amphora has left', async () => {
    await tunnel.say('on the way');
    return JSON.parse(readFileSync(`${old.directory}/run/vip.json`, 'utf8')).has_left === true;
  });
  for (let said = 0; said < 20; said += 1) {
    await tunnel.say('to the old one');
    expect(await request(web.vip, listenerPort)).toBe('member');
    await sleep(20);
  }
  expect(existsSync(old.directory)).toBe(true);
  tunnel[Symbol.dispose]();
  await service.api.active(web.id);
  expect(existsSync(old.directory)).toBe(false);
});

test('does not wait for an old amphora that hangs: it is fenced', async () => {
  await using service = await LocalService.start();
  using member = await TestMember.start('member');
  await service.spare();
  const web = await createWeb(service, [member]);
  const old = await service.amphora(web.id);
  const hung = processesOf(old.directory).map(({ pid }) => pid);
  for (const pid of hung) sendSignal(pid, 'SIGSTOP');
  const since = performance.now();
  await service.api.failover(web.id);
  await service.api.active(web.id);
  report('failover of an amphora that hangs -> ACTIVE', performance.now() - since);
  expect(hung.filter(isRunning)).toEqual([]);
  expect(await request(web.vip, listenerPort)).toBe('member');
});
