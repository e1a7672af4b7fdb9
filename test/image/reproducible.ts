// `node local/bootstrap.mjs test/image/reproducible.ts`, as root with debootstrap: makes the root filesystem twice from nothing, and says in which
// files they differ. Contents, kinds, modes, owners and links are compared; times are not. Ends with 1 when there is a difference.
import { createHash } from 'node:crypto';
import { globSync, lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { amphoraRoot } from '../../amphora/image/root-filesystem.ts';
import { imageWish } from '../support/image-amphorae.ts';

function entryOf(root: string, path: string): string {
  const file = join(root, path);
  const about = lstatSync(file);
  const kind = about.isSymbolicLink() ? 'link' : about.isFile() ? 'file' : about.isDirectory() ? 'directory' : 'other';
  const contents = {
    link: () => readlinkSync(file),
    file: () => readFileSync(file),
    directory: () => '',
    other: () => '',
  };
  const digest = createHash('sha256').update(contents[kind]()).digest('hex');
  return [kind, about.mode.toString(8), about.uid, about.gid, digest].join(' ');
}

async function build(): Promise<Map<string, string>> {
  const cache = mkdtempSync(join(tmpdir(), 'octavia-image-'));
  try {
    const since = performance.now();
    const root = await amphoraRoot({ ...imageWish, cache });
    console.log(`made in ${((performance.now() - since) / 1_000).toFixed(0)} s`);
    return new Map(globSync('**', { cwd: root }).map((path) => [path, entryOf(root, path)]));
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

const [first, second] = [await build(), await build()];
const paths = [...new Set([...first.keys(), ...second.keys()])].sort();
const different = paths.filter((path) => first.get(path) !== second.get(path));
console.log(`${paths.length} files, links and directories; ${different.length} differ`);
for (const path of different)
  console.log(`  ${path}: ${first.get(path) ?? 'absent'} | ${second.get(path) ?? 'absent'}`);
if (paths.length < 1_000 || different.length > 0) process.exitCode = 1;
