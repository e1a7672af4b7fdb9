// Ends the keepalived an amphora left behind, after its agent. On a machine of its own the kernel's virtual servers would end with it; here
// the kernel is everybody's, and only keepalived itself takes out of it what it put there.
import { setTimeout as sleep } from 'node:timers/promises';
import { belongsTo, findProcesses, killAll, signal } from './processes.ts';

const cleanUpTimeoutMs = 3_000;
const pollMs = 20;

/** @param directory of the amphora, whose agent has ended */
export async function endKeepalived(directory: string): Promise<void> {
  const find = () => findProcesses((pid) => belongsTo(directory, 'keepalived', pid));
  let left = find();
  for (const each of left) signal(each, 'SIGTERM');
  const deadline = Date.now() + cleanUpTimeoutMs;
  while (left.length > 0 && Date.now() < deadline) {
    await sleep(pollMs);
    left = find();
  }
  await killAll(find);
}
