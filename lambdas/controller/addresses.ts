// Where the agents of amphorae answer.
import type { AmphoraRow } from '../domain/amphora.ts';
import { NotReady } from '../domain/errors.ts';
import type { AmphoraAddress } from '../drivers/amphora/amphora-driver.ts';
import { readAmphorae } from '../repositories/amphorae.ts';
import type { Services } from '../runtime/services.ts';

/** @throws NotReady `AmphoraNotReady` for a machine that has no address yet */
export function addressOf({ id, lb_network_ip, trusted_authorities }: AmphoraRow): AmphoraAddress {
  if (lb_network_ip === null) throw new NotReady('AmphoraNotReady', `amphora ${id} has no address yet`);
  return { id, lb_network_ip, authorities: trusted_authorities };
}

export async function addressesOf(services: Pick<Services, 'table'>, ids: string[]): Promise<AmphoraAddress[]> {
  return (await readAmphorae(services.table, ids)).map(addressOf);
}
