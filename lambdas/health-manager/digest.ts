// What a heartbeat says, in the forms it is kept in.
import { createHash } from 'node:crypto';
import type { Heartbeat } from '../../amphora/agent-api.ts';
import type { HealthRow } from '../repositories/health.ts';
import type { MemberPage } from '../repositories/member-statistics.ts';

/** Orders the heartbeats of one amphora, across restarts of its agent, as text. */
export const sequenceOf = ({ sent_at, seq }: Pick<Heartbeat, 'sent_at' | 'seq'>): string =>
  `${String(sent_at).padStart(15, '0')}#${String(seq).padStart(10, '0')}`;

export const newestOf = (heartbeats: Heartbeat[]): Heartbeat | undefined => heartbeats.at(-1);

/** Of all that bears on an operating status, and nothing that counts up. Who says it in parts says the digest of all of them. */
export function statusDigest({ generation, listeners, pools, more }: Heartbeat): string {
  if (more !== undefined) return more.digest;
  const statuses = Object.entries(listeners).map(([id, { status }]) => [id, status]);
  return createHash('sha256')
    .update(JSON.stringify([generation, statuses, pools]))
    .digest('base64')
    .slice(0, 22);
}

/**
 * What listeners have counted since the amphora began, `<name>#<listener id>`, zeros left out. Never less than was known: an
 * amphora that lost its account counts anew. An old heartbeat says nothing of listeners that were deleted since.
 */
export function countedBy({ generation, listeners }: Heartbeat, known: HealthRow | undefined): Record<string, number> {
  const before = (known ?? {}) as Record<string, unknown>;
  const isOld = (generation ?? 0) < (known?.counted_from ?? 0);
  const counted = Object.entries(listeners).flatMap(([id, { stats }]) => [
    [`bytes_in#${id}`, stats.rx] as const,
    [`bytes_out#${id}`, stats.tx] as const,
    [`total_connections#${id}`, stats.totconns] as const,
    [`request_errors#${id}`, stats.ereq] as const,
  ]);
  const least = (name: string) => Number(before[name] ?? 0);
  return Object.fromEntries(counted.filter(([name, value]) => value > least(name) && !(isOld && !(name in before))));
}

const isPageNumber = (page: string): boolean => /^\d{1,4}$/.test(page);

/** Pages of the statistics of members, each as the newest of the heartbeats has it. @param heartbeats oldest first */
export function pagesOf(heartbeats: Heartbeat[]): MemberPage[] {
  const newest = new Map<string, MemberPage>();
  for (const heartbeat of heartbeats) {
    for (const [page, members] of Object.entries(heartbeat.member_pages ?? {}).filter(([page]) => isPageNumber(page))) {
      newest.set(page, { page: Number(page), sequence: sequenceOf(heartbeat), members });
    }
  }
  return [...newest.values()];
}
