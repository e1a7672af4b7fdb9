// The agent as amphorae run it: one file. Made again only when its source or the dependencies have changed.
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function sourceDigest(): string {
  const hash = createHash('sha256');
  const files = [...globSync('amphora/**/*.ts', { cwd: root }), 'package-lock.json'].sort();
  for (const file of files) hash.update(file).update(readFileSync(join(root, file)));
  return hash.digest('hex').slice(0, 16);
}

/** @returns the path of the bundle */
export async function bundledAgent(): Promise<string> {
  const directory = join(root, 'node_modules', '.cache', 'octavia');
  const file = join(directory, `agent-${sourceDigest()}.mjs`);
  if (existsSync(file)) return file;
  mkdirSync(directory, { recursive: true });
  const { build, stop } = await import('esbuild');
  const half = `${file}.${process.pid}`;
  await build({
    entryPoints: [join(root, 'amphora/agent/main.ts')],
    outfile: half,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    minify: true,
    mainFields: ['module', 'main'],
    // CommonJS parts of the SDK ask for require; a long name cannot meet a minified one.
    banner: {
      js: "import{createRequire as octaviaAgentRequire}from'node:module';const require=octaviaAgentRequire(import.meta.url);",
    },
  });
  renameSync(half, file);
  await stop();
  return file;
}
