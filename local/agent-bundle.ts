// The agent as amphorae run it: one file. Made again only when its source or the dependencies have changed.
import { createHash } from 'node:crypto';
import { accessSync, chmodSync, constants, globSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function sourceDigest(): string {
  const hash = createHash('sha256');
  const files = [...globSync('amphora/**/*.ts', { cwd: root }), 'package-lock.json'].sort();
  for (const file of files) hash.update(file).update(readFileSync(join(root, file)));
  return hash.digest('hex').slice(0, 16);
}

const isThere = (file: string, mode: number): boolean => {
  try {
    accessSync(file, mode);
    return true;
  } catch {
    return false;
  }
};

/** Beside the dependencies, for every user of the checkout; in the state directory for a user who may not write there. */
function writableDirectory(state: string): string {
  const shared = join(root, 'node_modules', '.cache', 'octavia');
  try {
    mkdirSync(shared, { recursive: true, mode: 0o755 });
  } catch {
    return state;
  }
  return isThere(shared, constants.W_OK) ? shared : state;
}

/**
 * @param state directory of the service, for a bundle that cannot lie beside the dependencies
 * @returns the path of the bundle
 */
export async function bundledAgent(state: string): Promise<string> {
  const name = `agent-${sourceDigest()}.mjs`;
  const shared = join(root, 'node_modules', '.cache', 'octavia', name);
  if (isThere(shared, constants.R_OK)) return shared;
  const file = join(writableDirectory(state), name);
  if (isThere(file, constants.R_OK)) return file;
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
  // What is written here is nobody's secret, whatever the umask.
  chmodSync(half, 0o644);
  renameSync(half, file);
  await stop();
  return file;
}
