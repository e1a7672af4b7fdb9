// The agent with the real keepalived: listeners of UDP beside one of HTTP. Where the kernel has ip_vs datagrams are sent; where it has
// not, the agent says so and serves the rest.
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  fetchOnce,
  freePort,
  makeAddress,
  startMember,
  TestAmphora,
  TestQueue,
  until,
} from '../support/agent-process.ts';
import { askByDatagram, datagramsAnsweredBy, UdpMember } from '../support/datagrams.ts';
import { reasonWithoutIpVs } from '../support/keepalived.ts';

const loadBalancer = randomUUID();
const [web, webPool, webMember] = [randomUUID(), randomUUID(), randomUUID()];
const [dns, dnsPool] = [randomUUID(), randomUUID()];
const slowly = 120_000;

let queue: TestQueue;
let member: Awaited<ReturnType<typeof startMember>>;
let amphora: TestAmphora;
let vip: string;
let webPort: number;
let one: UdpMember;
let two: UdpMember;

const memberIds = { one: randomUUID(), two: randomUUID() };
const idOf = (name: string) => memberIds[name as keyof typeof memberIds];

const answering = () => datagramsAnsweredBy(vip, 53);

const haproxyText = () =>
  [
    'global',
    '  stats socket {{DIRECTORY}}/haproxy.sock mode 0600 level admin',
    'defaults',
    '  timeout connect 1s',
    '  timeout client 5s',
    '  timeout server 5s',
    `frontend ${web}`,
    `  bind ${vip}:${webPort}`,
    '  mode http',
    `  default_backend ${webPool}:${web}`,
    `backend ${webPool}:${web}`,
    '  mode http',
    `  server ${webMember} 127.0.0.1:${member.port}`,
    '',
  ].join('\n');
const check = ['UDP_CHECK {', '  connect_timeout 1', '  retry 0', '}'];
const keepalivedText = (members: UdpMember[], { algorithm = 'wrr', isMonitored = true } = {}) =>
  [
    '# keepalived.conf',
    'global_defs {',
    '    enable_script_security',
    '}',
    `# listener ${dns} UDP`,
    `# pool ${dnsPool}${isMonitored ? ' monitored' : ''}`,
    ...members.map(({ name, port }) => `# member ${idOf(name)} 127.0.0.1 ${port}`),
    `virtual_server_group ${dns}-ipv4 {`,
    `    ${vip} 53`,
    '}',
    `virtual_server group ${dns}-ipv4 {`,
    `    lb_algo ${algorithm}`,
    '    lb_kind NAT',
    '    protocol UDP',
    '    delay_loop 0.2',
    ...members.flatMap(({ port }) => [`    real_server 127.0.0.1 ${port} {`, ...(isMonitored ? check : []), '    }']),
    '}',
    '',
  ].join('\n');
const both = (members: UdpMember[], options = {}) => haproxyText() + keepalivedText(members, options);

async function boot(settings = {}): Promise<void> {
  amphora = await TestAmphora.boot(queue, settings);
  expect((await amphora.push(loadBalancer, 1, haproxyText())).status).toBe(202);
  expect((await amphora.plug(loadBalancer, vip)).status).toBe(202);
  await until('HTTP is served', async () => (await fetchOnce(vip, webPort)) === 'web', slowly);
}
const lineOfListener = () => haproxyText().split('\n').length + 4;

beforeAll(async () => {
  queue = await TestQueue.open();
  member = await startMember('web');
  one = await UdpMember.start('one');
  two = await UdpMember.start('two');
  vip = makeAddress();
  webPort = await freePort(vip);
});
afterEach(() => amphora.remove());
afterAll(() => {
  queue.close();
  for (const each of [member, one, two]) each.stop();
});

describe('an amphora that cannot have virtual servers', () => {
  const directory = mkdtempSync(join(tmpdir(), 'no-ip-vs-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  /** A kernel's /proc as far as the agent looks at it, with ip_vs. */
  const withTable = () => {
    mkdirSync(join(directory, 'proc/net'), { recursive: true });
    writeFileSync(join(directory, 'proc/net/ip_vs'), 'IP Virtual Server version 1.2.1 (size=4096)\n');
    return join(directory, 'proc');
  };

  test.for<[string, () => object, RegExp]>([
    ['its kernel has no ip_vs', () => ({ proc_directory: directory }), /this amphora's kernel has no ip_vs/],
    [
      'it has no keepalived',
      () => ({ proc_directory: withTable(), keepalived_path: '/nowhere/keepalived' }),
      /this amphora has no \/nowhere\/keepalived/,
    ],
    [
      'it has no ipvsadm',
      () => ({ proc_directory: withTable(), ipvsadm_path: '/nowhere/ipvsadm' }),
      /this amphora has no \/nowhere\/ipvsadm/,
    ],
  ])('says so of its listener when %s, and serves the others', async ([, settings, reason]) => {
    await boot(settings());
    const { status, json } = await amphora.push(loadBalancer, 2, both([one]));
    expect(status).toBe(400);
    const lines = [{ line: lineOfListener(), message: expect.stringMatching(reason) }];
    expect(json).toMatchObject({ error: 'invalid', message: expect.stringMatching(reason), lines });
    expect(await fetchOnce(vip, webPort)).toBe('web');
    expect((await amphora.call('GET', '/1.0/info')).json).toMatchObject({ generation: 1 });
  });

  test('names the line that keepalived complains of, and keeps what was in force', async () => {
    await boot({ proc_directory: withTable() });
    const { status, json } = await amphora.push(loadBalancer, 2, both([one], { algorithm: 'rude' }));
    expect(status).toBe(400);
    const complaint = { line: lineOfListener() + 7, message: "Invalid lvs_scheduler 'rude' - ignoring" };
    expect(json['lines']).toContainEqual(complaint);
    expect(existsSync(join(amphora.directory, 'state', loadBalancer, 'keepalived.conf.new'))).toBe(false);
    expect((await amphora.push(loadBalancer, 2, haproxyText())).status).toBe(202);
    expect(await fetchOnce(vip, webPort)).toBe('web');
  });

  test.skipIf(reasonWithoutIpVs === null)(
    'tells what keepalived said when it does not start, and goes back',
    async () => {
      await boot({ proc_directory: withTable() });
      const { status, json } = await amphora.push(loadBalancer, 2, both([one]));
      expect(status).toBe(400);
      const message = expect.stringMatching(/^keepalived: IPVS: Can't initialize ipvs/);
      expect(json).toMatchObject({ message, lines: [{ line: lineOfListener(), message }] });
      expect((await amphora.push(loadBalancer, 2, haproxyText())).json).toMatchObject({ method: 'none' });
      expect(await fetchOnce(vip, webPort)).toBe('web');
    },
  );
});

describe.skipIf(reasonWithoutIpVs !== null)(
  `UDP listeners${reasonWithoutIpVs ? ` (${reasonWithoutIpVs})` : ''}`,
  () => {
    const pid = () => Number(amphora.file(`${loadBalancer}/keepalived.pid`));
    const states = () => Object.values(queue.last?.pools[`${dnsPool}:${dns}`]?.members ?? {});

    test(
      'pass datagrams on, follow changes of members without a restart, and report',
      async () => {
        await boot();
        expect((await amphora.push(loadBalancer, 2, both([one]))).json).toMatchObject({ method: 'reload' });
        expect(await answering()).toEqual(['one']);
        const before = pid();
        expect((await amphora.push(loadBalancer, 3, both([one, two]))).json).toMatchObject({ method: 'reload' });
        expect(await answering()).toEqual(['one', 'two']);
        expect(pid()).toBe(before);
        expect(await fetchOnce(vip, webPort)).toBe('web');
        await until('both are up', () => states().join() === 'UP,UP', slowly);
        await until(
          'their traffic was reported',
          () => {
            const stats = queue.heartbeats.at(-1)?.listeners[dns]?.stats;
            return stats?.totconns === 16 && stats.rx === 16 * (28 + 9) && stats.tx === 16 * (28 + 3);
          },
          slowly,
        );
        const listed = (await amphora.call('GET', '/1.0/listeners')).json;
        expect(listed).toMatchObject([
          { uuid: web, status: 'ACTIVE' },
          { uuid: dns, status: 'ACTIVE', type: 'UDP' },
        ]);
        expect((await amphora.push(loadBalancer, 4, haproxyText())).json).toMatchObject({ method: 'reload' });
        expect(await askByDatagram(vip, 53)).toBeUndefined();
      },
      slowly,
    );

    test(
      'need no listener of HAProxy’s, and serve from when the VIP is there until the load balancer goes',
      async () => {
        amphora = await TestAmphora.boot(queue);
        const idle = haproxyText().split(`frontend ${web}`)[0]!;
        const pushed = await amphora.push(loadBalancer, 1, idle + keepalivedText([one]));
        expect(pushed.json).toMatchObject({ method: 'kept' });
        expect(await askByDatagram(vip, 53)).toBeUndefined();
        expect((await amphora.plug(loadBalancer, vip)).status).toBe(202);
        expect(await answering()).toEqual(['one']);
        await until('the pool is up', () => states().join() === 'UP', slowly);
        expect((await amphora.call('PUT', `/1.0/loadbalancer/${loadBalancer}/stop`)).status).toBe(202);
        expect(await askByDatagram(vip, 53)).toBeUndefined();
        expect((await amphora.call('PUT', `/1.0/loadbalancer/${loadBalancer}/start`)).status).toBe(202);
        expect(await answering()).toEqual(['one']);
        expect((await amphora.call('DELETE', `/1.0/listeners/${loadBalancer}`)).status).toBe(200);
        expect(await askByDatagram(vip, 53)).toBeUndefined();
      },
      slowly,
    );

    test(
      'leave out a member that is gone, and take it back',
      async () => {
        await boot();
        await amphora.push(loadBalancer, 2, both([one, two]));
        two.stop();
        await until('two is down', () => states().join() === 'UP,DOWN', slowly);
        expect(await answering()).toEqual(['one']);
        await two.start();
        await until('two is up', () => states().join() === 'UP,UP', slowly);
        expect(await answering()).toEqual(['one', 'two']);
      },
      slowly,
    );

    test(
      'outlive the agent, and are taken over by the next; a killed keepalived is started again',
      async () => {
        await boot();
        await amphora.push(loadBalancer, 2, both([one]));
        const before = pid();
        await amphora.kill('SIGKILL');
        expect(await answering()).toEqual(['one']);
        await amphora.start();
        expect((await amphora.push(loadBalancer, 3, both([one, two]))).json).toMatchObject({ method: 'reload' });
        expect(pid()).toBe(before);
        expect(await answering()).toEqual(['one', 'two']);
        process.kill(-before, 'SIGKILL');
        await until('another keepalived', () => pid() !== before, slowly);
        await until('it serves', async () => (await answering()).join() === 'one,two', slowly);
        expect((await amphora.call('DELETE', `/1.0/listeners/${loadBalancer}`)).status).toBe(200);
        expect(await askByDatagram(vip, 53)).toBeUndefined();
      },
      slowly,
    );
  },
);
