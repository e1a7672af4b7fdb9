// Compute of one machine, in Nova's place: an amphora is a process (the agent) with a directory for a disk and a loopback
// address for a network. Processes outlive the service; what runs is always asked of /proc, never remembered.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { connect } from 'node:net';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AgentSettings, agentPort } from '../../amphora/agent-api.ts';
import type { AmphoraBoot, Compute, ComputeDriver } from '../../lambdas/drivers/compute/compute-driver.ts';
import { AgentProcesses, type ExitListener } from './agent-processes.ts';
import { AmphoraDirectory, type Machine } from './amphora-directory.ts';
import { endKeepalived } from './keepalived.ts';
import { LoopbackAddresses } from './loopback-addresses.ts';
import {
  belongsTo,
  findGroup,
  findProcesses,
  isAgentOf,
  isExiting,
  isSame,
  killAll,
  type ProcessIdentity,
  signal,
} from './processes.ts';

const prefix = 'proc-';
const connectTimeoutMs = 1_000;

/** What became of an agent that should run. */
export type Relaunch = 'kept' | 'relaunched' | 'gone';

/** What every agent is told alike. */
export type SharedAgentSettings = Pick<
  AgentSettings,
  | 'client_name'
  | 'heartbeat_interval_ms'
  | 'heartbeat_queue_url'
  | 'sqs_endpoint'
  | 'region'
  | 'haproxy_path'
  | 'hard_stop_after_ms'
  | 'max_connections'
  | 'logs'
>;

export interface ProcessComputeOptions {
  /** Directory of the service's state. */
  state: string;
  /** The agent's main.ts, or its bundle. */
  agentFile: string;
  agent: SharedAgentSettings;
  /** Where amphorae get their addresses, inside 127.0.0.0/8. */
  cidr?: string;
  agentPort?: number;
  /** Name of the image beside the bytes of the agent: another name makes amphorae of an older one old. */
  imageName?: string;
  /** Options of Node for the agents. */
  execArgv?: string[];
  /** Environment of the agents; nothing else of the service's is handed on. */
  environment?: Record<string, string>;
  /** Agents end when the service does, even by kill -9. */
  ephemeral?: boolean;
}

export class ProcessComputeDriver implements ComputeDriver {
  readonly #options: ProcessComputeOptions;
  readonly #root: string;
  readonly #port: number;
  readonly #addresses: LoopbackAddresses;
  readonly #agents: AgentProcesses;
  #imageId: string | undefined;
  /** Calls for one amphora come one after the other: a delete must not meet a build halfway. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(options: ProcessComputeOptions) {
    this.#options = options;
    this.#port = options.agentPort ?? agentPort;
    const root = join(options.state, 'amphorae');
    mkdirSync(root, { recursive: true, mode: 0o700 });
    this.#root = realpathSync(root);
    const addresses = join(options.state, 'addresses');
    this.#addresses = new LoopbackAddresses(addresses, options.cidr ?? '127.77.0.0/16', this.#port);
    this.#agents = new AgentProcesses({
      file: resolve(options.agentFile),
      execArgv: options.execArgv ?? smallNode,
      environment: options.environment ?? {},
      ephemeral: options.ephemeral ?? false,
    });
  }

  /** What every amphora that is started now runs. */
  async currentImage(): Promise<string> {
    return this.#image;
  }

  /** Read when it is first asked for: who only ends machines has no agent at hand. */
  get #image(): string {
    this.#imageId ??= imageOf(this.#options);
    return this.#imageId;
  }

  build(boot: AmphoraBoot): Promise<Compute> {
    return this.#inTurn(boot.amphora_id, async (directory) => {
      if (!directory.machine) {
        await this.#furnish(directory, boot);
        await this.#agents.start(directory);
      } else {
        await this.#bringUp(directory);
      }
      return this.#describe(directory);
    });
  }

  async get(computeId: string): Promise<Compute> {
    return this.#describe(this.#directory(computeId));
  }

  delete(computeId: string): Promise<void> {
    return this.#inTurn(amphoraIdOf(computeId), async (directory) => {
      await this.#end(directory);
      // The directory goes last: as long as it is there the sweep finds the machine.
      this.#addresses.release(directory.amphoraId);
      directory.remove();
    });
  }

  /** All of them are on this machine in any case: a host is a name that some have in common. */
  async hasHosts(): Promise<boolean> {
    return true;
  }

  async deleteHost(hostId: string): Promise<void> {
    const there = AmphoraDirectory.list(this.#root).filter(({ machine }) => machine?.host_id === hostId);
    await Promise.all(there.map(({ amphoraId }) => this.delete(prefix + amphoraId)));
  }

  /** With those that were only half built. */
  async list(): Promise<Compute[]> {
    return Promise.all(AmphoraDirectory.list(this.#root).map((directory) => this.#describe(directory)));
  }

  /** After a start of the service: what still runs is kept, what does not is started again, as a host that comes back does. */
  async adopt(): Promise<{ kept: string[]; relaunched: string[] }> {
    const outcomes: Record<Relaunch, string[]> = { kept: [], relaunched: [], gone: [] };
    for (const { amphoraId } of AmphoraDirectory.list(this.#root)) {
      outcomes[await this.relaunch(prefix + amphoraId)].push(amphoraId);
    }
    // What a build that was cut short before its directory, or a delete after it, has left.
    for (const amphoraId of this.#addresses.holders()) {
      if (!new AmphoraDirectory(this.#root, amphoraId).exists) this.#addresses.release(amphoraId);
    }
    return outcomes;
  }

  /** Starts the agent again if it does not run; nothing is started for a machine that is gone, incomplete or fenced. */
  relaunch(computeId: string): Promise<Relaunch> {
    return this.#inTurn(amphoraIdOf(computeId), (directory) => this.#bringUp(directory));
  }

  /**
   * Turns the machine off, for good: after this it serves nothing, even if its processes are stopped (SIGSTOP). The agent
   * goes with its HAProxy, as it would start that again at once; directory and address stay until delete().
   */
  async fence(amphoraId: string): Promise<void> {
    const directory = new AmphoraDirectory(this.#root, amphoraId);
    if (!directory.exists) return;
    // Before the kill: whoever relaunches it from here on finds it fenced.
    directory.writeFence();
    await this.#inTurn(amphoraId, () => this.#end(directory));
  }

  /** Called when an agent ends that nobody asked to. */
  onExit(listener: ExitListener): void {
    this.#agents.onExit(listener);
  }

  /** Ends every process; the machines stay, and adopt() starts them again. */
  async stopAll(timeoutMs = 5_000): Promise<void> {
    const directories = AmphoraDirectory.list(this.#root);
    for (const { amphoraId } of directories) this.#agents.forget(amphoraId);
    const running = directories.flatMap((directory) => this.#agents.find(directory) ?? []);
    for (const agent of running) signal(agent, 'SIGTERM');
    const deadline = Date.now() + timeoutMs;
    while (directories.some((directory) => this.#agents.find(directory)) && Date.now() < deadline) await sleep(20);
    await Promise.all(directories.map((directory) => this.#end(directory)));
  }

  async #furnish(directory: AmphoraDirectory, boot: AmphoraBoot): Promise<void> {
    directory.make();
    const lb_network_ip = await this.#addresses.reserve(boot.amphora_id);
    const machine = {
      amphora_id: boot.amphora_id,
      lb_network_ip,
      zone: boot.availability_zone,
      server_group: boot.server_group ?? null,
      host_id: boot.host_id ?? null,
      image_id: this.#image,
    };
    directory.fill(boot, machine, this.#settings(directory, machine, boot.heartbeat_key));
  }

  async #bringUp(directory: AmphoraDirectory): Promise<Relaunch> {
    const [machine, before] = [directory.machine, directory.readSettings()];
    if (!machine || !before || directory.isFenced) return 'gone';
    if (this.#agents.adopt(directory)) return 'kept';
    // The service may have moved its queue since.
    directory.writeSettings(this.#settings(directory, machine, before.heartbeat_key));
    await this.#agents.start(directory);
    return 'relaunched';
  }

  async #end(directory: AmphoraDirectory): Promise<void> {
    this.#agents.forget(directory.amphoraId);
    await killAll(() => this.#everyProcessOf(directory));
    await endKeepalived(directory.path);
  }

  async #describe(directory: AmphoraDirectory): Promise<Compute> {
    const machine = directory.machine;
    const state = machine ? await this.#stateOf(directory, machine) : 'GONE';
    return {
      compute_id: prefix + directory.amphoraId,
      amphora_id: directory.amphoraId,
      state,
      lb_network_ip: state === 'RUNNING' ? machine!.lb_network_ip : null,
      zone: machine?.zone ?? null,
      server_group: machine?.server_group ?? null,
      host_id: machine?.host_id ?? null,
      image_id: machine?.image_id ?? null,
    };
  }

  async #stateOf(directory: AmphoraDirectory, machine: Machine): Promise<Compute['state']> {
    if (!this.#agents.find(directory)) return 'GONE';
    return (await accepts(machine.lb_network_ip, this.#port)) ? 'RUNNING' : 'BOOTING';
  }

  #settings(directory: AmphoraDirectory, machine: Machine, heartbeat_key: string): AgentSettings {
    return {
      ...this.#options.agent,
      amphora_id: machine.amphora_id,
      bind_address: machine.lb_network_ip,
      bind_port: this.#port,
      source_address: machine.lb_network_ip,
      directory: directory.workingDirectory,
      server_certificate_file: 'server.pem',
      server_private_key_file: 'server-key.pem',
      ca_certificate_file: 'ca.pem',
      heartbeat_key,
      ends_with_stdin: this.#options.ephemeral ?? false,
    };
  }

  /** An agent whose start was never noted counts too, and what HAProxy it left behind. */
  #everyProcessOf(directory: AmphoraDirectory): ProcessIdentity[] {
    const isAgent = (pid: number) => isAgentOf(directory.settingsFile, pid);
    const haproxy = basename(this.#options.agent.haproxy_path);
    const found = findProcesses((pid) => isAgent(pid) || belongsTo(directory.path, haproxy, pid));
    const groups = found.filter(({ pid }) => isAgent(pid)).flatMap(({ pid }) => findGroup(pid));
    const noted = directory.process;
    const ending = noted && isSame(noted) && isExiting(noted.pid) ? [noted] : [];
    return [...found, ...groups, ...ending];
  }

  #directory(computeId: string): AmphoraDirectory {
    return new AmphoraDirectory(this.#root, amphoraIdOf(computeId));
  }

  #inTurn<T>(amphoraId: string, work: (directory: AmphoraDirectory) => Promise<T>): Promise<T> {
    const directory = new AmphoraDirectory(this.#root, amphoraId);
    const before = this.#turns.get(amphoraId) ?? Promise.resolve();
    const turn = before.catch(() => {}).then(() => work(directory));
    this.#turns.set(amphoraId, turn);
    const leave = () => this.#turns.get(amphoraId) === turn && this.#turns.delete(amphoraId);
    turn.then(leave, leave);
    return turn;
  }
}

/** The digest of the agent, and the name when there is one. */
function imageOf({ agentFile, imageName = '' }: ProcessComputeOptions): string {
  const digest = createHash('sha256').update(readFileSync(agentFile)).digest('hex').slice(0, 16);
  return imageName === '' ? digest : `${imageName}-${digest}`;
}

const amphoraIdOf = (computeId: string): string => computeId.replace(prefix, '');

/** Measured: an agent holds 37 MiB of its own instead of 45. Collecting on one thread, of so little, costs it nothing. */
const smallNode = ['--max-old-space-size=64', '--max-semi-space-size=1', '--v8-pool-size=0'];

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: connectTimeoutMs });
    const answer = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
    socket.once('timeout', () => answer(false));
  });
}
