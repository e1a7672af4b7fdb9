// What the control plane costs while nothing happens: memory, and the time to be ready.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { AmphoraDirectory } from '../local/compute/amphora-directory.ts';
import { processesOf } from '../local/demo/amphora-processes.ts';
import { startService } from '../local/demo/service.ts';
import { type Bench, type Row, times } from './bench.ts';
import { figures } from './figures.ts';
import { fill, noop, real, within } from './setting.ts';

const idleMs = 5_000;
const mebi = 1_024;

/** Proportional set size: what is shared with other processes counts by halves, thirds and so on. MiB. */
export function pssOf(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]) / mebi;
}

const mebibytes = (what: string, value: number, rest: Partial<Row> = {}): Row => ({
  what,
  value,
  unit: 'MiB',
  ...rest,
});

const memory: Bench = {
  name: 'memory',
  title: 'Memory after 5 s of idleness (PSS)',
  run: async () => {
    const empty = await within(noop, async ({ service }) => {
      await sleep(idleMs);
      return pssOf(service.pid);
    });
    const filled = await within(noop, async (setting) => {
      await fill(setting, 100);
      await sleep(idleMs);
      return pssOf(setting.service.pid);
    });
    const amphora = await within(real(1), async ({ service }) => {
      await sleep(idleMs);
      const [spare] = AmphoraDirectory.list(`${service.state}/amphorae`).flatMap(processesOf);
      return spare === undefined ? Number.NaN : pssOf(spare.pid);
    });
    return [
      mebibytes('control plane, just started', empty, figures.idleMemory),
      mebibytes('after 100 load balancers were made', filled),
      mebibytes('agent of a spare amphora', amphora),
    ];
  },
};

const startUp: Bench = {
  name: 'start-up',
  title: 'Start of the process until ready',
  run: async () => {
    const measured: number[] = [];
    for (let run = 0; run < 7; run += 1) {
      const service = await startService(noop);
      measured.push(service.readyMs);
      await service.stop();
    }
    return [times('start until ready', measured)];
  },
};

export const benches = [memory, startUp];
