// Health manager, scan: amphorae that have been silent for too long, or whose machine ended, are failed over, unless so many are that the
// fault is elsewhere.
import { requestFailover } from '../controller/failover.ts';
import { limitsOf } from '../domain/suspicion.ts';
import { type HealthRow, noteScan, readAllHealth } from '../repositories/health.ts';
import { readPending } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import { judgeZones } from './storm-guard.ts';

export interface ScanResult {
  amphorae: number;
  silent: number;
  failed_over: number;
  /** In some zone. */
  is_storm: boolean;
}

/** Time since an amphora was last heard, not counting while nobody listened. */
const silence = (row: HealthRow, watchingSince: number, now: number): number =>
  now - Math.max(row.last_seen, watchingSince);

/** How many more may begin beside those under way, whoever asked for them. */
async function failoversLeft({ table, config }: Services): Promise<number> {
  const pending = await readPending(table);
  return config.concurrent_failovers - pending.filter(({ operation }) => operation?.kind === 'failover').length;
}

/** One look at every amphora; always the same work, however many are silent. */
export async function scanHealth(services: Services): Promise<ScanResult> {
  const { heartbeat_interval_ms, heartbeat_timeout_ms, health_scan_interval_ms } = services.config;
  const steadyMs = heartbeat_timeout_ms / 2;
  // Not longer than it takes to call somebody silent, unless a schedule is no quicker.
  const gapMs = Math.max(steadyMs, 1.5 * health_scan_interval_ms);
  const { watching_since, judged_at } = await noteScan(services, { gapMs, steadyMs });
  const rows = await readAllHealth(services.table);
  const silenceOf = (row: HealthRow) => silence(row, watching_since, judged_at);
  const limitOf = limitsOf(rows, silenceOf, { interval_ms: heartbeat_interval_ms, timeout_ms: heartbeat_timeout_ms });
  const silent = rows.filter((row) => row.ended_at != null || silenceOf(row) > limitOf(row));
  const { due, stormy } = await judgeZones(services, rows, silent);
  const result = { amphorae: rows.length, silent: silent.length, failed_over: 0, is_storm: stormy.length > 0 };
  // A deployment that has no amphorae pays for no metric either.
  if (rows.length > 0) {
    const detail = { zones: stormy.join(','), silent: String(silent.length), amphorae: String(rows.length) };
    await services.metrics.put({ StormGuardedZones: stormy.length }, detail);
  }
  const most = due.length === 0 ? 0 : await failoversLeft(services);
  // Whose load balancer takes no failover now takes nobody else's place either.
  for (const { amphora_id } of due.toSorted((a, b) => a.last_seen - b.last_seen)) {
    if (result.failed_over >= most) break;
    if (await requestFailover(services, amphora_id)) result.failed_over += 1;
  }
  return result;
}

export const scanHandler = (services: Services) => (): Promise<ScanResult> => scanHealth(services);
