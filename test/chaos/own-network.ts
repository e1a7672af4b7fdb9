// A network namespace for one run of chaos: what is cut in it is cut for nobody else, and it is gone with its last process.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** Programs, and Debian's packages of them. */
const tools = { unshare: 'util-linux', ip: 'iproute2', nft: 'nftables' };
const begin = 'ip link set lo up && exec "$@"';

const inOwnNetwork = (command: string[]): [string, string[]] => [
  'unshare',
  ['--net', 'sh', '-c', begin, 'sh', ...command],
];

/** @returns why nothing can be cut on this machine; undefined where it can */
export function obstacleToPartitions(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are of Linux';
  if (process.getuid?.() !== 0) return 'only root may make a network namespace';
  for (const [tool, debianPackage] of Object.entries(tools))
    if (spawnSync(tool, ['--version']).error) return `${tool} is not installed (package ${debianPackage})`;
  const trial = spawnSync(...inOwnNetwork(['nft', 'add table ip trial']), { encoding: 'utf8' });
  return trial.status === 0 ? undefined : `this kernel does not let us: ${trial.stderr.trim()}`;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs a program of Node in a namespace of its own, and hands signals on to it. @returns its exit code */
export async function runInOwnNetwork(program: string, args: string[]): Promise<number> {
  const [file, words] = inOwnNetwork([process.execPath, ...process.execArgv, program, ...args]);
  // A group of its own: Ctrl-C comes once, and from here.
  const child = spawn(file, words, { stdio: 'inherit', detached: true });
  const handOn = (signal: NodeJS.Signals) => void child.kill(signal);
  for (const signal of signals) process.on(signal, handOn);
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}
