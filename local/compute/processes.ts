// Finds and ends the processes of an amphora. /proc is the only witness: a pid read from a file may belong to somebody
// else by now, so nothing is signalled that was not looked at right before.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process for good: its pid, and when it started in clock ticks since the machine did. */
export interface ProcessIdentity {
  pid: number;
  start_time: string;
}

const killTimeoutMs = 5_000;
const pollMs = 5;

/** Undefined when there is none that runs: a zombie holds no address and no port. */
export function identify(pid: number): ProcessIdentity | undefined {
  const text = readText(`/proc/${pid}/stat`);
  // The name may hold spaces and brackets; what follows its last bracket is fields 3 and on of proc(5).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, threads, start_time] = [fields[0], Number(fields[17]), fields[19]];
  // The first thread may be gone while others still run: only then a Z has more than one.
  if (start_time === undefined || state === 'X' || (state === 'Z' && threads <= 1)) return undefined;
  return { pid, start_time };
}

export function isSame(known: ProcessIdentity): boolean {
  return identify(known.pid)?.start_time === known.start_time;
}

/** The agent that was started with this settings file. */
export function isAgentOf(settingsFile: string, pid: number): boolean {
  const words = readText(`/proc/${pid}/cmdline`).split('\0');
  return words.some((word, at) => word === '--config' && words[at + 1] === settingsFile);
}

/** On its way out: its command line is gone, its sockets may not be. */
export const isExiting = (pid: number): boolean => readText(`/proc/${pid}/cmdline`) === '';

/** Any program of this name that works in the directory or was told a file in it: HAProxy's master and all its workers. */
export function belongsTo(directory: string, name: string, pid: number): boolean {
  // The kernel keeps 15 characters of the name.
  if (readText(`/proc/${pid}/comm`).trimEnd() !== name.slice(0, 15)) return false;
  if (isWithin(directory, readLink(`/proc/${pid}/cwd`))) return true;
  const words = readText(`/proc/${pid}/cmdline`).split('\0');
  return words.some((word) => isWithin(directory, word));
}

export function findProcesses(isWanted: (pid: number) => boolean): ProcessIdentity[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const found = pids.map(Number).filter((pid) => pid !== process.pid && isWanted(pid));
  return found.map(identify).filter((identity) => identity !== undefined);
}

/**
 * Kills until a look around finds none, as one that is being killed may have started another, and waits until each is gone:
 * a process loses its command line before it gives up its sockets. SIGKILL also ends what is stopped.
 * @throws Error when one does not end, such as one that waits for a disk
 */
export async function killAll(find: () => ProcessIdentity[]): Promise<void> {
  const deadline = Date.now() + killTimeoutMs;
  let left = find();
  while (left.length > 0) {
    if (Date.now() > deadline) throw new Error(`processes do not end: ${left.map(({ pid }) => pid).join(', ')}`);
    for (const each of left) signal(each, 'SIGKILL');
    await sleep(pollMs);
    left = [...left.filter(isSame), ...find()];
  }
}

/** To the process, if it is still the same one. */
export function signal(identity: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isSame(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The processes of the group an agent leads: what it started and did not put into a session of its own. */
export function findGroup(leader: number): ProcessIdentity[] {
  return findProcesses((pid) => {
    const text = readText(`/proc/${pid}/stat`);
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[2] === String(leader);
  });
}

const isWithin = (directory: string, path: string): boolean => path === directory || path.startsWith(`${directory}/`);

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Gone since the list was read, or not ours to look at.
    return '';
  }
}

function readLink(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
