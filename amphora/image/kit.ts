// Makes the kit that install.sh is run from: `node amphora/image/kit.ts DIRECTORY [--node ARCHITECTURE] [--debs SUITE --mirror URL] [--archive]`.
// Without options it is the same for every architecture and made without a network; Image Builder's machines fetch the rest.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleProgram } from './bundle.ts';
import { downloadPackages } from './debian-packages.ts';

export type Architecture = 'amd64' | 'arm64';
export const architectures: Architecture[] = ['amd64', 'arm64'];

interface PinnedNode {
  package: string;
  /** As npm's registry and lockfiles have it. */
  integrity: string;
}

const here = dirname(fileURLToPath(import.meta.url));
const pins = JSON.parse(readFileSync(join(here, 'node.json'), 'utf8')) as { version: string } & Record<
  Architecture,
  PinnedNode
>;

export const packageNames = (): string[] =>
  readFileSync(join(here, 'packages'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));

/** What install.sh reads: architecture, URL, SHA-512 in hex, version. */
function nodeLine(architecture: Architecture): string {
  const { package: name, integrity } = pins[architecture];
  const sha512 = Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex');
  const url = `https://registry.npmjs.org/${name}/-/${name}-${pins.version}.tgz`;
  return `${architecture} ${url} ${sha512} ${pins.version}\n`;
}

/** @param directory is made, or made anew */
export async function makeKit(directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const name of ['install.sh', 'packages', 'root'])
    cpSync(join(here, name), join(directory, name), { recursive: true });
  writeFileSync(join(directory, 'node'), architectures.map(nodeLine).join(''));
  await bundleProgram(join(here, '../agent/main.ts'), join(directory, 'agent.mjs'));
  await bundleProgram(join(here, '../boot/main.ts'), join(directory, 'boot.mjs'));
}

/** Node of the architecture, by npm, from wherever the user's npm gets packages. What it is, install.sh checks. */
export function addNode(directory: string, architecture: Architecture): void {
  const { package: name } = pins[architecture];
  const said = execFileSync('npm', ['pack', '--silent', `${name}@${pins.version}`], {
    cwd: directory,
    encoding: 'utf8',
  });
  renameSync(join(directory, said.trim()), join(directory, `node-${architecture}.tgz`));
}

/** The same bytes for the same contents. */
function archive(directory: string): string {
  const file = `${directory}.tar.gz`;
  const order = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0'];
  execFileSync('tar', ['--create', '--use-compress-program=gzip -n', '--file', file, '-C', directory, ...order, '.']);
  return file;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      node: { type: 'string' },
      debs: { type: 'string' },
      mirror: { type: 'string', default: 'http://deb.debian.org/debian' },
      archive: { type: 'boolean', default: false },
    },
  });
  const [directory] = positionals;
  const architecture = architectures.find((one) => one === values.node);
  if (directory === undefined || (values.node ?? architecture) !== architecture || (values.debs && !architecture)) {
    process.stderr.write(
      'usage: kit.ts DIRECTORY [--node amd64|arm64 [--debs bookworm|trixie [--mirror URL]]] [--archive]\n',
    );
    process.exit(2);
  }
  await makeKit(directory);
  if (architecture) addNode(directory, architecture);
  if (architecture && values.debs) {
    const { debs: suite, mirror } = values;
    downloadPackages({ suite, architecture, mirror, names: packageNames(), directory: join(directory, 'debs') });
  }
  process.stdout.write(`${values.archive ? archive(directory) : directory}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
