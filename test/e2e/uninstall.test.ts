import { afterAll, beforeAll, expect, test } from 'vitest';
import { LocalService, runLocal } from '../support/local-service.ts';

let service: LocalService;
beforeAll(async () => {
  service = await LocalService.start({ args: ['--spare-amphorae', '0'] });
});
afterAll(() => service?.[Symbol.asyncDispose]());

const uninstall = (args: string[], { ready }: LocalService = service) =>
  runLocal('uninstall/main.ts', args, { environment: { OS_PASSWORD: ready.password } });

test('uninstalling lists what there is, and deletes all of it, with every amphora, when told to', async () => {
  const endpoint = ['--endpoint', service.ready.endpoint];
  const made = await Promise.all(['one', 'two'].map((name) => service.api.createLoadBalancer({ name })));
  for (const { id } of made) await service.api.active(id);
  const listed = await uninstall(endpoint);
  expect(listed).toMatchObject({ code: 0, stderr: '' });
  for (const { id } of made) expect(listed.stdout).toContain(id);
  expect(listed.stdout).toContain('2 amphorae, 0 of them spares');
  expect(await service.api.list('loadbalancers')).toHaveLength(2);

  const { code, stdout, stderr } = await uninstall([...endpoint, '--yes']);
  expect(stderr).toBe('');
  expect(stdout).toContain('No load balancer and no amphora is left.');
  expect(code).toBe(0);
  expect(await service.api.list('loadbalancers')).toEqual([]);
});

test('uninstalling ends, and says so, where spare amphorae are kept', async () => {
  await using keeping = await LocalService.start({ args: ['--spare-amphorae', '1'] });
  await keeping.spare();
  const args = ['--endpoint', keeping.ready.endpoint, '--yes', '--spares', '2'];
  const { code, stderr } = await uninstall(args, keeping);
  expect(stderr).toContain('deploy with spare_amphorae=0');
  expect(code).toBe(1);
});

test('uninstalling says what it needs', async () => {
  const { code, stderr } = await uninstall(['--endpoint', 'nowhere']);
  expect(code).toBe(2);
  expect(stderr).toContain('--endpoint needs the URL of a deployment');
});
