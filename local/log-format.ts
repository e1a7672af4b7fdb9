// Has HAProxy check the operator's format of the traffic log before anything is started with it: later it would put every listener
// in ERROR.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ListenerRow } from '../lambdas/domain/listener.ts';
import type { LoadBalancerRow } from '../lambdas/domain/load-balancer.ts';
import { linesOf, section, Unrenderable, words } from '../lambdas/haproxy/config.ts';
import { rings, trafficLines } from '../lambdas/haproxy/logging.ts';
import { print } from '../lambdas/haproxy/print.ts';
import { UsageError } from './options.ts';

/** Of rows only what bears on the log. */
function configurationWith(format: string): string {
  const logging = { format, traffic: 'on' } as const;
  const loadBalancer = { id: 'id', project_id: 'project', tags: [] as string[] } as LoadBalancerRow;
  const frontend = (mode: 'http' | 'tcp') =>
    section(null, mode === 'http' ? words`frontend http` : words`frontend tcp`, [
      ...linesOf(null, mode === 'http' ? words`mode http` : words`mode tcp`, words`bind 127.0.0.1:1`),
      ...trafficLines(loadBalancer, { id: 'id' } as ListenerRow, mode, logging),
    ]);
  return print([...rings(loadBalancer, logging), frontend('http'), frontend('tcp')]).text;
}

/** @throws UsageError with what HAProxy says */
export function checkLogFormat(haproxyPath: string, format: string): void {
  if (format === '') return;
  const directory = mkdtempSync(join(tmpdir(), 'octavia-log-format-'));
  try {
    const file = join(directory, 'haproxy.cfg');
    writeFileSync(file, configurationWith(format).replaceAll('{{DIRECTORY}}', directory));
    const { status, stderr } = spawnSync(haproxyPath, ['-c', '-f', file], { encoding: 'utf8' });
    const alert = /^\[ALERT\].*?cfg:\d+\]\s*:?\s*(.*)$/m.exec(stderr ?? '')?.[1];
    if (status === 0 || alert === undefined) return;
    throw new UsageError(`--user-log-format: HAProxy does not take it: ${alert}`);
  } catch (cause) {
    if (cause instanceof Unrenderable) throw new UsageError(`--user-log-format: ${cause.message}`, { cause });
    throw cause;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
