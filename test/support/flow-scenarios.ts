// Operations on load balancers that between them visit every state of every flow.
import { requestFailover } from '../../lambdas/controller/failover.ts';
import { setAmphora } from '../../lambdas/repositories/amphorae.ts';
import type { Config } from '../../lambdas/runtime/config.ts';
import { isChild, type TaskState, taskStates } from './flow-states.ts';
import { FlowWorld } from './flow-world.ts';

export interface Scenario {
  name: string;
  config?: Partial<Config>;
  /** Flows it runs, those that fail over or build for it included. */
  flows: string[];
  /** @returns the load balancer it is about, when there is one before */
  prepare(world: FlowWorld): Promise<string>;
  go(world: FlowWorld, id: string): Promise<unknown>;
  /** What becomes of the load balancer when nothing fails. */
  becomes: 'ACTIVE' | 'gone';
}

const pair = { topology: 'ACTIVE_STANDBY' } as const;
const nothing = async () => '';
const active = (world: FlowWorld) => world.createActive();
const withSpare = async (world: FlowWorld) => {
  await world.housekeeping();
  await world.settle();
  return '';
};
const firstAmphora = async (world: FlowWorld, id: string) => (await world.loadBalancer(id)).amphora_ids[0]!;
const servingAmphora = async (world: FlowWorld, id: string) => {
  const owner = await world.outside.network.vipOwner(id, await world.loadBalancer(id));
  return owner!;
};
/** A load balancer of a flavor whose amphorae share machines, two and two. */
const colocated = async (world: FlowWorld, besides: object = {}) =>
  world.createActive({ flavor_id: await world.flavor({ colocation: 2 }), ...besides });
/** It is not what the scenario is about, and serves throughout. */
const neighbour = 'neighbour';
const withNeighbour = async (world: FlowWorld, besides: object = {}) => {
  const { flavor_id } = await world.loadBalancer(await colocated(world, { name: neighbour }));
  return world.createActive({ flavor_id, ...besides });
};
const createBeside = async (world: FlowWorld, id: string) => {
  const { flavor_id } = await world.loadBalancer(id);
  return world.create({ flavor_id });
};
const create = (world: FlowWorld) => world.create();
const failover = (world: FlowWorld, id: string) => world.failover(id);
const becomes = 'ACTIVE' as const;
const creating = ['create-load-balancer', 'build-amphora'];
const failing = ['failover-load-balancer', 'failover-amphora', 'build-amphora'];

export const scenarios: Scenario[] = [
  { name: 'create', flows: creating, prepare: nothing, go: create, becomes },
  {
    name: 'create with a spare',
    config: { spare_amphorae: 1 },
    flows: ['create-load-balancer'],
    prepare: withSpare,
    go: create,
    becomes,
  },
  { name: 'create a pair', config: pair, flows: creating, prepare: nothing, go: create, becomes },
  { name: 'failover', flows: failing, prepare: active, go: failover, becomes },
  {
    name: 'failover of one amphora',
    flows: failing,
    prepare: active,
    go: async (world, id) => requestFailover(world.services, await firstAmphora(world, id)),
    becomes,
  },
  { name: 'failover of a pair', config: pair, flows: failing, prepare: active, go: failover, becomes },
  {
    name: 'failover of the one of a pair that has the VIP, with a write meanwhile',
    config: pair,
    flows: failing,
    prepare: active,
    go: async (world, id) => {
      await requestFailover(world.services, await servingAmphora(world, id));
      await world.rename(id);
    },
    becomes,
  },
  {
    name: 'delete',
    flows: ['delete-load-balancer'],
    prepare: active,
    go: (world, id) => world.remove(id),
    becomes: 'gone',
  },
  {
    name: 'rotate a certificate',
    flows: ['rotate-amphora-certificate'],
    prepare: active,
    go: async (world, id) => {
      await setAmphora(world.outside, await firstAmphora(world, id), { is_rotation_asked: true });
      await world.housekeeping();
    },
    becomes,
  },
  {
    name: 'build a spare',
    config: { spare_amphorae: 1 },
    flows: ['build-amphora'],
    prepare: nothing,
    go: (world) => world.housekeeping(),
    becomes: 'gone',
  },
  {
    name: 'create a pair on shared machines',
    config: pair,
    flows: creating,
    prepare: (world) => colocated(world, { name: neighbour }),
    go: createBeside,
    becomes,
  },
  { name: 'failover on a shared machine', flows: failing, prepare: withNeighbour, go: failover, becomes },
  {
    name: 'delete on a shared machine',
    flows: ['delete-load-balancer'],
    prepare: withNeighbour,
    go: (world, id) => world.remove(id),
    becomes: 'gone',
  },
];

/** A world in which the scenario is about to begin. */
export async function begin(scenario: Scenario): Promise<{ world: FlowWorld; id: string }> {
  const world = new FlowWorld(scenario.config);
  const id = await scenario.prepare(world);
  world.journal.length = 0;
  world.visits.clear();
  world.effects = 0;
  return { world, id };
}

/** What has become of the load balancers: their provisioning statuses, or gone. */
export async function outcome(world: FlowWorld): Promise<string> {
  const rows = await subjects(world);
  const others = (await world.loadBalancers()).filter(({ name }) => name === neighbour);
  if (others.some((row) => row.provisioning_status !== 'ACTIVE')) return 'its neighbour suffers';
  return rows.length === 0 ? 'gone' : rows.map((row) => row.provisioning_status).join();
}

/** Load balancers that the scenario is about. */
export const subjects = async (world: FlowWorld) =>
  (await world.loadBalancers()).filter(({ name }) => name !== neighbour);

/** States the scenario comes by when nothing fails, and those of the reverts of their flows. */
export async function statesOf(scenario: Scenario): Promise<TaskState[]> {
  const { world, id } = await begin(scenario);
  await scenario.go(world, id);
  await world.settle();
  const { visits } = world;
  await world.close();
  return taskStates.filter(
    (state) => visits.has(state.at) || (state.isRevert && scenario.flows.includes(state.flow) && !isChild(state)),
  );
}
