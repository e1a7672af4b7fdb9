import { afterAll, beforeAll, expect, test } from 'vitest';
import { LocalService, runLocal } from '../support/local-service.ts';
import { TestMember } from '../support/traffic.ts';

let service: LocalService;
let member: TestMember;
beforeAll(async () => {
  service = await LocalService.start();
  member = await TestMember.start('smoke');
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  member?.[Symbol.dispose]();
});

const smoke = (args: string[], interruptWhen?: () => boolean) =>
  runLocal('smoke/main.ts', args, {
    environment: { OS_PASSWORD: service.ready.password },
    ...(interruptWhen ? { interruptWhen } : {}),
  });

test('the smoke test of a deployment takes every step, with traffic, and leaves nothing behind', async () => {
  const served = `${member.attributes.address}:${member.attributes.protocol_port}`;
  const { code, stdout, stderr } = await smoke(['--endpoint', service.ready.endpoint, '--member', served]);
  expect(stderr).toBe('');
  expect(stdout).toContain('All 9 steps held.');
  expect(code).toBe(0);
  expect(await service.api.list('loadbalancers')).toEqual([]);
});

test('the smoke test says which step did not hold, and deletes what it made', async () => {
  const args = ['--endpoint', service.ready.endpoint, '--member', '127.0.0.1:1'];
  const { code, stdout } = await smoke(args);
  expect(stdout).toMatch(/Did not hold: traffic through the VIP/);
  expect(code).toBe(1);
  expect(await service.api.list('loadbalancers')).toEqual([]);
});

test('the smoke test says what it needs', async () => {
  const { code, stderr } = await smoke([]);
  expect(code).toBe(2);
  expect(stderr).toContain('--endpoint needs the URL of a deployment');
});
