// A pair whose amphora with the VIP stands still: the other one notices, and has the VIP before the heartbeats are given up.
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, median, report } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import { processesOf, sendSignal } from '../support/processes.ts';
import { request, TestMember } from '../support/traffic.ts';
import { createWeb, listenerPort, type WebLoadBalancer } from '../support/web-load-balancer.ts';

let service: LocalService;
let member: TestMember;
let web: WebLoadBalancer;
beforeAll(async () => {
  service = await LocalService.start({ args: ['--topology', 'ACTIVE_STANDBY'] });
  member = await TestMember.start('member');
  web = await createWeb(service, [member]);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  member[Symbol.dispose]();
});

const directoryOf = (amphora: string) => `${service.state}/amphorae/${amphora}`;
const holdsVip = (amphora: string) => existsSync(`${directoryOf(amphora)}/run/vip.json`);
const wholePair = () =>
  eventually('there is a pair, of which one has the VIP', async () => {
    const ids = service.amphoraeWith(web.id);
    return ids.length === 2 && ids.filter(holdsVip).length === 1 ? ids : undefined;
  });

/** @returns milliseconds until the VIP answers again */
async function outage(signal: 'SIGSTOP' | 'SIGKILL'): Promise<number> {
  const serving = (await wholePair()).find(holdsVip)!;
  // Both have asked each other since the last one was replaced.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  for (const { pid } of processesOf(directoryOf(serving))) sendSignal(pid, signal);
  const since = performance.now();
  await eventually('the VIP serves', () => request(web.vip, listenerPort));
  const pause = performance.now() - since;
  await eventually('the lost one is gone', () => !existsSync(directoryOf(serving)));
  await service.api.active(web.id);
  return pause;
}

async function rounds(signal: 'SIGSTOP' | 'SIGKILL', count: number): Promise<number[]> {
  const pauses: number[] = [];
  for (let round = 0; round < count; round += 1) pauses.push(await outage(signal));
  report(`one of a pair, ${signal} -> served, median of ${count}`, median(pauses));
  report(`one of a pair, ${signal} -> served, longest of ${count}`, Math.max(...pauses));
  return pauses;
}

const count = 2;

test('serves from the standby when the other one is frozen, which its peer has noticed', async () => {
  await rounds('SIGSTOP', count);
  const told = service.lines.find((line) => line['event'] === 'peer_suspected');
  expect(told).toBeDefined();
});

test('serves from the standby when the other one is killed', async () => {
  await rounds('SIGKILL', count);
});
