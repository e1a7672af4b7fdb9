// Housekeeping, spare amphorae: as many are kept ready as the setting says.

import { removeAmphora } from '../controller/removal.ts';
import { readAllAmphorae } from '../repositories/amphorae.ts';
import type { Services } from '../runtime/services.ts';

/** Builds what is missing, ends what is too much. @returns how many were started */
export async function keepSpares(services: Services): Promise<number> {
  const unowned = (await readAllAmphorae(services.table)).filter((row) => row.load_balancer_id === null);
  const now = services.clock.now();
  const ready = unowned.filter((row) => row.status === 'READY');
  const booting = unowned.filter((row) => row.status === 'BOOTING' && row.busy_until > now && row.role === null);
  const missing = services.config.spare_amphorae - ready.length - booting.length;
  for (const spare of ready.slice(services.config.spare_amphorae)) await removeAmphora(services, spare);
  for (let count = 0; count < missing; count++) await buildSpare(services);
  return Math.max(0, missing);
}

async function buildSpare({ flows, newId }: Services): Promise<void> {
  const amphora_id = newId();
  await flows.start('build-amphora', `spare-${amphora_id}`, { amphora_id, load_balancer_id: null, role: null });
}
