// What an operator may forbid: ways of choosing a VIP, and security groups of VIPs by a policy of their own.
import { describe, expect, it } from 'vitest';
import { ControlPlane } from '../support/control-plane.ts';

const policy_file = JSON.stringify({ 'os_load-balancer_api:loadbalancer:post:vip_sg_ids': 'role:admin' });

describe('an operator', () => {
  it('may forbid to choose a VIP by subnet, network or port', async () => {
    await using plane = await ControlPlane.start({ config: { allow_vip_subnet_id: false } });
    const api = plane.as();
    const { status, body } = await api.post('loadbalancers', api.loadBalancer());
    const faultstring = "Validation failure: use of vip_subnet_id is disallowed by this deployment's configuration.";
    expect([status, body.faultstring]).toEqual([400, faultstring]);
    const [subnet] = await plane.services.network.listSubnets();
    const byNetwork = { loadbalancer: { vip_network_id: subnet!.network_id } };
    expect((await api.post('loadbalancers', byNetwork)).status).toBe(201);
  });

  it('may keep security groups of VIPs to some by a policy of their own', async () => {
    await using plane = await ControlPlane.start({ config: { policy_file } });
    const group = { vip_sg_ids: ['11111111-2222-4333-8444-555555555555'] };
    const asked = plane.as();
    expect((await asked.post('loadbalancers', asked.loadBalancer(group))).status).toBe(403);
    expect((await asked.post('loadbalancers', asked.loadBalancer())).status).toBe(201);
    // Whoever may, reads that there is no such group.
    const admin = plane.as('admin');
    expect((await admin.post('loadbalancers', admin.loadBalancer(group))).status).toBe(400);
  });
});
