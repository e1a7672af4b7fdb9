// HAProxy's master and its workers are one process group, led by the master.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const pollMs = 10;
const stopTimeoutMs = 2_000;

/** A process that ended but was not yet waited for is not alive. */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** False when nobody is left in the group. */
export function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leader, signal);
    return true;
  } catch {
    return false;
  }
}

/** SIGTERM ends master and workers without waiting for connections; what is left after that is killed. */
export async function endGroup(leader: number): Promise<void> {
  signalGroup(leader, 'SIGTERM');
  const deadline = Date.now() + stopTimeoutMs;
  while (signalGroup(leader, 0) && Date.now() < deadline) await sleep(pollMs);
  signalGroup(leader, 'SIGKILL');
}
