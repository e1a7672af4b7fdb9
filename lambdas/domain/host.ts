// Hosts, beyond Octavia: machines that carry the amphorae of several load balancers, when their flavor allows it (colocation). An amphora
// on a host is an amphora like any other, with an agent, a certificate, heartbeats and an HAProxy of its own.
import type { MachineWish } from './amphora.ts';

/** What all that a host carries has in common. */
export interface HostWish extends Required<MachineWish> {
  /** What machines are made of now; null where they are made of no image. */
  image_id: string | null;
}

export interface HostRow extends HostWish {
  id: string;
  /** How many amphorae have a place on it, never more than `colocation`. */
  taken: number;
  /** Its machine is being ended: nobody gets a place any more. */
  is_ending?: true;
  created_at: string;
  /** A place, `amphora#<id>`: for which load balancer, '' for a spare; and `lb#<id>`: its amphora here, one at most. */
  [attribute: `amphora#${string}` | `lb#${string}`]: string;
}

export const placeName = (amphoraId: string) => `amphora#${amphoraId}` as const;
export const tenantName = (loadBalancerId: string) => `lb#${loadBalancerId}` as const;

/** Ids of the amphorae that have a place. */
export const amphoraeOn = (host: HostRow): string[] =>
  Object.keys(host).flatMap((name) => (name.startsWith('amphora#') ? name.slice('amphora#'.length) : []));

const kinds = ['compute_flavor', 'image_tag', 'availability_zone', 'colocation', 'image_id'] as const;

/**
 * Where an amphora may go, the fullest first, so that few machines do. Never beside another of its load balancer: the amphorae of a pair
 * would end together, and one that is replaced may be on a host that is about to end.
 */
export const hostsFor = (hosts: readonly HostRow[], wish: HostWish, loadBalancerId: string | null): HostRow[] =>
  hosts
    .filter((host) => kinds.every((name) => host[name] === wish[name]) && !host.is_ending)
    .filter((host) => host.taken < host.colocation)
    .filter((host) => loadBalancerId === null || !(tenantName(loadBalancerId) in host))
    .toSorted((a, b) => b.taken - a.taken || (a.created_at + a.id < b.created_at + b.id ? -1 : 1));

export const newHost = (id: string, wish: HostWish, now: string): HostRow => ({
  id,
  compute_flavor: wish.compute_flavor,
  image_tag: wish.image_tag,
  availability_zone: wish.availability_zone,
  colocation: wish.colocation,
  image_id: wish.image_id,
  taken: 0,
  created_at: now,
});
