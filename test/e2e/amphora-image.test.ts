// The amphora image, as far as it can be run without a hypervisor: the script that makes AMIs makes a root filesystem here, its boot
// program and agent are started as its unit says, and the control plane has them serve a load balancer.
import { randomInt } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { amphoraRoot } from '../../amphora/image/root-filesystem.ts';
import { readOptions } from '../../local/options.ts';
import { type Runtime, startRuntime } from '../../local/runtime.ts';
import { eventually } from '../support/eventually.ts';
import { ImageCompute, imageWish, obstacleToImages } from '../support/image-amphorae.ts';
import { InstanceWorld } from '../support/instance-world.ts';
import { type LoadBalancer, OctaviaClient } from '../support/octavia-client.ts';
import { request, TestMember } from '../support/traffic.ts';

const obstacle = await obstacleToImages();
if (obstacle !== null) console.log(`the amphora image is not tried: ${obstacle}`);
const programs = ['/usr/lib/octavia/node', '/usr/sbin/haproxy'];
/** A stock root is made once per machine, which takes a minute or two. */
const buildTimeoutMs = 600_000;

describe.skipIf(obstacle !== null)(`an amphora of the image${obstacle ? ` (${obstacle})` : ''}`, () => {
  let root: string;
  let runtime: Runtime;
  let world: InstanceWorld;
  let compute: ImageCompute;
  let member: TestMember;
  let api: OctaviaClient;
  const state = mkdtempSync(join(tmpdir(), 'image-'));
  const network = `127.${randomInt(64, 120)}.${randomInt(0, 200)}`;

  beforeAll(async () => {
    const since = performance.now();
    root = await amphoraRoot(imageWish);
    console.log(`root filesystem: ${root}, after ${((performance.now() - since) / 1_000).toFixed(1)} s`);
    const words = ['--port', '0', '--json', '--state', state, '--compute', 'noop', '--amphora-driver', 'https'];
    const options = readOptions([...words, '--vip-cidr', `${network}.0/25`], {})!;
    runtime = await startRuntime(options, () => {});
    const { queueServer, config } = runtime.services;
    world = await InstanceWorld.open();
    let last = 200;
    const settings = {
      client_name: 'octavia-control-plane',
      heartbeat_interval_ms: config.heartbeat_interval_ms,
      heartbeat_queue_url: queueServer.queueUrls.heartbeats,
      sqs_endpoint: queueServer.endpoint,
      region: config.region,
      hard_stop_after_ms: config.hard_stop_after_ms,
      max_connections: 1_000,
    };
    compute = new ImageCompute(root, world, settings, () => `${network}.${last++}`);
    runtime.services.compute = compute;
    member = await TestMember.start('member');
    api = new OctaviaClient(runtime.ready);
  }, buildTimeoutMs);
  afterAll(async () => {
    await runtime?.stop();
    await compute?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
    member?.[Symbol.dispose]();
    rmSync(state, { recursive: true, force: true });
  });

  const create = async (listeners: object[]): Promise<LoadBalancer> => {
    const { id } = await api.createLoadBalancer({ listeners });
    return api.active(id);
  };
  const web = () => ({
    name: 'web',
    protocol: 'HTTP',
    protocol_port: 80,
    default_pool: {
      name: 'web',
      protocol: 'HTTP',
      lb_algorithm: 'ROUND_ROBIN',
      members: [member.attributes],
      healthmonitor: { name: 'http', type: 'HTTP', delay: 1, timeout: 1, max_retries: 1 },
    },
  });

  test('serves a load balancer on port 80, checks its member, and is heard', async () => {
    const { id, vip_address } = await create([web()]);
    expect(await eventually('the member answers', () => request(vip_address, 80))).toBe('member');
    await eventually('heartbeats say so', async () => {
      const [pool] = await api.list('pools');
      const [shown] = await api.list(`pools/${pool!.id}/members`);
      const { operating_status } = await api.show('loadbalancers', id);
      return operating_status === 'ONLINE' && shown!.operating_status === 'ONLINE';
    });
  });

  test('runs HAProxy and agent of the image as a user without rights beyond those of its unit', async () => {
    const running = await eventually('agent and HAProxy run', () => {
      const found = processesIn(root).filter(({ program }) => programs.includes(program));
      return programs.every((one) => found.some(({ program }) => program === one)) ? found : undefined;
    });
    for (const { program: name, status } of running) {
      const field = (key: string) => new RegExp(`^${key}:\\s+(\\S+)`, 'm').exec(status)![1]!;
      expect(Number(field('Uid')), name).toBeGreaterThan(99);
      expect(field('NoNewPrivs'), name).toBe('1');
      // Bit 10: ports below 1024; 12: addresses and IPVS; 13, in the bounding set alone: raw sockets.
      expect(BigInt(`0x${field('CapEff')}`), name).toBe((1n << 10n) | (1n << 12n));
      expect(BigInt(`0x${field('CapBnd')}`), name).toBe((1n << 10n) | (1n << 12n) | (1n << 13n));
    }
  });

  test('has in it what a UDP listener needs, no way to log in, and no identity of its own', () => {
    const has = (path: string) => lstatSync(join(root, path), { throwIfNoEntry: false }) !== undefined;
    for (const path of ['usr/sbin/keepalived', 'usr/sbin/ipvsadm', 'usr/sbin/iptables-restore'])
      expect(has(path)).toBe(true);
    for (const path of ['usr/sbin/sshd', 'var/lib/octavia', 'etc/octavia/boot.json']) expect(has(path)).toBe(false);
    expect(readFileSync(join(root, 'etc/machine-id'), 'utf8')).toBe('');
    const unit = (name: string) => readlinkSync(join(root, 'etc/systemd/system', name));
    for (const name of [
      'ssh.service',
      'getty@.service',
      'serial-getty@.service',
      'haproxy.service',
      'keepalived.service',
    ])
      expect(unit(name)).toBe('/dev/null');
    const passwords = readFileSync(join(root, 'etc/shadow'), 'utf8').trim().split('\n');
    expect(passwords.filter((line) => !/^[^:]+:[!*]/.test(line))).toEqual([]);
  });
});

/** Those whose root is the image's. */
function processesIn(root: string): { program: string; status: string }[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).flatMap((pid) => {
    try {
      if (readlinkSync(`/proc/${pid}/root`) !== root) return [];
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      return [{ program: readlinkSync(`/proc/${pid}/exe`).replace(root, ''), status }];
    } catch {
      // Ended since the list was read.
      return [];
    }
  });
}
