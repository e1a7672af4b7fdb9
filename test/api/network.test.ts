import { beforeEach, describe, expect, it } from 'vitest';
import { networkHandler } from '../../lambdas/network/handler.ts';
import { newLoadBalancerItem } from '../../lambdas/repositories/load-balancers.ts';
import { aLoadBalancer, idOf } from '../support/builders.ts';
import { httpEvent } from '../support/http.ts';
import { type TestServices, testServices } from '../support/services.ts';

let services: TestServices;
beforeEach(() => {
  services = testServices();
});

const caller = (projectId: string, ...roles: string[]) => ({
  user_id: 'u',
  user_name: 'u',
  project_id: projectId,
  roles,
});

async function ask(path: string, query: Record<string, string> = {}, by = caller('p', 'member')) {
  const result = await networkHandler(services)(
    httpEvent({ method: 'GET', path, query, caller: by }) as never,
    {} as never,
  );
  return { status: result.statusCode, body: JSON.parse(result.body ?? 'null') };
}

describe('the network service', () => {
  it('has a versions document at its root, without a version in the path', async () => {
    const { body } = await ask('/network/');
    expect(body.versions).toMatchObject([{ id: 'v2.0', status: 'CURRENT' }]);
  });

  it('finds a subnet by name and by id', async () => {
    const { body } = await ask('/network/v2.0/subnets', { name: 'vip-subnet' });
    expect(body.subnets).toMatchObject([{ name: 'vip-subnet', ip_version: 4 }]);
    const { id } = body.subnets[0];
    expect((await ask('/network/v2.0/subnets', { id })).body.subnets).toHaveLength(1);
    expect((await ask(`/network/v2.0/subnets/${id}`)).body.subnet.id).toBe(id);
    expect((await ask('/network/v2.0/subnets', { name: 'other' })).body.subnets).toEqual([]);
    expect((await ask('/network/v2.0/networks')).body.networks[0].subnets).toEqual([id]);
  });

  it('has no QoS policies', async () => {
    expect(await ask('/network/v2.0/qos/policies', { name: 'gold' })).toEqual({ status: 200, body: { policies: [] } });
  });

  it("answers in Neutron's words when there is none", async () => {
    const { status, body } = await ask('/network/v2.0/subnets/nowhere');
    expect(status).toBe(404);
    expect(body.NeutronError).toMatchObject({ type: 'HTTPNotFound', message: 'Subnet nowhere could not be found.' });
  });

  it('shows the port of a VIP to its project and to administrators only', async () => {
    const row = aLoadBalancer({ project_id: 'p', vip_port_id: idOf('other', 7) });
    await services.table.transact([{ kind: 'put', item: newLoadBalancerItem(row) }]);
    const path = `/network/v2.0/ports/${row.vip_port_id}`;
    expect((await ask(path)).body.port.fixed_ips).toEqual([
      { subnet_id: row.vip_subnet_id, ip_address: row.vip_address },
    ]);
    expect((await ask(path, {}, caller('q', 'member'))).status).toBe(404);
    expect((await ask(path, {}, caller('q', 'admin'))).status).toBe(200);
  });
});
