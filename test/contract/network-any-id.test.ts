import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AnyIdNetworkDriver } from '../../lambdas/drivers/network/noop-any-id.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { wanted } from '../support/vip-requests.ts';

const [anySubnet, anyNetwork, anyPort] = [randomUUID(), randomUUID(), randomUUID()];
const clock = { now: () => 1_700_000_000_000 };
const amphora = { id: randomUUID(), compute_id: 'c-1', lb_network_ip: '192.0.2.1', vrrp_port_id: randomUUID() };

let table: SqliteTable;
let network: AnyIdNetworkDriver;
beforeEach(() => {
  table = new SqliteTable({ path: ':memory:' });
  network = new AnyIdNetworkDriver({ table, clock, newId: randomUUID });
});
afterEach(() => table.close());

it('believes in a subnet, a network and a port that are not there', async () => {
  const request = wanted({ subnet_id: anySubnet, network_id: anyNetwork, port_id: anyPort, address: '192.0.2.7' });
  expect(await network.allocateVip(request)).toEqual({
    vip_address: '192.0.2.7',
    vip_port_id: anyPort,
    vip_subnet_id: anySubnet,
    vip_network_id: anyNetwork,
  });
  expect((await network.getSubnet(anySubnet)).id).toBe(anySubnet);
});

it.each([{ subnet_id: anySubnet }, { network_id: anyNetwork }, { port_id: anyPort }])(
  'chooses what %j leaves open, once',
  async (wish) => {
    const request = wanted(wish);
    const vip = await network.allocateVip(request);
    expect(vip.vip_address).toMatch(/^198\.1[89]\./);
    expect(Object.values(vip).every(Boolean)).toBe(true);
    expect(await network.allocateVip(request)).toEqual(vip);
    expect(await network.listVips()).toHaveLength(1);
  },
);

it('gives one address to two load balancers that ask for it in a subnet that is not there', async () => {
  const ask = () => network.allocateVip(wanted({ subnet_id: anySubnet, address: '2001:db8::5' }));
  expect([(await ask()).vip_address, (await ask()).vip_address]).toEqual(['2001:db8::5', '2001:db8::5']);
});

it('plugs, moves and releases such a VIP', async () => {
  const request = wanted({ subnet_id: anySubnet });
  const { load_balancer_id } = request;
  const vip = await network.allocateVip(request);
  const plugged = await network.plugVip(load_balancer_id, vip, amphora);
  expect(await network.plugVip(load_balancer_id, vip, amphora)).toEqual(plugged);
  await network.takeVip(load_balancer_id, vip, amphora, 1);
  expect(await network.vipOwner(load_balancer_id)).toBe(amphora.id);
  await network.unplugVip(load_balancer_id, vip, amphora.id);
  await network.releaseVip(load_balancer_id, vip);
  await network.releaseVip(load_balancer_id, vip);
  expect(await network.listVips()).toEqual([]);
});
