// HAProxy's peers: what hands stick tables to the process after a reload, and to the other amphora of a pair. Octavia's section of
// the same name has them for pairs only, in the clear, and loses the tables of a single amphora at each reload.
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import type { PoolRow } from '../domain/pool.ts';
import { type Argument, address, linesOf, name, type Section, section, words } from './config.ts';
import type { RenderOptions } from './process.ts';

export interface Peer {
  amphora_id: string;
  /** Peers are named by it, so that who takes an amphora's place is known to the other one before that one is told. */
  place: number;
  lb_network_ip: string;
}

/** Octavia's, of the first listener. */
const peerPort = 1025;

/** An amphora shows its own certificate, and takes those of its deployment's authority; both files are put there by the agent. */
const mutualTls = words`ssl crt '{{DIRECTORY}}/peer.pem' ca-file '{{DIRECTORY}}/peer-ca.pem' verify required ssl-min-ver TLSv1.3`;

const localPeer = ({ amphora_id, peers = [] }: RenderOptions): Peer | undefined =>
  peers.find((peer) => peer.amphora_id === amphora_id);

/** Without an amphora of its own among the peers there is nobody to talk to. */
export const hasPeers = (options: RenderOptions): boolean => localPeer(options) !== undefined;

export const hasStickTable = ({ session_persistence }: PoolRow): boolean =>
  session_persistence !== null && session_persistence.type !== 'HTTP_COOKIE';

/** The id is part of the name, since any amphora of the deployment has a certificate that is good for the rest. */
const nameOf = ({ id }: LoadBalancerRow, { place }: Peer): Argument => name(id, '', `-${place}`);

/** @param pools those that are rendered */
export function peersSections(
  loadBalancer: LoadBalancerRow,
  pools: { pool: PoolRow }[],
  options: RenderOptions,
): { global: Argument[][]; sections: Section[] } {
  const local = localPeer(options);
  if (local === undefined || !pools.some(({ pool }) => hasStickTable(pool))) return { global: [], sections: [] };
  const remote = (options.peers ?? []).filter((peer) => peer !== local);
  const bind = words`bind ${address(local.lb_network_ip, peerPort)}`;
  const lines = [
    [...bind, ...mutualTls],
    // Its address is that of the bind line; the process before a reload calls it.
    [...words`server ${nameOf(loadBalancer, local)}`, ...mutualTls, ...words`verifyhost ${name(local.amphora_id)}`],
    ...remote.map((peer) => [
      ...words`server ${nameOf(loadBalancer, peer)} ${address(peer.lb_network_ip, peerPort)}`,
      ...mutualTls,
      ...words`verifyhost ${name(peer.amphora_id)}`,
    ]),
  ];
  const peers = section(null, words`peers ${name(loadBalancer.id)}`, linesOf(null, ...lines));
  return { global: [words`localpeer ${nameOf(loadBalancer, local)}`], sections: [peers] };
}
