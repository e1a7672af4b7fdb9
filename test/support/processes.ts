// Which processes belong to a state directory, as /proc tells it: the service, its agents and their HAProxies.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface ProcessOfState {
  pid: number;
  kind: 'service' | 'agent' | 'haproxy' | 'other';
  command: string;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function workingDirectory(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

/** A zombie has ended; nobody has asked how. */
const hasEnded = (pid: number): boolean => !/^\d+ \(.*\) [^ZX]/s.test(read(`/proc/${pid}/stat`));

function kindOf(pid: number, words: string[]): ProcessOfState['kind'] {
  if (read(`/proc/${pid}/comm`).startsWith('haproxy')) return 'haproxy';
  if (words.includes('--config')) return 'agent';
  return words.some((word) => word.endsWith('local/main.ts')) ? 'service' : 'other';
}

/** Whoever names the directory on its command line or works in it. */
export function processesOf(directory: string): ProcessOfState[] {
  const isWithin = (path: string) => path === directory || path.startsWith(`${directory}/`);
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).flatMap((pid) => {
    const words = read(`/proc/${pid}/cmdline`).split('\0');
    if (pid === process.pid || hasEnded(pid)) return [];
    if (!words.some(isWithin) && !isWithin(workingDirectory(pid))) return [];
    return [{ pid, kind: kindOf(pid, words), command: words.join(' ').trim() }];
  });
}

export const isRunning = (pid: number): boolean => !hasEnded(pid);

export const childrenOf = (pid: number): number[] =>
  read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);

export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
