// The root filesystem of an amphora, made here by what makes AMIs: debootstrap for the stock image, then install.sh in it.
// What takes minutes is kept in the user's cache by what it was made of.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Architecture, addNode, makeKit } from './kit.ts';

export const debootstrapPath = '/usr/sbin/debootstrap';
const here = dirname(fileURLToPath(import.meta.url));
/** 2025-01-01: files and accounts made by the installation say that they were made then. */
const sourceDate = '1735689600';

export interface RootWish {
  suite: 'bookworm' | 'trixie';
  mirror: string;
  /** Directory that is kept between runs. */
  cache: string;
}

export const cacheDirectory = (environment: NodeJS.ProcessEnv): string =>
  join(environment['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'octavia', 'amphora-image');

const architecture: Architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

const digestOf = (parts: (string | Buffer)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 16);
};

const inImage = (name: string): Buffer => readFileSync(join(here, name));

/** Debian with the packages of an amphora; of the installation only what is about packages is in its name. */
const stockName = ({ suite }: RootWish): string => {
  const [packagesPart = ''] = inImage('install.sh').toString().split('# Debian has no Node 24.');
  return `stock-${digestOf([suite, architecture, packagesPart, inImage('packages')])}`;
};

/** Whether a root can be made without a network. */
export const hasStock = (wish: RootWish): boolean => existsSync(join(wish.cache, stockName(wish)));

/** What a machine without EC2's kernel needs besides, to be booted whole. */
const bootPackages = [
  `linux-image-cloud-${architecture}`,
  'initramfs-tools',
  'udev',
  'isc-dhcp-client',
  'systemd-resolved',
];

export interface BootableDisk {
  disk: string;
  kernel: string;
  initrd: string;
}

/** @param root of `amphoraRoot` @returns a raw disk with it and a kernel of Debian's, not to be written to */
export function bootableDisk(root: string, cache: string): BootableDisk {
  const directory = whole(cache, basename(root).replace('root-', 'disk-'), (half) => {
    const copy = join(half, 'copy');
    execFileSync('cp', ['--archive', '--reflink=auto', root, copy]);
    cpSync('/etc/resolv.conf', join(copy, 'etc/resolv.conf'), { dereference: true });
    inRoot(copy, 'apt-get', '-qq', 'update');
    inRoot(copy, 'apt-get', '-qq', '-y', '--no-install-recommends', 'install', ...bootPackages);
    rmSync(join(copy, 'etc/resolv.conf'), { force: true });
    writeFileSync(join(copy, 'etc/fstab'), '/dev/vda / ext4 defaults 0 1\n');
    for (const [pattern, name] of [
      ['vmlinuz-*', 'vmlinuz'],
      ['initrd.img-*', 'initrd.img'],
    ] as const)
      cpSync(join(copy, 'boot', globSync(pattern, { cwd: join(copy, 'boot') })[0]!), join(half, name));
    execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', copy, join(half, 'disk.raw'), '2500M'], { stdio: 'ignore' });
    rmSync(copy, { recursive: true });
  });
  return {
    disk: join(directory, 'disk.raw'),
    kernel: join(directory, 'vmlinuz'),
    initrd: join(directory, 'initrd.img'),
  };
}

/** Runs in the root with a /proc that is gone with the program, as is whatever it leaves running. */
function inRoot(root: string, ...command: string[]): void {
  const script = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"';
  execFileSync('unshare', ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script, root, ...command], {
    stdio: ['ignore', 2, 2],
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      SOURCE_DATE_EPOCH: sourceDate,
      DEBIAN_FRONTEND: 'noninteractive',
      LC_ALL: 'C',
    },
  });
}

/** Makes a directory whole or not at all. @returns its path */
function whole(cache: string, name: string, make: (directory: string) => void): string {
  const directory = join(cache, name);
  if (existsSync(directory)) return directory;
  mkdirSync(cache, { recursive: true });
  const half = mkdtempSync(join(cache, 'half-'));
  try {
    make(half);
    // A root that only root may enter is of no use to the agent's user.
    chmodSync(half, 0o755);
    renameSync(half, directory);
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
  return directory;
}

function withKit(root: string, kit: string, ...steps: string[]): void {
  const place = join(root, 'opt/octavia-kit');
  cpSync(kit, place, { recursive: true });
  for (const step of steps) inRoot(root, 'sh', '/opt/octavia-kit/install.sh', step);
  rmSync(place, { recursive: true });
}

/** What a machine of Debian's has, and the packages. */
function makeStock(root: string, kit: string, { suite, mirror }: RootWish): void {
  execFileSync(debootstrapPath, ['--variant=minbase', `--arch=${architecture}`, suite, root, mirror], {
    stdio: ['ignore', 'ignore', 2],
    env: { ...process.env, SOURCE_DATE_EPOCH: sourceDate },
  });
  const security = mirror.replace(/debian\/?$/, 'debian-security');
  const sources = [`${mirror} ${suite}`, `${mirror} ${suite}-updates`, `${security} ${suite}-security`];
  writeFileSync(join(root, 'etc/apt/sources.list'), sources.map((source) => `deb ${source} main\n`).join(''));
  cpSync('/etc/resolv.conf', join(root, 'etc/resolv.conf'), { dereference: true });
  withKit(root, kit, 'packages');
  rmSync(join(root, 'etc/resolv.conf'));
}

/** @returns the path of a root that is not to be changed: it is kept for the next who asks */
export async function amphoraRoot(wish: RootWish): Promise<string> {
  const { cache } = wish;
  const kit = join(cache, `kit-${process.pid}`);
  await makeKit(kit);
  try {
    cpSync(nodeTarball(cache), join(kit, `node-${architecture}.tgz`));
    const stock = whole(cache, stockName(wish), (root) => makeStock(root, kit, wish));
    const name = `root-${digestOf([stockName(wish), ...contentsOf(kit)])}`;
    forgetOthers(cache, [stockName(wish), name, name.replace('root-', 'disk-')]);
    return whole(cache, name, (root) => {
      execFileSync('cp', ['--archive', '--reflink=auto', `${stock}/.`, root]);
      withKit(root, kit, 'files', 'seal');
    });
  } finally {
    rmSync(kit, { recursive: true, force: true });
  }
}

function nodeTarball(cache: string): string {
  const name = `node-${digestOf([inImage('node.json')])}`;
  const directory = whole(cache, name, (half) => addNode(half, architecture));
  return join(directory, `node-${architecture}.tgz`);
}

const contentsOf = (kit: string): (string | Buffer)[] =>
  globSync('**/*', { cwd: kit, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.tgz'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .flatMap((file) => [file.slice(kit.length), readFileSync(file)]);

/** Roots of agents that have changed since would fill the disk; one of another run that is under way is in use for minutes. */
function forgetOthers(cache: string, kept: string[]): void {
  const old = readdirSync(cache).filter((name) => /^(root|stock|disk)-/.test(name) && !kept.includes(name));
  for (const name of old.sort().slice(0, -2)) rmSync(join(cache, name), { recursive: true, force: true });
}
