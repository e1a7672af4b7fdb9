// A network with a filter of its own is told who may reach a VIP: by the stream of the table, so that no write is forgotten.
import { expect, it } from 'vitest';
import { requestFilters } from '../../lambdas/controller/vip-filter.ts';
import type { FilteredVip, VipRule } from '../../lambdas/drivers/network/network-driver.ts';
import { NoopNetworkDriver } from '../../lambdas/drivers/network/noop.ts';
import type { TableChange } from '../../lambdas/drivers/table/stream.ts';
import type { Item } from '../../lambdas/drivers/table/table.ts';
import { childKey, loadBalancerKey } from '../../lambdas/repositories/keys.ts';
import { changeLoadBalancer, newLoadBalancerItem } from '../../lambdas/repositories/load-balancers.ts';
import { startOperationHandler } from '../../lambdas/worker/start-operation.ts';
import { aListener, aLoadBalancer } from '../support/builders.ts';
import { InProcessQueue } from '../support/in-process-queue.ts';
import { type TestServices, testServices } from '../support/services.ts';

class Filter extends NoopNetworkDriver {
  readonly told: VipRule[][] = [];
  /** While it is told. */
  meanwhile: () => Promise<unknown> = async () => {};
  override async allow(_id?: string, _vip?: FilteredVip, rules: VipRule[] = []): Promise<void> {
    const during = this.meanwhile;
    this.meanwhile = async () => {};
    await during();
    this.told.push(rules);
  }
}

const row = aLoadBalancer({ provisioning_status: 'ACTIVE' });
const listener = aListener({ load_balancer_id: row.id, protocol_port: 80, provisioning_status: 'ACTIVE' });
const listenerItem = (given: object = {}): Item => ({
  ...childKey({ kind: 'listener', row: listener }),
  ...listener,
  ...given,
});
const web = { protocol: 'tcp', port: 80, cidr: '0.0.0.0/0' };

function change(before: Item | undefined, after: Item | undefined, id = 'record-1'): TableChange {
  const { pk, sk } = (after ?? before)!;
  return { id, sequence: id, at: 0, key: { pk, sk }, ...(before && { before }), ...(after && { after }) };
}

async function deployed(network_driver: 'vpc' | 'noop' = 'vpc') {
  const queue = new InProcessQueue();
  const base = testServices();
  const filter = new Filter(base);
  const services = { ...base, queue, network: filter, config: { ...base.config, network_driver } };
  queue.handlers = { operations: startOperationHandler(services) };
  await services.table.transact([
    { kind: 'put', item: newLoadBalancerItem(row) },
    { kind: 'put', item: listenerItem() },
  ]);
  const settled = async () => {
    while (!queue.isIdle) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  const tell = async (...changes: TableChange[]) => {
    await requestFilters(services as unknown as TestServices, changes);
    await settled();
  };
  return { services, filter, tell };
}

it('opens the ports of a new listener, and once when the stream says it twice', async () => {
  const { filter, tell } = await deployed();
  await tell(change(undefined, listenerItem()));
  await tell(change(undefined, listenerItem()));
  expect(filter.told).toEqual([[web]]);
});

it.each([
  ['other addresses are allowed', { allowed_cidrs: ['192.0.2.0/24'] }],
  ['it is disabled', { admin_state_up: false }],
  ['it is about to be deleted', { provisioning_status: 'PENDING_DELETE' }],
])('looks again when of a listener %s', async (_what, given) => {
  const { filter, tell } = await deployed();
  await tell(change(listenerItem(), listenerItem(given)));
  expect(filter.told).toHaveLength(1);
});

it('looks again when the load balancer gets other security groups', async () => {
  const { filter, tell } = await deployed();
  const item = newLoadBalancerItem(row);
  await tell(change(item, { ...item, vip_sg_ids: ['one'] }));
  expect(filter.told).toHaveLength(1);
});

it('leaves the network alone for whatever else is written', async () => {
  const { filter, tell } = await deployed();
  const item = newLoadBalancerItem(row);
  await tell(
    change(listenerItem(), listenerItem({ provisioning_status: 'PENDING_UPDATE', name: 'other' })),
    change(item, { ...item, generation: row.generation + 1 }),
    change({ pk: loadBalancerKey(row.id).pk, sk: 'POOL#1' }, undefined),
  );
  expect(filter.told).toEqual([]);
});

it('asks nothing of a network without a filter', async () => {
  const { filter, tell } = await deployed('noop');
  await tell(change(undefined, listenerItem()));
  expect(filter.told).toEqual([]);
});

it('ends with what was written last, when somebody writes while the network is told', async () => {
  const { services, filter, tell } = await deployed();
  filter.meanwhile = async () => {
    await services.table.transact([{ kind: 'put', item: listenerItem({ admin_state_up: false }) }]);
    await changeLoadBalancer(services, row.id, ({ generation }) => ({ generation: generation + 1 }));
  };
  await tell(change(undefined, listenerItem()));
  expect(filter.told).toEqual([[web], []]);
});

it('tells nothing of a load balancer that is going', async () => {
  const { services, filter, tell } = await deployed();
  await changeLoadBalancer(services, row.id, () => ({ provisioning_status: 'PENDING_DELETE' }));
  await tell(change(listenerItem(), undefined));
  expect(filter.told).toEqual([]);
});
