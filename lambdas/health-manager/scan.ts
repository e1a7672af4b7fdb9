// Health manager, scan: amphorae that have been silent for too long are failed over, unless so many are that the fault is elsewhere.
import { announce } from '../controller/announce.ts';
import { requestFailover } from '../controller/failover.ts';
import { isStorm } from '../domain/storm-guard.ts';
import { limitsOf } from '../domain/suspicion.ts';
import { type HealthRow, noteScan, readAllHealth } from '../repositories/health.ts';
import { setStormGuard } from '../repositories/storm-guard.ts';
import type { Services } from '../runtime/services.ts';

export interface ScanResult {
  amphorae: number;
  silent: number;
  failed_over: number;
  is_storm: boolean;
}

/** Time since an amphora was last heard, not counting while nobody listened. */
const silence = (row: HealthRow, watchingSince: number, now: number): number =>
  now - Math.max(row.last_seen, watchingSince);

async function guard(services: Services, silent: number, all: number): Promise<boolean> {
  const { failover_share_limit: share, failover_share_floor: floor } = services.config;
  const is_storm = isStorm(silent, all, { share, floor });
  if (await setStormGuard(services, is_storm)) {
    const about = { id: '', project_id: '', name: '' };
    const type = is_storm ? 'storm_guard_engaged' : 'storm_guard_released';
    await announce(services, about, type, 'amphora', 'all', { silent, amphorae: all });
  }
  return is_storm;
}

/** One look at every amphora; always the same work, however many are silent. */
export async function scanHealth(services: Services): Promise<ScanResult> {
  const { heartbeat_interval_ms, heartbeat_timeout_ms, health_scan_interval_ms, concurrent_failovers } =
    services.config;
  const { watching_since, scanned_at } = await noteScan(
    services,
    Math.max(heartbeat_timeout_ms, 3 * health_scan_interval_ms),
  );
  const rows = await readAllHealth(services.table);
  const silenceOf = (row: HealthRow) => silence(row, watching_since, scanned_at);
  const limitOf = limitsOf(rows, silenceOf, { interval_ms: heartbeat_interval_ms, timeout_ms: heartbeat_timeout_ms });
  const silent = rows.filter((row) => silenceOf(row) > limitOf(row));
  const is_storm = await guard(services, silent.length, rows.length);
  const result = { amphorae: rows.length, silent: silent.length, failed_over: 0, is_storm };
  if (is_storm) return result;
  // Whose load balancer takes no failover now takes nobody else's place either.
  for (const { amphora_id } of silent.toSorted((a, b) => a.last_seen - b.last_seen)) {
    if (result.failed_over === concurrent_failovers) break;
    if (await requestFailover(services, amphora_id)) result.failed_over += 1;
  }
  return result;
}

export const scanHandler = (services: Services) => (): Promise<ScanResult> => scanHealth(services);
