// The shape of the machine, without which a figure says nothing.
import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';

export interface Machine {
  cores: number;
  model: string;
  memory_gib: number;
  kernel: string;
  node: string;
  haproxy: string;
  /** Of the last minute: whether somebody else was working. */
  load_average: number;
}

function haproxyVersion(): string {
  try {
    const text = execFileSync(process.env['OCTAVIA_HAPROXY'] ?? '/usr/sbin/haproxy', ['-v'], { encoding: 'utf8' });
    return /version (\S+)/.exec(text)?.[1] ?? 'unknown';
  } catch {
    return 'none';
  }
}

export const machineShape = (): Machine => ({
  cores: cpus().length,
  model: cpus()[0]?.model ?? 'unknown',
  memory_gib: Math.round(totalmem() / 2 ** 30),
  kernel: release(),
  node: process.version,
  haproxy: haproxyVersion(),
  load_average: Math.round(loadavg()[0]! * 100) / 100,
});
