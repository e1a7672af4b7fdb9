// Who shares stick tables: the amphorae of a load balancer, each as the one that has its role, or is about to.
import type { AmphoraRow } from '../domain/amphora.ts';
import type { Tree } from '../domain/tree.ts';
import { hasStickTable, type Peer } from '../haproxy/peers.ts';
import { readAmphorae } from '../repositories/amphorae.ts';
import type { Services } from '../runtime/services.ts';

/**
 * @returns the peers as one of them is to be told: whoever has its own role beside it, as in a failover, is none. Nothing is read
 * for a load balancer without stick tables.
 */
export async function peersOf(services: Pick<Services, 'table'>, tree: Tree): Promise<(amphoraId: string) => Peer[]> {
  if (!tree.pools.some(hasStickTable)) return () => [];
  const { amphora_ids, candidates } = tree.loadBalancer;
  const rows = await readAmphorae(services.table, [
    ...new Set([...amphora_ids, ...candidates.map((one) => one.amphora_id)]),
  ]);
  const peers = rows.flatMap(peerOf);
  return (amphoraId) => {
    const own = peers.filter((peer) => peer.amphora_id === amphoraId);
    // Candidates come last, and replace whom they are made to replace.
    const byRole = new Map([...peers, ...own].map((peer) => [peer.role, peer]));
    return [...byRole.values()].toSorted((a, b) => (a.role < b.role ? -1 : 1));
  };
}

const peerOf = ({ id, role, lb_network_ip }: AmphoraRow): Peer[] =>
  role === null || lb_network_ip === null ? [] : [{ amphora_id: id, role, lb_network_ip }];
