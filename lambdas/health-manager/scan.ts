// Health manager, scan: amphorae that have been silent for too long, or whose machine ended, are failed over, unless so many are that the
// fault is elsewhere.
import { eachInTurn } from '../controller/each-in-turn.ts';
import { failoversLeft, requestFailover } from '../controller/failover.ts';
import { limitsOf } from '../domain/suspicion.ts';
import { readAmphorae } from '../repositories/amphorae.ts';
import { type HealthRow, noteScan, readAllHealth } from '../repositories/health.ts';
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

/** Silent since they were given up, for as long as their machines cannot be ended: that tells nothing of those that serve. */
async function leaving({ table }: Services, silent: HealthRow[]): Promise<Set<string>> {
  const amphorae = await readAmphorae(
    table,
    silent.map(({ amphora_id }) => amphora_id),
  );
  return new Set(amphorae.filter(({ status }) => status === 'PENDING_DELETE').map(({ id }) => id));
}

/** Everybody who is to be heard, and of them those who are not. */
async function listen(services: Services): Promise<{ rows: HealthRow[]; silent: HealthRow[] }> {
  const { heartbeat_interval_ms, heartbeat_timeout_ms, health_scan_interval_ms } = services.config;
  const steadyMs = heartbeat_timeout_ms / 2;
  // Not longer than it takes to call somebody silent, unless a schedule is no quicker.
  const gapMs = Math.max(steadyMs, 1.5 * health_scan_interval_ms);
  const { watching_since, judged_at } = await noteScan(services, { gapMs, steadyMs });
  const all = await readAllHealth(services.table);
  const silenceOf = (row: HealthRow) => silence(row, watching_since, judged_at);
  const limitOf = limitsOf(all, silenceOf, { interval_ms: heartbeat_interval_ms, timeout_ms: heartbeat_timeout_ms });
  const unheard = all.filter((row) => row.ended_at != null || silenceOf(row) > limitOf(row));
  const onTheirWayOut = await leaving(services, unheard);
  const stays = ({ amphora_id }: HealthRow) => !onTheirWayOut.has(amphora_id);
  return { rows: all.filter(stays), silent: unheard.filter(stays) };
}

/** One look at every amphora; always the same work, however many are silent. */
export async function scanHealth(services: Services): Promise<ScanResult> {
  const { rows, silent } = await listen(services);
  const { due, stormy } = await judgeZones(services, rows, silent);
  const result = { amphorae: rows.length, silent: silent.length, failed_over: 0, is_storm: stormy.length > 0 };
  // A deployment that has no amphorae pays for no metric either.
  if (rows.length > 0) {
    const detail = { zones: stormy.join(','), silent: String(silent.length), amphorae: String(rows.length) };
    await services.metrics.put({ StormGuardedZones: stormy.length }, detail);
  }
  const most = due.length === 0 ? 0 : await failoversLeft(services);
  // Whose load balancer takes no failover now takes nobody else's place either.
  const longestFirst = due.toSorted((a, b) => a.last_seen - b.last_seen);
  await eachInTurn('silent amphorae were not failed over', longestFirst, async ({ amphora_id }) => {
    if (result.failed_over < most && (await requestFailover(services, amphora_id))) result.failed_over += 1;
  });
  return result;
}

export const scanHandler = (services: Services) => (): Promise<ScanResult> => scanHealth(services);
