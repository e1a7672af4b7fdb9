// Who shares stick tables: the amphorae of a load balancer, each in a place of its own, which whoever replaces it gets.
import type { AmphoraRow } from '../domain/amphora.ts';
import type { Tree } from '../domain/tree.ts';
import { hasStickTable, type Peer } from '../haproxy/peers.ts';
import type { Partner } from '../haproxy/process.ts';
import { readAmphorae, setAmphora } from '../repositories/amphorae.ts';
import type { Store } from '../repositories/store.ts';

/**
 * @returns the peers as one of them is to be told: whoever has its own place beside it, as in a failover, is none. Nothing is read
 * for a load balancer without stick tables.
 */
export async function peersOf(store: Store, tree: Tree): Promise<(amphoraId: string) => Peer[]> {
  if (!tree.pools.some(hasStickTable)) return () => [];
  const { amphora_ids, candidates } = tree.loadBalancer;
  const present = await placed(store, await readAmphorae(store.table, amphora_ids), []);
  const ids = candidates.map((one) => one.amphora_id).filter((id) => !amphora_ids.includes(id));
  const coming = await placed(store, await readAmphorae(store.table, ids), present);
  const peers = [...present, ...coming].flatMap(peerOf);
  return (amphoraId) => {
    const own = peers.filter((peer) => peer.amphora_id === amphoraId);
    // Candidates come last, and replace whom they are made to replace.
    const byPlace = new Map([...peers, ...own].map((peer) => [peer.place, peer]));
    return [...byPlace.values()].toSorted((a, b) => a.place - b.place);
  };
}

/** The other one of the load balancer's pair, or of those that are made for it together; nobody beside one that replaces another. */
export async function partnersOf(
  store: Store,
  { loadBalancer }: Tree,
): Promise<(amphoraId: string) => Partner | undefined> {
  if (loadBalancer.topology !== 'ACTIVE_STANDBY') return () => undefined;
  const { amphora_ids, candidates } = loadBalancer;
  const ids = amphora_ids.length > 0 ? amphora_ids : candidates.map((one) => one.amphora_id);
  const rows = await readAmphorae(store.table, ids);
  return (amphoraId) => {
    const other = ids.includes(amphoraId) ? rows.find(({ id }) => id !== amphoraId) : undefined;
    if (other === undefined || other.lb_network_ip === null) return undefined;
    return { amphora_id: other.id, lb_network_ip: other.lb_network_ip };
  };
}

/** Gives a place to who has none, once and for all: that of who is replaced, known by its role; else a free one. */
async function placed(store: Store, rows: AmphoraRow[], replaceable: AmphoraRow[]): Promise<AmphoraRow[]> {
  const known = [...rows];
  for (const [index, row] of rows.entries()) {
    if (row.peer_place !== undefined) continue;
    const others = [...known, ...replaceable].flatMap((one) => one.peer_place ?? []);
    const replaced = replaceable.find((one) => one.role === row.role);
    const peer_place = replaced?.peer_place ?? firstFree(others);
    await setAmphora(store, row.id, { peer_place });
    known[index] = { ...row, peer_place };
  }
  return known;
}

const firstFree = (taken: number[]): number => {
  let place = 0;
  while (taken.includes(place)) place += 1;
  return place;
};

const peerOf = ({ id, peer_place: place, lb_network_ip }: AmphoraRow): Peer[] =>
  place === undefined || lb_network_ip === null ? [] : [{ amphora_id: id, place, lb_network_ip }];
