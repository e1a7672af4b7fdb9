// Machines of an amphora image without a hypervisor: each is the image's root filesystem, read-only, with mounts, processes and the
// agent's user of its own; what systemd would run is read from the image's unit. The network is this machine's.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BootDocument, BootSettings } from '../../amphora/boot-document.ts';
import { cacheDirectory, debootstrapPath, hasStock, type RootWish } from '../../amphora/image/root-filesystem.ts';
import type { AmphoraBoot, Compute, ComputeDriver } from '../../lambdas/drivers/compute/compute-driver.ts';
import type { InstanceWorld } from './instance-world.ts';

export const imageWish: RootWish = {
  suite: 'bookworm',
  mirror: process.env['DEBIAN_MIRROR'] ?? 'http://deb.debian.org/debian',
  cache: cacheDirectory(process.env),
};

const mirrorTimeoutMs = 5_000;

/** Why no image can be made or run here; null when one can. */
export async function obstacleToImages(): Promise<string | null> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root may make a root filesystem';
  try {
    execFileSync('unshare', ['--mount', '--pid', '--fork', 'true'], { stdio: 'ignore' });
  } catch {
    return 'this machine lets nobody have mounts of his own';
  }
  if (hasStock(imageWish)) return null;
  if (!existsSync(debootstrapPath)) return 'debootstrap is not installed, and no root filesystem was made before';
  const release = `${imageWish.mirror}/dists/${imageWish.suite}/InRelease`;
  const answer = await fetch(release, { signal: AbortSignal.timeout(mirrorTimeoutMs) }).catch(() => undefined);
  return answer?.ok ? null : `${imageWish.mirror} does not answer, and no root filesystem was made before`;
}

const unitOf = (root: string): string => readFileSync(join(root, 'etc/systemd/system/octavia-agent.service'), 'utf8');
const settingOf = (unit: string, name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)![1]!;
const capabilities = (text: string): string =>
  text
    .split(' ')
    .map((name) => `+${name.replace('CAP_', '').toLowerCase()}`)
    .join(',');

/** What systemd does between the unit and its programs: sandbox, user, rights, credentials. */
function scriptOf(root: string, metadata: string): string {
  const unit = unitOf(root);
  const ambient = capabilities(settingOf(unit, 'AmbientCapabilities'));
  const user = [
    // Whoever becomes somebody else forgets that it was to end with its parent.
    'chroot "$root" setpriv --pdeathsig=KILL --reuid=octavia --regid=octavia --clear-groups --no-new-privs',
    `--bounding-set=-all,${capabilities(settingOf(unit, 'CapabilityBoundingSet'))}`,
    `--inh-caps=-all,${ambient} --ambient-caps=-all,${ambient}`,
  ].join(' ');
  return `set -eu
    mount --bind "$root" "$root"
    mount -o remount,bind,ro "$root"
    for place in var/lib run tmp; do mount -t tmpfs tmpfs "$root/$place"; done
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mkdir -m 700 "$root/var/lib/octavia" "$root/run/credentials"
    chroot "$root" chown octavia:octavia /var/lib/octavia /run/credentials
    umask 077
    cat > "$root/run/credentials/boot.json"
    chroot "$root" chown octavia:octavia /run/credentials/boot.json
    export CREDENTIALS_DIRECTORY=/run/credentials
    ${user} ${settingOf(unit, 'ExecStartPre')} --metadata ${metadata}
    exec ${user} ${settingOf(unit, 'ExecStart')}`;
}

interface Machine {
  process: ChildProcess;
  boot: AmphoraBoot;
  address: string;
}

export class ImageCompute implements ComputeDriver {
  /** What machines have said, by amphora. */
  readonly output = new Map<string, string>();
  readonly #machines = new Map<string, Machine>();
  readonly #root: string;
  readonly #world: InstanceWorld;
  readonly #settings: BootSettings;
  readonly #nextAddress: () => string;

  constructor(root: string, world: InstanceWorld, settings: BootSettings, nextAddress: () => string) {
    this.#root = root;
    this.#world = world;
    this.#settings = settings;
    this.#nextAddress = nextAddress;
  }

  async currentImage(): Promise<string> {
    return this.#root;
  }

  async build(boot: AmphoraBoot): Promise<Compute> {
    if (!this.#machines.has(boot.amphora_id)) this.#start(boot, this.#nextAddress());
    return this.get(boot.amphora_id);
  }

  #start(boot: AmphoraBoot, address: string): void {
    const { amphora_id, server_certificate, server_private_key, ca_certificate, heartbeat_key } = boot;
    const bundle = { amphora_id, server_certificate, server_private_key, ca_certificate, heartbeat_key };
    const where = this.#world.put(amphora_id, address, { version: 1, ...bundle });
    const document: BootDocument = { version: 1, amphora_id, bundle: where, settings: this.#settings };
    const script = scriptOf(this.#root, this.#world.metadataOf(amphora_id));
    // All of it ends with the first of its processes, and that with this one.
    const isolated = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script];
    const child = spawn('unshare', isolated, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', root: this.#root },
    });
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output.set(amphora_id, (this.output.get(amphora_id) ?? '') + text);
      });
    child.stdin.on('error', () => {}).end(JSON.stringify(document));
    this.#machines.set(amphora_id, { process: child, boot, address });
  }

  async get(amphoraId: string): Promise<Compute> {
    const machine = this.#machines.get(amphoraId);
    const isThere = machine !== undefined && machine.process.exitCode === null && machine.process.signalCode === null;
    const isListening = isThere && (this.output.get(amphoraId) ?? '').includes('"message":"listening"');
    return {
      compute_id: amphoraId,
      amphora_id: amphoraId,
      state: isThere ? (isListening ? 'RUNNING' : 'BOOTING') : 'GONE',
      lb_network_ip: isListening ? machine.address : null,
      zone: null,
      image_id: this.#root,
    };
  }

  async delete(amphoraId: string): Promise<void> {
    const machine = this.#machines.get(amphoraId);
    if (!machine) return;
    const { process: child } = machine;
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    this.#machines.delete(amphoraId);
  }

  async hasHosts(): Promise<boolean> {
    return false;
  }

  async deleteHost(): Promise<void> {}

  async list(): Promise<Compute[]> {
    return Promise.all([...this.#machines.keys()].map((id) => this.get(id)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#machines.keys()].map((id) => this.delete(id)));
  }
}
