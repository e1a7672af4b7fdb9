// Health manager, scan: amphorae that have been silent for too long are failed over, unless so many are that the fault is elsewhere.
import { requestFailover } from '../controller/failover.ts';
import { limitsOf } from '../domain/suspicion.ts';
import { type HealthRow, noteScan, readAllHealth } from '../repositories/health.ts';
import { readPending } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import { stormyZones, zoneOf } from './storm-guard.ts';

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
export async function failoversLeft({ table, config }: Services): Promise<number> {
  const pending = await readPending(table);
  return config.concurrent_failovers - pending.filter(({ operation }) => operation?.kind === 'failover').length;
}

/** One look at every amphora; always the same work, however many are silent. */
export async function scanHealth(services: Services): Promise<ScanResult> {
  const { heartbeat_interval_ms, heartbeat_timeout_ms, health_scan_interval_ms } = services.config;
  const { watching_since, scanned_at } = await noteScan(
    services,
    // Not longer than it takes to call somebody silent: what was missed meanwhile is not held against amphorae.
    Math.max(heartbeat_timeout_ms / 2, 1.5 * health_scan_interval_ms),
  );
  const rows = await readAllHealth(services.table);
  const silenceOf = (row: HealthRow) => silence(row, watching_since, scanned_at);
  const limitOf = limitsOf(rows, silenceOf, { interval_ms: heartbeat_interval_ms, timeout_ms: heartbeat_timeout_ms });
  const silent = rows.filter((row) => silenceOf(row) > limitOf(row));
  const stormy = await stormyZones(services, rows, silent);
  const result = { amphorae: rows.length, silent: silent.length, failed_over: 0, is_storm: stormy.size > 0 };
  const due = silent.filter((row) => !stormy.has(zoneOf(row)));
  const most = due.length === 0 ? 0 : await failoversLeft(services);
  // Whose load balancer takes no failover now takes nobody else's place either.
  for (const { amphora_id } of due.toSorted((a, b) => a.last_seen - b.last_seen)) {
    if (result.failed_over >= most) break;
    if (await requestFailover(services, amphora_id)) result.failed_over += 1;
  }
  return result;
}

export const scanHandler = (services: Services) => (): Promise<ScanResult> => scanHealth(services);
