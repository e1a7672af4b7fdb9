// The look at who owns a VIP, held against a fence that failed: what chaos counts as two owners, and what it does not.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Owners } from '../chaos/owners.ts';
import { eventually } from '../support/eventually.ts';
import { haproxyPath } from '../support/haproxy.ts';
import { type AmphoraOnDisk, LocalService } from '../support/local-service.ts';
import { sendSignal } from '../support/processes.ts';
import { TestMember } from '../support/traffic.ts';
import { asWeb, listenerPort, type WebLoadBalancer, webGraph } from '../support/web-load-balancer.ts';

const slowlyMs = 120_000;
let service: LocalService;
let member: TestMember;
let web: WebLoadBalancer;
let amphora: AmphoraOnDisk;
let owners: Owners;
beforeAll(async () => {
  service = await LocalService.start();
  member = await TestMember.start('web');
  const { id } = await service.api.createLoadBalancer(webGraph([member]));
  web = asWeb(await service.api.active(id, slowlyMs));
  amphora = await service.amphora(web.id);
}, slowlyMs);
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  member[Symbol.dispose]();
});
beforeEach(() => {
  owners = new Owners(service);
});

const look = () => owners.look([{ host: web.vip, port: listenerPort }]);

/** An HAProxy that listens on the VIP, in the directory of an amphora. */
function listenIn(directory: string): { pid: number } & Disposable {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'mutant.cfg');
  const lines = ['defaults', '  mode http', '  timeout client 5s', 'frontend web', `  bind ${web.vip}:${listenerPort}`];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const child = spawn(haproxyPath, ['-db', '-f', file], { cwd: directory, stdio: 'ignore' });
  return { pid: child.pid!, [Symbol.dispose]: () => void child.kill('SIGKILL') };
}

test('two processes of one amphora are no two owners', async () => {
  look();
  const alone = owners.listening;
  using _ = listenIn(join(amphora.directory, 'run'));
  await eventually('both listen', () => {
    look();
    return owners.listening > alone;
  });
  expect([alone > 0, owners.doubled, owners.held.has(web.vip)]).toEqual([true, [], true]);
});

test('an amphora that was not fenced beside the one that took the VIP is counted, also while it is stopped', async () => {
  const spare = await service.spare();
  using unfenced = listenIn(join(service.state, 'amphorae', spare));
  await eventually('the second owner is seen', () => {
    look();
    return owners.doubled.length > 0;
  });
  sendSignal(unfenced.pid, 'SIGSTOP');
  look();
  const [first, second] = owners.doubled;
  expect(first!.replace(`${web.vip}: `, '').split(' and ').toSorted()).toEqual([amphora.id, spare].toSorted());
  expect(second).toBe(first);
});
