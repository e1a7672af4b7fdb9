// OpenStack's own client with the plugin for the key manager (python-barbicanclient), as a user types it.
import { execFile, spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { LocalService } from './local-service.ts';

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The one `openstack` itself runs by: another python on the path may not have the plugin. */
const interpreterOf = (program: string): string =>
  readFileSync(program, 'utf8')
    .split('\n')[0]!
    .replace(/^#!\s*/, '')
    .trim();

const hasPlugin = (program: string): boolean =>
  spawnSync(interpreterOf(program), ['-c', 'import barbicanclient, openstackclient']).status === 0;

const program = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((directory) => join(directory, 'openstack'))
  .filter(isProgram)
  .find(hasPlugin);

export const hasKeyManagerClient = program !== undefined;
if (!hasKeyManagerClient)
  process.stdout.write(
    "\n  SKIPPED: no command of OpenStack's client for the key manager is tested, no program openstack has it: apt-get install python3-openstackclient python3-barbicanclient\n\n",
  );

/** @returns what it printed. @throws the error of execFile, with what the client said */
export async function keyManagerCommand(service: LocalService, words: string[]): Promise<string> {
  const env = { ...process.env, OS_CLIENT_CONFIG_FILE: join(service.state, 'clouds.yaml'), OS_CLOUD: 'octavia' };
  return (await promisify(execFile)(program!, words, { env })).stdout;
}
