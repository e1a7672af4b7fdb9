// Subnets, VIPs and who holds them: Neutron's place in Octavia. On AWS a VPC, on one machine loopback addresses.

import type { AdditionalVip, AdditionalVipWish } from '../../domain/load-balancer.ts';
import type { VipRule } from '../../domain/vip-rules.ts';

export interface VipRequest {
  load_balancer_id: string;
  project_id: string;
  address: string | null;
  port_id: string | null;
  subnet_id: string | null;
  network_id: string | null;
  /** Addresses beside it, in other subnets of the same network. */
  additional_vips: AdditionalVipWish[];
  /** Zone in which the amphorae are wished; of a network, a subnet of it is taken. */
  availability_zone?: string | null;
}

/** Field names as the load balancer carries them. */
export interface Vip {
  vip_address: string;
  vip_port_id: string;
  vip_subnet_id: string;
  vip_network_id: string;
  /** Absent: none. */
  additional_vips?: AdditionalVip[];
  /** Zone whose machines can have it; absent: any. */
  vip_zone?: string;
}

/** The VIP, and whom users let reach it: by security groups of theirs, or by the rules of its listeners. */
export interface FilteredVip extends Vip {
  vip_sg_ids?: string[];
}

export type { VipRule } from '../../domain/vip-rules.ts';

export interface Subnet {
  id: string;
  name: string;
  network_id: string;
  network_name: string;
  cidr: string;
  ip_version: 4 | 6;
  /** Where addresses are handed out from; absent: all of it, null: nowhere. */
  range?: string | null;
  /** Its VIPs are for amphorae in this zone; absent: wherever they are. */
  availability_zone?: string;
}

/** The amphora's foot in the VIP's subnet. */
export interface PluggedInterface {
  vrrp_ip: string;
  vrrp_port_id: string;
}

export interface NetworkDriver {
  /**
   * Reserves the VIP for the load balancer; asked again for the same load balancer, answers with the same VIP.
   * @throws ApiError 400 for a subnet, network or port that is not there, an address outside of it, or two of one subnet
   * @throws ApiError 409 for an address that is in use
   */
  allocateVip(request: VipRequest): Promise<Vip>;
  /** Gives the VIP back, with the addresses beside it; no error when it is gone. */
  releaseVip(loadBalancerId: string, vip: Vip): Promise<void>;
  /** Gives the amphora an interface in the VIP's subnet; again: the same one. */
  plugVip(
    loadBalancerId: string,
    vip: FilteredVip,
    amphora: { id: string; compute_id: string; lb_network_ip: string },
  ): Promise<PluggedInterface>;
  /** Takes the amphora's interface away; no error when it is gone. */
  unplugVip(loadBalancerId: string, vip: Vip, amphoraId: string): Promise<void>;
  /**
   * Moves the VIP to this amphora, away from whoever has it. After it returns no other amphora gets a packet of the VIP,
   * alive or not. `epoch` was raised by the caller before; a call with a lower epoch than one seen has no effect.
   * @param leaving where packets are not moved by the network but by who listens: this one, which is well and is about to leave by itself, may
   * go on until it did; whoever took a VIP so asks again without it unless that one has left. It owns nothing any more either way.
   * @throws Superseded when a higher epoch was seen
   */
  takeVip(
    loadBalancerId: string,
    vip: Vip,
    amphora: { id: string; compute_id: string; vrrp_port_id: string },
    epoch: number,
    leaving?: string | null,
  ): Promise<void>;
  /**
   * From here on these alone may reach the VIP, of all there ever were. Opened by nobody else, it is closed until then. HAProxy judges the same
   * addresses again; where a network has no filter it judges alone.
   */
  allow(loadBalancerId: string, vip: FilteredVip, rules: VipRule[]): Promise<void>;
  /** The amphora that has the VIP now, null when none. */
  vipOwner(loadBalancerId: string, vip: Vip): Promise<string | null>;
  /** @throws ApiError 400 `Subnet <id> not found.` */
  getSubnet(id: string): Promise<Subnet>;
  listSubnets(): Promise<Subnet[]>;
  /** @throws ApiError 400 `Security Group <id> not found.` */
  checkSecurityGroup(id: string): Promise<void>;
  /** @throws ApiError 400 `qos_policy <id> not found.` */
  checkQosPolicy(id: string): Promise<void>;
  /** Load balancers that hold a VIP, for the sweep of orphans. */
  listVips(): Promise<{ load_balancer_id: string; vip: Vip; allocated_at: number }[]>;
  /** Load balancers of which the network itself has something with their tag, whatever is written of them; for the sweep of orphans. */
  listTagged(): Promise<string[]>;
  /** Takes away whatever has the tag of a load balancer that is no more; no error when there is nothing. */
  removeTagged(loadBalancerId: string): Promise<void>;
}
