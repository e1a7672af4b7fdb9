// Ends amphorae that belong to nobody.
import type { AmphoraRow } from '../domain/amphora.ts';
import { eraseAmphora, setAmphora } from '../repositories/amphorae.ts';
import type { Services } from '../runtime/services.ts';

/** Ends the machine, then forgets the amphora. @returns false when somebody claimed it in the meantime */
export async function removeAmphora(services: Services, row: AmphoraRow): Promise<boolean> {
  const isOurs = await setAmphora(services, row.id, { status: 'PENDING_DELETE' }, { equals: { status: row.status } });
  if (!isOurs) return false;
  if (row.compute_id !== null) await services.compute.delete(row.compute_id);
  await eraseAmphora(services, row.id, row.load_balancer_id);
  return true;
}
