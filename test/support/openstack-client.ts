// OpenStack's own client (python-openstackclient with python-octaviaclient) as an operator types it, against a cloud of clouds.yaml.
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { LocalService } from './local-service.ts';

const session = new URL('openstack-client.py', import.meta.url).pathname;
const packages = 'apt-get install python3-openstackclient python3-octaviaclient';

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const program = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((directory) => join(directory, 'openstack'))
  .find(isProgram);

/** The one `openstack` itself runs by: another python on the path may not have the client. */
const interpreter = (): string =>
  readFileSync(program!, 'utf8')
    .split('\n')[0]!
    .replace(/^#!\s*/, '')
    .trim();

function lack(): string {
  if (program === undefined) return 'there is no program openstack';
  const { status } = spawnSync(interpreter(), ['-c', 'import octaviaclient, openstackclient']);
  return status === 0 ? '' : 'its plugin for load balancers is not installed';
}

/** Why it cannot be run, or nothing. */
const missing = lack();
export const hasOpenStackClient = missing === '';
if (!hasOpenStackClient)
  process.stdout.write(`\n  SKIPPED: no command of OpenStack's client is tested, ${missing}: ${packages}\n\n`);

/** The client ended with an error, and said this. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
}

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

const environmentOf = (service: LocalService): NodeJS.ProcessEnv => ({
  ...process.env,
  OS_CLIENT_CONFIG_FILE: join(service.state, 'clouds.yaml'),
});

/** A process of its own, as the README has it. */
export async function openstack(service: LocalService, words: string[]): Promise<string> {
  return (await promisify(execFile)(program!, words, { env: environmentOf(service) })).stdout;
}

export class OpenStackClient implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #cloud: string;
  readonly #waiting: ((ended: Ended) => void)[] = [];
  readonly #closed: Promise<void>;

  constructor(service: LocalService, cloud = 'octavia') {
    this.#cloud = cloud;
    this.#child = spawn(interpreter(), [session], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: environmentOf(service),
    });
    const lines = createInterface({ input: this.#child.stdout! });
    lines.on('line', (line) => {
      if (line === 'ready') return;
      const [code, stdout, stderr] = JSON.parse(line);
      this.#waiting.shift()?.({ code, stdout, stderr });
    });
    this.#closed = new Promise((resolve) => this.#child.once('close', () => resolve(this.#abandon())));
  }

  #abandon(): void {
    for (const end of this.#waiting.splice(0)) end({ code: 1, stdout: '', stderr: 'the session ended' });
  }

  /**
   * @param command words without spaces in them; @param words those that may have some
   * @returns what it printed. @throws CommandFailed
   */
  async run(command: string, ...words: string[]): Promise<string> {
    const argv = ['--os-cloud', this.#cloud, 'loadbalancer', ...command.split(/\s+/).filter(Boolean), ...words];
    const ended = new Promise<Ended>((resolve) => this.#waiting.push(resolve));
    this.#child.stdin!.write(`${JSON.stringify(argv)}\n`);
    const { code, stdout, stderr } = await ended;
    if (code !== 0) throw new CommandFailed(`${command}: ${stderr.trim()}`);
    return stdout;
  }

  async json(command: string, ...words: string[]): Promise<any> {
    return JSON.parse(await this.run(command, ...words, '-f', 'json'));
  }

  /** The values of a column of a list. */
  async column(name: string, command: string, ...words: string[]): Promise<unknown[]> {
    const rows: Record<string, unknown>[] = await this.json(command, ...words);
    return rows.map((row) => row[name]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin!.end();
    this.#child.kill();
    await this.#closed;
  }
}
