// The agent as amphorae run it: one file. Made again only when its source or the dependencies have changed.
import { createHash } from 'node:crypto';
import { accessSync, constants, globSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleProgram } from '../amphora/image/bundle.ts';

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
  await bundleProgram(join(root, 'amphora/agent/main.ts'), file);
  return file;
}
