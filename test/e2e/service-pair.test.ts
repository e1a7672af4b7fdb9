// Topology ACTIVE_STANDBY on one machine: two amphorae, one of which has the VIP.
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, report } from '../support/eventually.ts';
import { LocalService } from '../support/local-service.ts';
import { processesOf, sendSignal } from '../support/processes.ts';
import { answersFrom, request, TestMember } from '../support/traffic.ts';
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

const pair = () =>
  eventually('there are two amphorae', () => {
    const ids = service.amphoraeWith(web.id);
    return ids.length === 2 ? ids : undefined;
  });
const serves = () => eventually('the VIP serves', () => request(web.vip, listenerPort));

test('has two amphorae, one of which serves', async () => {
  expect(await answersFrom(web.vip, listenerPort, 5)).toEqual(new Set(['member']));
  await pair();
});

test.each([0, 1])('serves on and is a pair again when either is killed', async (index) => {
  const killed = (await pair())[index]!;
  const directory = `${service.state}/amphorae/${killed}`;
  for (const { pid } of processesOf(directory)) sendSignal(pid, 'SIGKILL');
  const since = performance.now();
  await serves();
  report('one of a pair killed -> served', performance.now() - since);
  await eventually('the killed one is gone', () => !existsSync(directory));
  await service.api.active(web.id);
  expect(await pair()).not.toContain(killed);
  await serves();
});
