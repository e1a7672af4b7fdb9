// Amphorae whose machines are to be taken away soon: replaced as long as they serve, the new one first, a few at a time.
import type { AmphoraRow } from '../domain/amphora.ts';
import { readAllAmphorae, readAmphora, setAmphora } from '../repositories/amphorae.ts';
import { readStormGuards } from '../repositories/storm-guard.ts';
import type { Services } from '../runtime/services.ts';
import { failoversLeft, requestFailoverOf, takesFailover } from './failover.ts';

const isRetiring = ({ retiring_at, status }: AmphoraRow): boolean =>
  retiring_at != null && (status === 'ALLOCATED' || status === 'READY');

/** Written down, so that what is held back now is replaced later. @returns whether it is an amphora of ours */
export async function noteRetiring(services: Services, amphoraId: string): Promise<boolean> {
  const row = await readAmphora(services.table, amphoraId);
  if (row === undefined || row.status === 'PENDING_DELETE') return false;
  if (row.retiring_at == null) await setAmphora(services, amphoraId, { retiring_at: services.clock.now() });
  return true;
}

/**
 * Nothing is lost yet, so failovers of what is lost go first, and where a storm is suspected nothing is moved.
 * @returns how many replacements were asked for
 */
export async function replaceRetiring(services: Services): Promise<number> {
  const retiring = (await readAllAmphorae(services.table)).filter(isRetiring);
  if (retiring.length === 0) return 0;
  const guards = await readStormGuards(services.table);
  const isStormy = (zone: string | null) => guards.get(zone ?? '')?.is_engaged === true;
  let left = await failoversLeft(services);
  let asked = 0;
  for (const row of retiring.toSorted((a, b) => a.retiring_at! - b.retiring_at!)) {
    if (left <= 0) break;
    if (isStormy(row.cached_zone)) continue;
    const takes = (owner: Parameters<typeof takesFailover>[0]) => takesFailover(owner, row.id, services.clock.now());
    if (!(await requestFailoverOf(services, row, takes, { is_planned: true }))) continue;
    asked += 1;
    left -= 1;
  }
  return asked;
}
