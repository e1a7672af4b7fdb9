// Whether a control plane with nothing left to do has what its model says, as clients, amphorae and counters see it.
import assert from 'node:assert/strict';
import { loadBalancerKey } from '../../lambdas/repositories/keys.ts';
import type { ControlPlane } from './control-plane.ts';
import type { Shown } from './octavia-api.ts';
import { projects } from './personas.ts';
import type { Node, StatusModel } from './status-model.ts';

/** What was seen before. */
export interface Seen {
  generations: Map<string, number>;
  nextPort: number;
  batches: number;
}

const idsOf = (nodes: Node[]): string[] => nodes.map(({ id }) => id).toSorted();

async function assertList(plane: ControlPlane, path: string, nodes: Node[]): Promise<void> {
  const { body } = await plane.as().get(path);
  const rows = Object.values(body).find(Array.isArray) as Shown[];
  assert.deepEqual(rows.map((one) => one['id']).toSorted(), idsOf(nodes), `${path} has other rows`);
  for (const row of rows)
    assert.equal(row['provisioning_status'], 'ACTIVE', `${path} ${row['id']} is ${row['provisioning_status']}`);
}

async function assertPositions(plane: ControlPlane, listener: Node, policies: Node[]): Promise<void> {
  const { body } = await plane.as().get(`l7policies?listener_id=${listener.id}&sort=position`);
  const positions = body.l7policies.map((one: Shown) => [one['position'], one['id']]);
  const expected = policies.map(({ id }, index) => [index + 1, id]);
  assert.deepEqual(positions, expected, `positions of listener ${listener.id}`);
  const shown = await plane.as().show(`listeners/${listener.id}`);
  assert.deepEqual(
    shown['l7policies'],
    policies.map(({ id }) => ({ id })),
    `l7policies of listener ${listener.id}`,
  );
}

/** Members behind a listener are in force, and no others are. */
function assertInForce(model: StatusModel, plane: ControlPlane, loadBalancer: Node): void {
  const served = new Set(model.of('listener', loadBalancer).map(({ pool }) => pool));
  const all = model.of('pool', loadBalancer).flatMap((pool) => model.of('member', pool));
  const text = plane.amphorae.textOf(loadBalancer.id);
  const inText = new Set([...text.matchAll(/198\.51\.\d+\.\d+(?=:8080)/g)].map(([address]) => address));
  for (const { parent, address } of all)
    if (served.has(parent!)) assert.ok(inText.has(address!), `member ${address} is not in force`);
  for (const address of inText)
    assert.ok(
      all.some((one) => one.address === address),
      `member ${address} is still in force`,
    );
}

async function assertWhole(model: StatusModel, plane: ControlPlane, loadBalancer: Node): Promise<void> {
  const row = (await plane.services.table.get(loadBalancerKey(loadBalancer.id)))!;
  assert.equal(row['provisioning_status'], 'ACTIVE');
  assert.equal(row['applied_generation'], row['generation'], `load balancer ${loadBalancer.id} is behind`);
  assert.deepEqual([row['operation'], row['lease'], row['intents'], row['candidates']], [null, null, [], []]);
  for (const listener of model.of('listener', loadBalancer))
    await assertPositions(plane, listener, model.of('l7policy', listener));
  assertInForce(model, plane, loadBalancer);
}

/** Lets everything go on to its end. @throws AssertionError where plane and model differ */
export async function assertAgreement(model: StatusModel, plane: ControlPlane, seen: Seen): Promise<void> {
  plane.queue.release();
  await plane.settle();
  model.settle();
  assert.deepEqual(plane.queue.dead, [], 'messages nobody could do');
  for (const kind of ['loadbalancers', 'listeners', 'pools', 'healthmonitors', 'l7policies'] as const)
    await assertList(plane, kind, model.of(kind === 'l7policies' ? 'l7policy' : singular(kind)));
  for (const pool of model.of('pool')) await assertList(plane, `pools/${pool.id}/members`, model.of('member', pool));
  for (const policy of model.of('l7policy'))
    await assertList(plane, `l7policies/${policy.id}/rules`, model.of('l7rule', policy));
  for (const loadBalancer of model.of('loadbalancer')) await assertWhole(model, plane, loadBalancer);
  assert.deepEqual(await plane.inUse(projects.own), model.counts(), 'quota counters');
  const { compute, network } = plane.services;
  const count = model.of('loadbalancer').length;
  assert.deepEqual([(await compute.list()).length, (await network.listVips()).length], [count, count]);
  for (const id of seen.generations.keys())
    if (!model.of('loadbalancer').some((one) => one.id === id)) seen.generations.delete(id);
}

const singular = (plural: 'loadbalancers' | 'listeners' | 'pools' | 'healthmonitors') =>
  plural.slice(0, -1) as 'loadbalancer' | 'listener' | 'pool' | 'healthmonitor';
