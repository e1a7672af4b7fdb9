// Who may reach which port of a VIP, as its listeners say: Octavia's rules of the VIP's security group.
import { isIPv6 } from 'node:net';
import { type ListenerRow, portClass } from './listener.ts';
import type { LoadBalancerRow } from './load-balancer.ts';

/** A door in the network's filter. */
export interface VipRule {
  protocol: 'tcp' | 'udp' | 'sctp';
  port: number;
  cidr: string;
}

type Vips = Pick<LoadBalancerRow, 'vip_address' | 'additional_vips'>;
type Doors = Pick<
  ListenerRow,
  'protocol' | 'protocol_port' | 'allowed_cidrs' | 'admin_state_up' | 'provisioning_status'
>;

const everybody = ({ vip_address, additional_vips = [] }: Vips): string[] => {
  const addresses = [vip_address, ...additional_vips.map(({ ip_address }) => ip_address)];
  return [...new Set(addresses.map((address) => (isIPv6(address) ? '::/0' : '0.0.0.0/0')))];
};

/** One that is disabled or on its way out is shut: whoever is connected stays so. */
const isOpen = ({ admin_state_up, provisioning_status }: Doors): boolean =>
  admin_state_up && provisioning_status !== 'PENDING_DELETE';

/** The same rules in the same order for the same listeners. */
export function vipRules(loadBalancer: Vips, listeners: Doors[]): VipRule[] {
  const rules = listeners.filter(isOpen).flatMap(({ protocol, protocol_port: port, allowed_cidrs }) => {
    const cidrs = allowed_cidrs.length > 0 ? allowed_cidrs : everybody(loadBalancer);
    const transport = portClass(protocol).toLowerCase() as VipRule['protocol'];
    return cidrs.map((cidr): VipRule => ({ protocol: transport, port, cidr }));
  });
  return rules.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}
