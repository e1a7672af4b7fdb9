// Housekeeping, certificates: an amphora whose certificate is about to end, and could not be renewed, is replaced by a new one, before
// nobody can talk to it. Spares are replaced by the keeper of their pool.
import { eachInTurn } from '../controller/each-in-turn.ts';
import { requestFailoverOf, takesFailover } from '../controller/failover.ts';
import { timestamp } from '../domain/time.ts';
import { readAllAmphorae } from '../repositories/amphorae.ts';
import type { Services } from '../runtime/services.ts';

/** A few at a time, those that end first: each cuts the connections of its amphora that do not end. */
export async function replaceExpiring(services: Services): Promise<number> {
  const { certificate_replacement_buffer_ms, concurrent_failovers } = services.config;
  const soon = timestamp(services.clock.now() + certificate_replacement_buffer_ms);
  const ending = (await readAllAmphorae(services.table))
    .filter((row) => row.load_balancer_id !== null && row.cert_expiration !== null && row.cert_expiration < soon)
    .toSorted((a, b) => (a.cert_expiration! < b.cert_expiration! ? -1 : 1));
  const now = services.clock.now();
  let replaced = 0;
  await eachInTurn('amphorae whose certificates end were not replaced', ending, async (row) => {
    if (replaced === concurrent_failovers) return;
    const isAsked = await requestFailoverOf(services, row, (owner) => takesFailover(owner, row.id, now), {
      is_planned: true,
    });
    if (isAsked) replaced += 1;
  });
  return replaced;
}
