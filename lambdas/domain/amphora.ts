// Amphorae: the machines that run HAProxy for a load balancer, or wait to.
import type { AmphoraRole, AmphoraStatus } from './statuses.ts';

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
  /** Encrypted; what its heartbeats are signed with. */
  heartbeat_key: string;
  created_at: string;
  updated_at: string | null;
  /** Milliseconds since the epoch until which a flow works on it; a sweep leaves it alone before. */
  busy_until: number;
}

/** Roles a topology asks for, first the one that takes the VIP. */
export const rolesOf = (topology: 'SINGLE' | 'ACTIVE_STANDBY'): AmphoraRole[] =>
  topology === 'SINGLE' ? ['STANDALONE'] : ['MASTER', 'BACKUP'];
