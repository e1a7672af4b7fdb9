import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentPort } from '../../amphora/agent-api.ts';
import { HttpsAmphoraDriver } from '../../lambdas/drivers/amphora/https.ts';
import type { Compute, ComputeDriver } from '../../lambdas/drivers/compute/compute-driver.ts';
import { Ec2ComputeDriver } from '../../lambdas/drivers/compute/ec2.ts';
import { NoopComputeDriver } from '../../lambdas/drivers/compute/noop.ts';
import { LoopbackAddresses } from '../../local/compute/loopback-addresses.ts';
import type { ProcessComputeDriver } from '../../local/compute/process-compute.ts';
import { until } from '../support/agent-process.ts';
import { Ec2World } from '../support/ec2-world.ts';
import { authority, bootOf, TestHost } from '../support/process-amphorae.ts';

const running = (compute: ComputeDriver, { compute_id }: Compute) =>
  until('the amphora runs', async () => {
    const found = await compute.get(compute_id);
    return found.state === 'RUNNING' ? found : null;
  });

const implementations: Record<string, () => Promise<{ compute: ComputeDriver; end(): Promise<void> }>> = {
  noop: async () => ({ compute: new NoopComputeDriver(), end: async () => {} }),
  process: async () => {
    const host = new TestHost();
    return { compute: host.service(), end: () => host.close() };
  },
  ec2: async () => {
    const world = await Ec2World.start();
    return { compute: world.compute(), end: () => world[Symbol.asyncDispose]() };
  },
};

describe.each(Object.entries(implementations))('compute driver: %s', (_name, make) => {
  let compute: ComputeDriver;
  let end: () => Promise<void>;

  beforeEach(async () => {
    ({ compute, end } = await make());
  });
  afterEach(() => end());

  it('builds one machine for an amphora, however often and at once it is asked', async () => {
    const boot = { ...(await bootOf()), availability_zone: 'az1' };
    const [first, second] = await Promise.all([compute.build(boot), compute.build(boot)]);
    const third = await compute.build(boot);
    expect(new Set([first, second, third].map(({ compute_id }) => compute_id)).size).toBe(1);
    expect(await running(compute, first)).toMatchObject({ amphora_id: boot.amphora_id, zone: 'az1' });
    expect((await running(compute, first)).lb_network_ip).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    expect(await compute.list()).toHaveLength(1);
  });

  it('remembers which machines are wished apart', async () => {
    const server_group = randomUUID();
    const pair = [await bootOf(), await bootOf()].map((boot) => ({ ...boot, server_group }));
    for (const boot of pair) await running(compute, await compute.build(boot));
    expect((await compute.list()).map((one) => one.server_group)).toEqual([server_group, server_group]);
    const alone = await compute.build(await bootOf());
    expect((await running(compute, alone)).server_group).toBeNull();
  });

  it('makes machines of the image it names beforehand', async () => {
    const boot = await bootOf();
    const image = await compute.currentImage(boot);
    const made = await compute.build(boot);
    expect((await running(compute, made)).image_id).toBe(image);
    expect(await compute.currentImage(boot)).toBe(image);
  });

  it('ends one amphora of a host and touches no other, then the host with all there are, or shares none', async () => {
    // Nobody names a host to a driver that has none.
    if (!(await compute.hasHosts())) return expect(compute).toBeInstanceOf(Ec2ComputeDriver);
    const host_id = randomUUID();
    const boots = [await bootOf(), await bootOf(), await bootOf()].map((boot) => ({ ...boot, host_id }));
    const [first, ...others] = await Promise.all(boots.map((boot) => compute.build(boot)));
    const alone = await compute.build(await bootOf());
    for (const made of others) expect(await running(compute, made)).toMatchObject({ host_id });
    expect((await running(compute, alone)).host_id).toBeNull();
    await compute.delete(first!.compute_id);
    expect((await compute.get(first!.compute_id)).state).toBe('GONE');
    for (const made of others) expect((await compute.get(made.compute_id)).state).toBe('RUNNING');
    await compute.deleteHost(host_id);
    await compute.deleteHost(host_id);
    expect((await compute.list()).map(({ compute_id }) => compute_id)).toEqual([alone.compute_id]);
    expect((await compute.get(alone.compute_id)).state).toBe('RUNNING');
  });

  it('deletes a machine for good, and one that is gone', async () => {
    const made = await compute.build(await bootOf());
    await compute.delete(made.compute_id);
    await compute.delete(made.compute_id);
    expect(await compute.get(made.compute_id)).toMatchObject({ state: 'GONE', lb_network_ip: null });
    expect(await compute.list()).toEqual([]);
  });
});

describe('process amphorae', () => {
  const lb = randomUUID();
  let host: TestHost;
  let compute: ProcessComputeDriver;

  beforeEach(() => {
    host = new TestHost();
    compute = host.service();
  });
  afterEach(() => host.close());

  const build = async () => running(compute, await compute.build(await bootOf()));
  const pathOf = ({ amphora_id }: Compute) => join(host.state, 'amphorae', amphora_id);
  const pidOf = (made: Compute): number => JSON.parse(readFileSync(join(pathOf(made), 'process.json'), 'utf8')).pid;

  /** Has the amphora serve a listener, so that there is an HAProxy. */
  async function serve(made: Compute): Promise<number[]> {
    const driver = new HttpsAmphoraDriver({ authority, clock: { now: () => Date.now() } });
    const amphora = { id: made.amphora_id, lb_network_ip: made.lb_network_ip! };
    const text = [
      'global',
      '  stats socket {{DIRECTORY}}/haproxy.sock mode 0600 level admin',
      'defaults',
      '  timeout connect 1s\n  timeout client 1s\n  timeout server 1s',
      `frontend ${randomUUID()}`,
      `  bind ${made.lb_network_ip}:8080`,
      '',
    ].join('\n');
    await driver.pushConfiguration(amphora, { load_balancer_id: lb, generation: 1, text });
    await driver.postVipPlug(amphora, lb, made.lb_network_ip!, 1);
    await driver.close();
    return until('HAProxy has a worker', () => (host.haproxies.length >= 2 ? host.haproxies : null));
  }

  it('are closed to other users', async () => {
    const made = await build();
    expect(statSync(pathOf(made)).mode & 0o777).toBe(0o700);
    const files = readdirSync(pathOf(made)).map((name) => [name, statSync(join(pathOf(made), name))] as const);
    const modes = files.filter(([, stat]) => stat.isFile()).map(([name, stat]) => [name, stat.mode & 0o777]);
    expect(modes.map(([, mode]) => mode)).toEqual(modes.map(() => 0o600));
    expect(modes.map(([name]) => name)).toEqual(expect.arrayContaining(['settings.json', 'server-key.pem']));
  });

  it('leave nothing behind when they are deleted, not even what is stopped', async () => {
    const made = await build();
    for (const pid of await serve(made)) process.kill(pid, 'SIGSTOP');
    process.kill(pidOf(made), 'SIGSTOP');
    await compute.delete(made.compute_id);
    expect(host.processes()).toEqual([]);
    expect(existsSync(pathOf(made))).toBe(false);
    expect(readdirSync(join(host.state, 'addresses'))).toEqual([]);
  });

  it('outlive a service that is killed, and are taken over by the next', async () => {
    const made = await build();
    const [agent, haproxies] = [pidOf(made), await serve(made)];
    compute = host.service();
    expect(await compute.adopt()).toMatchObject({ kept: [made.amphora_id], relaunched: [] });
    expect(await compute.get(made.compute_id)).toEqual(made);
    expect([pidOf(made), host.haproxies]).toEqual([agent, haproxies]);
  });

  it('outlive a service that is killed for real', async () => {
    const boot = await bootOf();
    const script = join(import.meta.dirname, '../support/compute-service.ts');
    const service = spawn(process.execPath, [script, host.state, host.cidr], { stdio: 'pipe' });
    service.stdin.end(JSON.stringify(boot));
    const made = await running(compute, { compute_id: `proc-${boot.amphora_id}` } as Compute);
    service.kill('SIGKILL');
    await once(service, 'exit');
    expect(await compute.adopt()).toMatchObject({ kept: [boot.amphora_id], relaunched: [] });
    expect(await running(compute, made)).toEqual(made);
  });

  it('that ended meanwhile are started again at their address', async () => {
    const made = await build();
    process.kill(pidOf(made), 'SIGKILL');
    await until('it is gone', async () => (await compute.get(made.compute_id)).state === 'GONE');
    compute = host.service();
    expect(await compute.adopt()).toMatchObject({ kept: [], relaunched: [made.amphora_id] });
    expect(await running(compute, made)).toEqual(made);
  });

  it('are not mistaken for a process that has their pid by now', async () => {
    const made = await build();
    const stranger = spawn('sleep', ['60'], { stdio: 'ignore' });
    const pid = pidOf(made);
    writeFileSync(join(pathOf(made), 'process.json'), JSON.stringify({ pid: stranger.pid, start_time: '1' }));
    expect((await compute.get(made.compute_id)).state).toBe('GONE');
    // It is found by what it was started with.
    expect(await compute.relaunch(made.compute_id)).toBe('kept');
    expect(pidOf(made)).toBe(pid);
    await compute.delete(made.compute_id);
    expect(stranger.exitCode ?? stranger.signalCode).toBe(null);
    stranger.kill();
  });

  it('tell when they end unasked, started here or taken over', async () => {
    const made = await build();
    const ended: string[] = [];
    const later = host.service();
    compute.onExit((id) => ended.push(`here ${id}`));
    later.onExit((id) => ended.push(`taken over ${id}`));
    await later.adopt();
    process.kill(pidOf(made), 'SIGKILL');
    await until('both told', () => ended.length === 2);
    expect(ended.sort()).toEqual([`here ${made.amphora_id}`, `taken over ${made.amphora_id}`]);
  });

  it('do not tell when they are ended', async () => {
    const [one] = await Promise.all([build(), build()]);
    const ended: string[] = [];
    compute.onExit((id) => ended.push(id));
    await compute.delete(one!.compute_id);
    await compute.stopAll();
    await sleep(50);
    expect(ended).toEqual([]);
  });

  it('all end with stopAll, also the stopped ones, and come back', async () => {
    const [one, two] = await Promise.all([build(), build()]);
    for (const pid of await serve(one!)) process.kill(pid, 'SIGSTOP');
    process.kill(pidOf(two!), 'SIGSTOP');
    await compute.stopAll(300);
    expect(host.processes()).toEqual([]);
    const { relaunched } = await compute.adopt();
    expect(relaunched.sort()).toEqual([one!.amphora_id, two!.amphora_id].sort());
    await Promise.all([one!, two!].map((made) => running(compute, made)));
  });

  it('serve nothing any more once they are fenced, even when they were stopped', async () => {
    const made = await build();
    const haproxies = await serve(made);
    for (const pid of [pidOf(made), ...haproxies]) process.kill(pid, 'SIGSTOP');
    await compute.fence(made.amphora_id);
    expect(host.haproxies).toEqual([]);
    // Longer than the agent takes to start an HAProxy that died.
    await sleep(300);
    expect(host.haproxies).toEqual([]);
  });

  it('stay fenced, whoever starts', async () => {
    const made = await build();
    await serve(made);
    await compute.fence(made.amphora_id);
    await compute.fence(made.amphora_id);
    await compute.fence(randomUUID());
    expect(await host.service().adopt()).toMatchObject({ kept: [], relaunched: [], gone: [made.amphora_id] });
    expect((await compute.get(made.compute_id)).state).toBe('GONE');
    await compute.delete(made.compute_id);
    expect(await compute.list()).toEqual([]);
  });

  it('that were half built are listed, and built or deleted', async () => {
    const [one, two] = [await bootOf(), await bootOf()];
    for (const { amphora_id } of [one, two]) {
      await makeHalf(amphora_id);
    }
    expect((await compute.list()).map(({ state }) => state)).toEqual(['GONE', 'GONE']);
    await running(compute, await compute.build(one));
    await compute.delete(`proc-${two.amphora_id}`);
    expect(await compute.list()).toHaveLength(1);
    expect(readdirSync(join(host.state, 'addresses'))).toHaveLength(1);
  });

  /** As after a kill between reserving the address and noting the machine. */
  async function makeHalf(amphoraId: string): Promise<void> {
    mkdirSync(join(host.state, 'amphorae', amphoraId, 'run'), { recursive: true });
    await new LoopbackAddresses(join(host.state, 'addresses'), host.cidr, agentPort).reserve(amphoraId);
  }

  it('that are ephemeral end with the service', async () => {
    const boot = await bootOf();
    const script = join(import.meta.dirname, '../support/compute-service.ts');
    const service = spawn(process.execPath, [script, host.state, host.cidr, 'ephemeral'], { stdio: 'pipe' });
    service.stdin.end(JSON.stringify(boot));
    await running(compute, { compute_id: `proc-${boot.amphora_id}` } as Compute);
    service.kill('SIGKILL');
    await until('the agent ended', () => host.processes().length === 0);
  });
});

describe('loopback addresses', () => {
  let host: TestHost;
  beforeEach(() => {
    host = new TestHost();
  });
  afterEach(() => host.close());
  const open = (cidr: string, port = agentPort) => new LoopbackAddresses(join(host.state, 'addresses'), cidr, port);

  it('are never given twice to 50 that ask at once, of two services', async () => {
    const services = [open(host.cidr), open(host.cidr)];
    const asked = Array.from({ length: 50 }, (_, n) => services[n % 2]!.reserve(randomUUID()));
    expect(new Set(await Promise.all(asked)).size).toBe(50);
  });

  it('stay with their amphora until they are released', async () => {
    const addresses = open(host.cidr);
    const address = await addresses.reserve('one');
    expect(await open(host.cidr).reserve('one')).toBe(address);
    addresses.release('one');
    addresses.release('one');
    expect(addresses.holders()).toEqual([]);
  });

  it('are left out where somebody else has the port, and run out', async () => {
    const server = createServer().listen(0, '127.3.7.1');
    await once(server, 'listening');
    const addresses = open('127.3.7.0/30', (server.address() as { port: number }).port);
    expect(await addresses.reserve('one')).toBe('127.3.7.2');
    await expect(addresses.reserve('two')).rejects.toThrow('no loopback address is free');
    server.close();
  });
});
