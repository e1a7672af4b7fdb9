// Ends amphorae that belong to nobody.
import type { AmphoraRow } from '../domain/amphora.ts';
import { eraseAmphora, setAmphora } from '../repositories/amphorae.ts';
import { readLoadBalancer } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';
import { endMachine } from './hosts.ts';

/** Takes its interface away, ends the machine, then forgets the amphora. @returns false when somebody claimed it in the meantime */
export async function removeAmphora(services: Services, row: AmphoraRow): Promise<boolean> {
  const isOurs = await setAmphora(services, row.id, { status: 'PENDING_DELETE' }, { equals: { status: row.status } });
  if (!isOurs) return false;
  const owner =
    row.load_balancer_id === null ? undefined : await readLoadBalancer(services.table, row.load_balancer_id);
  if (owner !== undefined) await services.network.unplugVip(owner.id, owner, row.id);
  await endMachine(services, row.id);
  await eraseAmphora(services, row.id, row.load_balancer_id);
  return true;
}
