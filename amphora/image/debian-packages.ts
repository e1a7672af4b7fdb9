// Packages of Debian with all they need, in a directory that apt installs from without a network: for amphorae in subnets that
// reach no mirror. Of any architecture: nothing of them is run.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface PackagesWish {
  suite: string;
  architecture: string;
  mirror: string;
  names: string[];
  /** Is made. */
  directory: string;
}

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** An apt that knows nothing of this machine, so that everything is missing. */
function emptyApt(root: string, { suite, architecture, mirror }: PackagesWish): string[] {
  for (const path of [
    'etc/apt/preferences.d',
    'var/lib/dpkg',
    'var/lib/apt/lists/partial',
    'var/cache/apt/archives/partial',
  ])
    mkdirSync(join(root, path), { recursive: true });
  writeFileSync(join(root, 'var/lib/dpkg/status'), '');
  const security = mirror.replace(/debian\/?$/, 'debian-security');
  const source = (url: string, name: string) => `deb [signed-by=${keyring}] ${url} ${name} main\n`;
  const sources = source(mirror, suite) + source(mirror, `${suite}-updates`) + source(security, `${suite}-security`);
  writeFileSync(join(root, 'etc/apt/sources.list'), sources);
  const settings = {
    Dir: root,
    'Dir::State::status': join(root, 'var/lib/dpkg/status'),
    'Dir::Etc::Parts': join(root, 'none'),
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

export function downloadPackages(wish: PackagesWish): void {
  const root = mkdtempSync(join(tmpdir(), 'octavia-apt-'));
  try {
    const options = emptyApt(root, wish);
    // The machine's own pieces of configuration would keep nothing of what was downloaded.
    const env = { ...process.env, APT_CONFIG: '/dev/null' };
    const apt = (...words: string[]) =>
      execFileSync('apt-get', ['-qq', ...options, ...words], { stdio: ['ignore', 2, 2], env });
    apt('update');
    apt('-y', '--no-install-recommends', '--download-only', 'install', ...wish.names);
    keep(join(root, 'var/cache/apt/archives'), wish.directory);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** With the index that apt asks a mirror for. */
function keep(archives: string, directory: string): void {
  mkdirSync(directory, { recursive: true });
  const files = readdirSync(archives)
    .filter((name) => name.endsWith('.deb'))
    .sort();
  // A colon in a file's name is written %3a by apt, which it would read back as a colon.
  const entries = files
    .map((name) => [name, name.replaceAll('%', '_')] as const)
    .map(([name, plain]) => {
      renameSync(join(archives, name), join(directory, plain));
      return entryOf(directory, plain);
    });
  writeFileSync(join(directory, 'Packages'), entries.join('\n'));
}

function entryOf(directory: string, name: string): string {
  const file = join(directory, name);
  const control = execFileSync('dpkg-deb', ['--field', file], { encoding: 'utf8' });
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
  return `${control}Filename: ./${name}\nSize: ${statSync(file).size}\nSHA256: ${sha256}\n`;
}
