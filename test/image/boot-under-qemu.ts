// `node local/bootstrap.mjs test/image/boot-under-qemu.ts`, as root with debootstrap and qemu-system-x86: boots the amphora image whole, and has
// the control plane of one machine serve HTTP and UDP by it. Says what took how long; ends with 1 when something is not as it should be.
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BootDocument, userDataOf } from '../../amphora/boot-document.ts';
import { amphoraRoot, bootableDisk } from '../../amphora/image/root-filesystem.ts';
import type { AmphoraBoot, Compute, ComputeDriver } from '../../lambdas/drivers/compute/compute-driver.ts';
import { readOptions } from '../../local/options.ts';
import { startRuntime } from '../../local/runtime.ts';
import { freePort } from '../support/agent-process.ts';
import { eventually } from '../support/eventually.ts';
import { imageWish } from '../support/image-amphorae.ts';
import { InstanceWorld } from '../support/instance-world.ts';
import { OctaviaClient } from '../support/octavia-client.ts';
import { request, TestMember } from '../support/traffic.ts';
import { guest, hasKvm, VirtualMachine } from './virtual-machine.ts';

/** Emulated, a boot takes minutes. */
const bootTimeoutMs = hasKvm() ? 120_000 : 900_000;
const since = performance.now();
const say = (text: string) => console.log(`${((performance.now() - since) / 1_000).toFixed(1).padStart(6)} s  ${text}`);

const state = mkdtempSync(join(tmpdir(), 'octavia-qemu-'));
await using cleanUp = new AsyncDisposableStack();
cleanUp.defer(() => rmSync(state, { recursive: true, force: true }));
const consoleFile = join(state, 'console.log');

const root = await amphoraRoot(imageWish);
const disk = bootableDisk(root, imageWish.cache);
say(`the image is made: ${root}`);

const place = `127.${randomInt(64, 120)}.${randomInt(0, 255)}.2`;
const [httpPort, udpPort] = [await freePort(place), await freePort(place)];
const words = ['--port', '0', '--json', '--state', state, '--compute', 'noop', '--amphora-driver', 'https'];
const options = readOptions([...words, '--vip-cidr', '169.254.1.0/24', '--wait-scale', '1', ...patience()], {})!;
const runtime = await startRuntime(options, () => {});
cleanUp.defer(() => runtime.stop());
const world = await InstanceWorld.open();
cleanUp.use(world);
const member = await TestMember.start('a member');
cleanUp.use(member);
const echo = createSocket('udp4').on('message', (text, { port, address }) => echo.send(text, port, address));
echo.bind(0, '127.0.0.1');
await once(echo, 'listening');
cleanUp.defer(() => void echo.close());

function patience(): string[] {
  return ['--operation-timeout-ms', String(bootTimeoutMs), '--flow-timeout-ms', String(2 * bootTimeoutMs)];
}

/** As the machine reaches what is on this one. */
const fromGuest = (url: string) => url.replace('127.0.0.1', guest.host);

/** One machine, for the one amphora there is. */
class QemuCompute implements ComputeDriver {
  #amphoraId: string | undefined;
  #machine: VirtualMachine | undefined;

  async currentImage(): Promise<string> {
    return root;
  }
  async build(boot: AmphoraBoot): Promise<Compute> {
    if (this.#amphoraId === undefined) this.#start(boot);
    return this.get(boot.amphora_id);
  }
  #start({
    amphora_id,
    availability_zone: _,
    compute_flavor: _f,
    image_tag: _t,
    server_group: _g,
    ...keys
  }: AmphoraBoot) {
    const where = world.put(amphora_id, guest.address, { version: 1, amphora_id, ...keys });
    const { queueServer, config } = runtime.services;
    const settings = {
      client_name: 'octavia-control-plane',
      heartbeat_interval_ms: config.heartbeat_interval_ms,
      heartbeat_queue_url: fromGuest(queueServer.queueUrls.heartbeats),
      sqs_endpoint: fromGuest(queueServer.endpoint),
      region: config.region,
      hard_stop_after_ms: config.hard_stop_after_ms,
      max_connections: null,
    };
    const bundle = { ...where, url: fromGuest(where.url) };
    const document: BootDocument = { version: 1, amphora_id, bundle, settings };
    world.machines.get(amphora_id)!.userData = userDataOf(document);
    const forwards = [
      { protocol: 'tcp' as const, from: `${place}:9443`, to: `${guest.address}:9443` },
      { protocol: 'tcp' as const, from: `${place}:${httpPort}`, to: `${guest.vip}:80` },
      { protocol: 'udp' as const, from: `${place}:${udpPort}`, to: `${guest.vip}:53` },
    ];
    this.#amphoraId = amphora_id;
    this.#machine = VirtualMachine.start(disk, world.port, forwards, consoleFile);
    say(`a machine is started, ${hasKvm() ? 'with KVM' : 'emulated'}`);
  }
  async get(amphora_id: string): Promise<Compute> {
    const isRunning = amphora_id === this.#amphoraId && this.#machine!.isRunning;
    const lb_network_ip = isRunning ? place : null;
    const stays = { compute_id: amphora_id, amphora_id, zone: null, image_id: root };
    return { ...stays, state: isRunning ? 'RUNNING' : 'GONE', lb_network_ip };
  }
  async delete(amphoraId: string): Promise<void> {
    if (amphoraId === this.#amphoraId) await this.#machine![Symbol.asyncDispose]();
  }
  async hasHosts(): Promise<boolean> {
    return false;
  }

  async deleteHost(): Promise<void> {}

  async list(): Promise<Compute[]> {
    return this.#amphoraId === undefined ? [] : [await this.get(this.#amphoraId)];
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#machine?.[Symbol.asyncDispose]();
  }
}

function ask(text: string): Promise<string> {
  const socket = createSocket('udp4');
  return new Promise<string>((resolve, reject) => {
    setTimeout(() => reject(new Error('no answer')), 1_000).unref();
    socket.once('message', (answer) => resolve(answer.toString())).send(text, udpPort, place);
  }).finally(() => socket.close());
}

const compute = new QemuCompute();
runtime.services.compute = compute;
cleanUp.use(compute);
const api = new OctaviaClient(runtime.ready);

async function drive(): Promise<void> {
  const reached = { name: 'host', address: guest.host };
  const pool = (name: string, protocol: string, protocol_port: number, type: string) => ({
    name,
    protocol,
    lb_algorithm: 'ROUND_ROBIN',
    members: [{ ...reached, protocol_port }],
    healthmonitor: { name, type, delay: 4, timeout: 2, max_retries: 1 },
  });
  const listeners = [
    {
      name: 'web',
      protocol: 'HTTP',
      protocol_port: 80,
      default_pool: pool('web', 'HTTP', member.protocol_port, 'PING'),
    },
    {
      name: 'dns',
      protocol: 'UDP',
      protocol_port: 53,
      default_pool: pool('dns', 'UDP', (echo.address() as AddressInfo).port, 'UDP-CONNECT'),
    },
  ];
  const { id } = await api.createLoadBalancer({ vip_address: guest.vip, listeners });
  await eventually(
    'its agent answers',
    () => world.machines.size > 0 && [...world.machines.values()][0]!.fetches > 0,
    bootTimeoutMs,
  );
  say('user data ran, and the boot bundle was fetched');
  await eventually(
    'the load balancer is ACTIVE',
    async () => (await api.show('loadbalancers', id)).provisioning_status === 'ACTIVE',
    bootTimeoutMs,
  );
  say('the load balancer is ACTIVE');
  for (const { name, provisioning_status, reason } of await api.list('listeners'))
    say(`listener ${name} is ${provisioning_status}${reason ? `: ${reason}` : ''}`);
  say(`HTTP through the VIP: ${await eventually('HTTP is answered', () => request(place, httpPort))}`);
  say(`UDP through the VIP: ${await eventually('UDP is answered', () => ask('an echo'))}`);
  await eventually('heartbeats arrive, and members are ONLINE', async () => {
    const pools = await api.list('pools');
    return pools.every(({ operating_status }) => operating_status === 'ONLINE');
  });
  say('heartbeats say that members checked by ping and by UDP are ONLINE');
}

try {
  await drive();
} catch (error) {
  console.error(error);
  // Absent when it failed before there was a machine.
  if (existsSync(consoleFile)) console.error(readFileSync(consoleFile, 'utf8').split('\n').slice(-60).join('\n'));
  process.exitCode = 1;
}
