// The load balancer most tests want: a listener, its default pool and members that are there.
import type { LocalService } from './local-service.ts';
import type { Attributes, LoadBalancer } from './octavia-client.ts';
import type { TestMember } from './traffic.ts';

export const listenerPort = 8080;

/** The body of one call that creates it all. */
export const webGraph = (members: Pick<TestMember, 'attributes'>[], attributes: Attributes = {}): Attributes => ({
  listeners: [
    {
      name: 'web',
      protocol: 'HTTP',
      protocol_port: listenerPort,
      default_pool: {
        name: 'web',
        protocol: 'HTTP',
        lb_algorithm: 'ROUND_ROBIN',
        members: members.map((member) => member.attributes),
      },
    },
  ],
  ...attributes,
});

export interface WebLoadBalancer {
  id: string;
  vip: string;
  listenerId: string;
  poolId: string;
}

export async function createWeb(
  service: LocalService,
  members: Pick<TestMember, 'attributes'>[],
  name = 'web',
): Promise<WebLoadBalancer> {
  const { id } = await service.api.createLoadBalancer(webGraph(members, { name }));
  return asWeb(await service.api.active(id));
}

export const asWeb = ({ id, vip_address, listeners, pools }: LoadBalancer): WebLoadBalancer => ({
  id,
  vip: vip_address,
  listenerId: listeners[0]!.id,
  poolId: pools[0]!.id,
});
