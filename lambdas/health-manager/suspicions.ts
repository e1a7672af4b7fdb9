// Health manager, suspicions: an amphora of a pair that does not answer the other one. It is looked at without waiting for the next scan
// once its own heartbeats are overdue; until then there is an event and nothing else.
import { announce } from '../controller/announce.ts';
import type { AmphoraRow } from '../domain/amphora.ts';
import { isOverdue, type Suspicion } from '../domain/suspicion.ts';
import { type HealthRow, readHealth } from '../repositories/health.ts';
import { readLoadBalancer } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import { lookForNews } from './news.ts';

/** What a heartbeat says of the other one, as far as it can be kept. */
export function suspicionOf(peer: Partial<Suspicion> | undefined): Suspicion | null {
  const { amphora_id, silent_since } = peer ?? {};
  return typeof amphora_id === 'string' && typeof silent_since === 'number' ? { amphora_id, silent_since } : null;
}

async function announceSuspicion(services: Services, reporter: AmphoraRow, suspicion: Suspicion): Promise<void> {
  const owner = await readLoadBalancer(services.table, reporter.load_balancer_id ?? '');
  if (!owner?.amphora_ids.includes(suspicion.amphora_id)) return;
  const detail = { reported_by: reporter.id, silent_since: suspicion.silent_since };
  await announce(
    services,
    owner,
    'peer_suspected',
    'amphora',
    suspicion.amphora_id,
    detail,
    `${reporter.id} ${suspicion.silent_since}`,
  );
}

/** @param before what was known of the amphora that reports */
export async function takeInSuspicion(
  services: Services,
  reporter: AmphoraRow,
  before: HealthRow | undefined,
  suspicion: Suspicion | null,
): Promise<void> {
  if (suspicion === null || reporter.load_balancer_id === null) return;
  const { amphora_id } = suspicion;
  if (before?.suspect?.amphora_id !== amphora_id) await announceSuspicion(services, reporter, suspicion);
  const suspected = (await readHealth(services.table, [amphora_id])).get(amphora_id);
  const { heartbeat_interval_ms } = services.config;
  const now = services.clock.now();
  if (suspected?.load_balancer_id !== reporter.load_balancer_id) return;
  if (!isOverdue(suspected.last_seen, now, heartbeat_interval_ms)) return;
  // It is reported several times an interval, until it is replaced.
  await lookForNews(services);
}
