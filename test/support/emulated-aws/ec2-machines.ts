// EC2 beside the emulator, which moves no addresses and boots nothing: the strict fake of the drivers' tests, whose machines are real
// amphorae. Each becomes one by the boot program, out of its user data, and runs the agent with HAProxy on a loopback address.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentSettings } from '../../../amphora/agent-api.ts';
import { becomeAmphora } from '../../../amphora/boot/become-amphora.ts';
import type { FakeInstance } from '../fake-ec2/account.ts';
import { FakeEc2 } from '../fake-ec2/fake-ec2.ts';

const patience = { forMs: 20_000, pauseMs: 200 };
const agent = new URL('../../../amphora/agent/main.ts', import.meta.url).pathname;

/** A subnet of loopback addresses, nobody else's. */
export interface LoopbackSubnet {
  id: string;
  vpc: string;
  zone: string;
  cidr: string;
  vips: string;
}

export class Ec2Machines implements AsyncDisposable {
  readonly ec2: FakeEc2;
  /** Why machines did not become amphorae. */
  readonly failures: unknown[] = [];
  readonly #directory = mkdtempSync(join(tmpdir(), 'octavia-ec2-'));
  /** Of each that was started, its agent. */
  readonly #started = new Map<string, Promise<ChildProcess | undefined>>();

  private constructor(ec2: FakeEc2) {
    this.ec2 = ec2;
    ec2.onDone = () => this.#look();
  }

  /** @param imageTag of the one image there is */
  static async start(subnets: LoopbackSubnet[], imageTag: string): Promise<Ec2Machines> {
    const ec2 = await FakeEc2.start(subnets.map(({ vips: reserved, ...subnet }) => ({ ...subnet, reserved })));
    const tags = [{ key: 'octavia:image-tag', value: imageTag }];
    const image = { id: 'ami-1', name: 'amphora', owner: 'self', created: '2026-01-01T00:00:00.000Z', tags, since: -1 };
    ec2.account.images.set(image.id, image);
    return new Ec2Machines(ec2);
  }

  get running(): FakeInstance[] {
    return [...this.ec2.account.instances.values()].filter(({ ended }) => ended === undefined);
  }

  #look(): void {
    for (const instance of this.ec2.account.instances.values()) {
      if (instance.ended !== undefined) void this.#end(instance.id);
      else if (!this.#started.has(instance.id)) this.#started.set(instance.id, this.#boot(instance));
    }
  }

  async #boot({ id, userData }: FakeInstance): Promise<ChildProcess | undefined> {
    const directory = join(this.#directory, id);
    const document = `${directory}.json`;
    writeFileSync(document, userData.split('\n').find((line) => line.startsWith('{'))!);
    const [its] = this.ec2.account.interfacesOf(id);
    const metadata = { localAddress: async () => its!.addresses[0]! };
    try {
      await becomeAmphora({ document, directory, metadata, patience });
      return this.#run(directory);
    } catch (error) {
      this.failures.push(error);
      return undefined;
    }
  }

  /** Loopback has every address already, and nothing of this outlives the test. */
  #run(directory: string): ChildProcess {
    const file = join(directory, 'settings.json');
    const { vip_interface: _, ...settings } = JSON.parse(readFileSync(file, 'utf8')) as AgentSettings;
    writeFileSync(file, JSON.stringify({ ...settings, ends_with_stdin: true }));
    const args = ['--disable-warning=ExperimentalWarning', agent, '--config', file];
    return spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'inherit'], env: { ...process.env } });
  }

  async #end(id: string): Promise<void> {
    const child = await this.#started.get(id);
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.stdin!.end();
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#started.keys()].map((id) => this.#end(id)));
    await this.ec2[Symbol.asyncDispose]();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
