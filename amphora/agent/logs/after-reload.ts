// What a reload costs the traffic log: HAProxy cuts the ring of a worker that was replaced off from the agent at once, so that
// connections which outlive the reload end without a line. Nobody can be asked for those lines later, so it is said how many.
import type { Outline } from '../config-diff.ts';
import { log, textOf } from '../log.ts';
import type { RuntimeApi } from '../runtime-api.ts';
import { readStatistics } from '../statistics.ts';

/** @param from what the replaced worker serves */
export async function tellOfUnlogged(runtime: RuntimeApi, from: Outline): Promise<void> {
  if (!from.fixed.some((line) => line.startsWith('log ring@tenant '))) return;
  try {
    const { oldWorkers } = await runtime.showProcesses();
    const tables = await Promise.all(oldWorkers.map((worker) => runtime.ask(worker, 'show stat -1 1 -1')));
    const open = tables.flatMap(readStatistics).filter(({ proxy }) => from.frontends.has(proxy));
    const connections = open.reduce((sum, row) => sum + row.connections, 0);
    if (connections > 0)
      log('connections that outlive a reload end without a line in the traffic log', { connections });
  } catch (error) {
    // The old worker has ended, and so have its connections.
    log('nothing is known of connections that outlive a reload', { reason: textOf(error) });
  }
}
