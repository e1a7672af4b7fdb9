// Security groups and QoS policies a VIP is to have.
import { invalid } from '../domain/errors.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import type { ApiRequest } from '../runtime/http/request.ts';

/** Security groups and the QoS policy that the VIP is to have must be there. @throws ApiError 400 */
export async function checkVipPolicies(
  { services: { network } }: ApiRequest,
  { vip_sg_ids, vip_qos_policy_id }: Partial<Pick<LoadBalancerRow, 'vip_sg_ids' | 'vip_qos_policy_id'>>,
): Promise<void> {
  if (vip_qos_policy_id) await network.checkQosPolicy(vip_qos_policy_id);
  for (const id of vip_sg_ids ?? []) await network.checkSecurityGroup(id);
}

/** Packets of such ports pass by security groups. @throws ApiError 400 */
export function refuseGroupsOnSriov(
  { flavor_data }: Pick<LoadBalancerRow, 'flavor_data'>,
  groups: readonly string[],
): void {
  if (flavor_data?.sriov_vip && groups.length > 0) {
    throw invalid('VIP Security Groups are not allowed with VNIC direct type');
  }
}
