// The processes behind a load balancer, found in /proc by the state directory of the service: what the API does not tell, and
// what shows whether HAProxy was reloaded and whether anything was left behind.
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { AmphoraDirectory } from '../compute/amphora-directory.ts';
import { belongsTo, findProcesses, isAgentOf, type ProcessIdentity, signal } from '../compute/processes.ts';

const haproxy = (path = process.env['OCTAVIA_HAPROXY'] ?? 'haproxy'): string => path.split('/').at(-1)!;

const rootOf = (state: string): string => join(realpathSync(state), 'amphorae');

/** Amphorae that were given a configuration of the load balancer and are still there. */
export const amphoraeOf = (state: string, loadBalancerId: string): AmphoraDirectory[] =>
  AmphoraDirectory.list(rootOf(state)).filter(({ workingDirectory }) =>
    existsSync(join(workingDirectory, loadBalancerId)),
  );

/** Agent and HAProxy, masters and workers. */
export const processesOf = (amphora: AmphoraDirectory): ProcessIdentity[] =>
  findProcesses((pid) => isAgentOf(amphora.settingsFile, pid) || belongsTo(amphora.path, haproxy(), pid));

function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name may hold spaces and brackets; what follows its last bracket is fields 3 and on of proc(5).
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

/** HAProxy's workers: a reload replaces them and leaves the master. */
export function workersOf(amphorae: AmphoraDirectory[]): number[] {
  const all = amphorae.flatMap((amphora) => findProcesses((pid) => belongsTo(amphora.path, haproxy(), pid)));
  const pids = new Set(all.map(({ pid }) => pid));
  return [...pids].filter((pid) => pids.has(parentOf(pid))).toSorted((a, b) => a - b);
}

/** Pulls the plug: no process of the amphora gets a chance to say goodbye. @returns how many there were */
export function killAmphora(amphora: AmphoraDirectory): number {
  const processes = processesOf(amphora);
  for (const each of processes) signal(each, 'SIGKILL');
  return processes.length;
}
