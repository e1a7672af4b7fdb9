// Amphorae: the machines that run HAProxy for a load balancer, or wait to.
import type { FailoverPause, LoadBalancerRow } from './load-balancer.ts';
import type { AmphoraRole, AmphoraStatus } from './statuses.ts';
import { timestamp } from './time.ts';

export interface AmphoraRow {
  id: string;
  /** null for a spare. */
  load_balancer_id: string | null;
  status: AmphoraStatus;
  role: AmphoraRole | null;
  compute_id: string | null;
  lb_network_ip: string | null;
  vrrp_ip: string | null;
  vrrp_port_id: string | null;
  ha_ip: string | null;
  ha_port_id: string | null;
  cert_expiration: string | null;
  cached_zone: string | null;
  image_id: string | null;
  /** Kind of machine its flavor asked for; none: the deployment's. */
  compute_flavor?: string | null;
  /** What else its machine was asked to be; rows from before spares had wishes have neither. */
  image_tag?: string | null;
  wished_zone?: string | null;
  colocation?: number;
  /** The machine it shares with amphorae of other load balancers; none: its machine is its own. */
  host_id?: string;
  /** Among the amphorae of its load balancer, for as long as it is there: who replaces it gets the same. Roles may be swapped. */
  peer_place?: number;
  /** Id of the authority that signed its certificate, and of those it was told to trust; never more than it was told. */
  cert_authority?: string;
  trusted_authorities?: string[];
  /** Execution of the flow that renews its identity, and until when it may; milliseconds since the epoch. */
  rotation?: string | null;
  rotation_until?: number;
  /** After a renewal that failed, the next is not tried before; each failure doubles the pause. */
  rotation_pause?: FailoverPause | null;
  is_rotation_asked?: boolean;
  /** Encrypted; what its heartbeats are signed with. */
  heartbeat_key: string;
  /** Of the key; absent: 0, which it was born with. */
  heartbeat_key_version?: number;
  /** Milliseconds since the epoch; absent: since it was created. */
  heartbeat_key_at?: number;
  /** Accepted beside it: one it was given and has not used yet, and for a while the one before. */
  next_heartbeat_key?: string | null;
  next_heartbeat_key_at?: number;
  previous_heartbeat_key?: string;
  created_at: string;
  updated_at: string | null;
  /** Milliseconds since the epoch until which a flow works on it; a sweep leaves it alone before. */
  /** Since when it is known that its machine will be taken away; milliseconds since the epoch. */
  retiring_at?: number;
  busy_until: number;
}

/** What a load balancer asks of the machine its amphora runs on. */
export interface MachineWish {
  availability_zone: string | null;
  compute_flavor: string | null;
  image_tag: string | null;
  /** How many amphorae may share it; absent: it is one's own. */
  colocation?: number;
}

/** One alone shares with nobody. */
export const sharedBy = (colocation: number | undefined) =>
  colocation !== undefined && colocation > 1 ? { colocation } : {};

/** @param row undefined for a spare, which is for whoever asks for nothing else */
export const machineWish = (row: LoadBalancerRow | undefined): MachineWish => ({
  availability_zone: row?.availability_zone_data?.compute_zone ?? row?.vip_zone ?? null,
  compute_flavor: row?.flavor_data?.compute_flavor ?? null,
  image_tag: row?.flavor_data?.amp_image_tag ?? null,
  ...sharedBy(row?.flavor_data?.colocation),
});

/** What a machine was asked to be when it was made. */
export const wishOf = (row: AmphoraRow): MachineWish => ({
  availability_zone: row.wished_zone ?? null,
  compute_flavor: row.compute_flavor ?? null,
  image_tag: row.image_tag ?? null,
  ...sharedBy(row.colocation),
});

/** A spare is for who wishes exactly what it is; a zone may be wished for, or be where it happens to be. */
export const isSpareFor = (spare: AmphoraRow, wish: MachineWish): boolean => {
  const is = wishOf(spare);
  const zone = wish.availability_zone;
  const isThere = zone === is.availability_zone || (zone !== null && zone === spare.cached_zone);
  const isAlike = wish.compute_flavor === is.compute_flavor && wish.image_tag === is.image_tag;
  return isAlike && wish.colocation === is.colocation && isThere;
};

/** A new amphora's row, before there is a machine. @param heartbeatKey sealed */
export const newAmphora = (
  id: string,
  role: AmphoraRole | null,
  wish: MachineWish,
  heartbeatKey: string,
  time: { now: number; timeoutMs: number },
): AmphoraRow => ({
  id,
  load_balancer_id: null,
  status: 'BOOTING',
  role,
  compute_id: null,
  lb_network_ip: null,
  vrrp_ip: null,
  vrrp_port_id: null,
  ha_ip: null,
  ha_port_id: null,
  cert_expiration: null,
  cached_zone: null,
  image_id: null,
  compute_flavor: wish.compute_flavor,
  image_tag: wish.image_tag,
  wished_zone: wish.availability_zone,
  ...sharedBy(wish.colocation),
  heartbeat_key: heartbeatKey,
  created_at: timestamp(time.now),
  updated_at: null,
  busy_until: time.now + time.timeoutMs,
});

const vrrpPriorities: Partial<Record<AmphoraRole, number>> = { MASTER: 100, BACKUP: 90 };

/** Names of what the API shows of an amphora, by which lists are filtered and sorted. */
export const amphoraAttributes = [
  'id',
  'loadbalancer_id',
  'compute_id',
  'lb_network_ip',
  'vrrp_ip',
  'ha_ip',
  'vrrp_port_id',
  'ha_port_id',
  'cert_expiration',
  'cert_busy',
  'role',
  'status',
  'vrrp_interface',
  'vrrp_id',
  'vrrp_priority',
  'cached_zone',
  'created_at',
  'updated_at',
  'image_id',
  'compute_flavor',
  'host_id',
];

export const amphoraResponse = (row: AmphoraRow) => ({
  id: row.id,
  loadbalancer_id: row.load_balancer_id,
  // The machine, as Octavia's is: the same for all that share it.
  compute_id: row.compute_id === null ? null : (row.host_id ?? row.compute_id),
  lb_network_ip: row.lb_network_ip,
  vrrp_ip: row.vrrp_ip,
  ha_ip: row.ha_ip,
  vrrp_port_id: row.vrrp_port_id,
  ha_port_id: row.ha_port_id,
  cert_expiration: row.cert_expiration,
  cert_busy: (row.rotation ?? null) !== null,
  role: row.role,
  status: row.status,
  // The VIP is moved by the control plane: no amphora speaks VRRP.
  vrrp_interface: null,
  vrrp_id: null,
  vrrp_priority: row.role === null ? null : (vrrpPriorities[row.role] ?? null),
  cached_zone: row.cached_zone,
  created_at: row.created_at,
  updated_at: row.updated_at,
  image_id: row.image_id,
  compute_flavor: row.compute_flavor ?? null,
  ...(row.host_id === undefined ? {} : { host_id: row.host_id }),
});

/** Roles a topology asks for, first the one that takes the VIP. */
export const rolesOf = (topology: 'SINGLE' | 'ACTIVE_STANDBY'): AmphoraRole[] =>
  topology === 'SINGLE' ? ['STANDALONE'] : ['MASTER', 'BACKUP'];
