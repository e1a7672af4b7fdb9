// An agent that is started anew finds what it left: nothing is said of listeners before HAProxy was looked for, and whoever stands by
// goes on standing by. keepalived is a program of the test's here, so that no kernel with ip_vs is needed.
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  fetchOnce,
  freePort,
  makeAddress,
  startMember,
  TestAmphora,
  TestQueue,
  until,
} from '../support/agent-process.ts';

const [loadBalancer, web, pool, webMember, dns] = Array.from({ length: 5 }, () => randomUUID());
const directory = mkdtempSync(join(tmpdir(), 'keepalived-double-'));
/** There once keepalived was started. */
const started = join(directory, 'started');
const settings = {
  keepalived_path: join(directory, 'keepalived'),
  ipvsadm_path: join(directory, 'ipvsadm'),
  proc_directory: directory,
};

let queue: TestQueue;
let member: Awaited<ReturnType<typeof startMember>>;
let amphora: TestAmphora;
let vip: string;
let port: number;
beforeAll(async () => {
  [queue, member] = await Promise.all([TestQueue.open(), startMember('web')]);
  mkdirSync(join(directory, 'net'));
  writeFileSync(join(directory, 'net/ip_vs'), '');
  // It is ready once the kernel has what it is to put there, which is up to each test.
  const keepalived = `#!/bin/sh\n[ "$1" = -t ] && exit 0\necho $$ >${started}\nexec sleep 60\n`;
  for (const [path, text] of [
    [settings.keepalived_path, keepalived],
    [settings.ipvsadm_path, '#!/bin/sh\n'],
  ] as const)
    writeFileSync(path, text, { mode: 0o755 });
});
afterAll(() => {
  queue.close();
  member.stop();
  rmSync(directory, { recursive: true });
});
beforeEach(async () => {
  rmSync(started, { force: true });
  vip = makeAddress();
  port = await freePort(vip);
  amphora = await TestAmphora.boot(queue, settings);
});
afterEach(() => amphora.remove());

const haproxyText = (global: string[] = [], more: string[] = []) =>
  [
    'global',
    '  stats socket {{DIRECTORY}}/haproxy.sock mode 0600 level admin',
    ...global,
    'defaults',
    '  mode http',
    '  timeout connect 1s',
    '  timeout client 5s',
    '  timeout server 5s',
    ...more,
    `frontend ${web}`,
    `  bind ${vip}:${port}`,
    `  default_backend ${pool}:${web}`,
    `backend ${pool}:${web}`,
    `  server ${webMember} 127.0.0.1:${member.port}`,
    '',
  ].join('\n');
/** keepalived's part of a push, below HAProxy's. */
const dnsText = () =>
  ['# keepalived.conf', `# listener ${dns} UDP`, `virtual_server_group ${dns}-ipv4 {`, `    ${vip} 53`, '}', ''].join(
    '\n',
  );

test('says of no listener that it is away before it has looked for HAProxy', async () => {
  await amphora.push(loadBalancer!, 1, haproxyText());
  await amphora.plug(loadBalancer!, vip);
  await until('the listener is reported', () => queue.last?.listeners[web!]);
  await amphora.kill('SIGKILL');
  const before = queue.heartbeats.length;
  await amphora.start();
  const first = await until('a heartbeat of the next agent', () => queue.heartbeats[before]);
  expect(first.listeners).toMatchObject({ [web!]: { status: 'OPEN' } });
});

test('serves HTTP again though keepalived does not get ready', async () => {
  const inHex = vip.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
  writeFileSync(join(directory, 'net/ip_vs'), `UDP  ${inHex.join('').toUpperCase()}:0035 wrr \n`);
  await amphora.plug(loadBalancer!, vip);
  expect((await amphora.push(loadBalancer!, 1, haproxyText() + dnsText())).status).toBe(202);
  await amphora.kill('SIGKILL');
  process.kill(Number(readFileSync(started, 'utf8')), 'SIGKILL');
  process.kill(-amphora.haproxyPids(loadBalancer!).master, 'SIGKILL');
  writeFileSync(join(directory, 'net/ip_vs'), '');
  await amphora.start();
  await until('HTTP is served', async () => (await fetchOnce(vip, port)) === 'web', 5_000);
});

test('starts no keepalived where HAProxy stands by for the VIP', async () => {
  const own = await freePort('127.0.0.1');
  const peers = [
    'peers pair',
    `  bind 127.0.0.1:${own}`,
    '  server own',
    `  server other 127.0.0.1:${await freePort('127.0.0.1')} ssl verify none`,
  ];
  const text = haproxyText(['  localpeer own'], peers) + dnsText();
  expect((await amphora.push(loadBalancer!, 1, text)).json).toMatchObject({ method: 'kept' });
  await amphora.kill('SIGKILL');
  await amphora.start();
  await until(
    'it is back',
    async () => (await amphora.call('PUT', `/1.0/loadbalancer/${loadBalancer}/start`)).status === 202,
    30_000,
  );
  await expect(fetchOnce(vip, port)).rejects.toThrow();
  expect(existsSync(started)).toBe(false);
}, 60_000);
