// Housekeeping, spare amphorae: each pool is kept at its size, and what is in it is replaced before it is too old to be used.
import { bornAmphora } from '../controller/amphora-birth.ts';
import { announce } from '../controller/announce.ts';
import { eachInTurn } from '../controller/each-in-turn.ts';
import { removeAmphora } from '../controller/removal.ts';
import { wantedPools } from '../controller/spare-pools.ts';
import { type AmphoraRow, wishOf } from '../domain/amphora.ts';
import { buildPauseMs, type Freshness, poolName, poolPlan, type SparePool } from '../domain/spare-pools.ts';
import { timestamp } from '../domain/time.ts';
import type { FlowName } from '../drivers/flows/flow-driver.ts';
import { readAllAmphorae, readAmphora } from '../repositories/amphorae.ts';
import { changePool, emptyPool, forgetPool, type PoolRow, readPools } from '../repositories/spare-pools.ts';
import type { Services } from '../runtime/services.ts';

const flow: FlowName = 'build-amphora';
const executionOf = (amphoraId: string): string => `spare-${amphoraId}`;

const start = ({ flows }: Services, amphora_id: string): Promise<void> =>
  flows.start(flow, executionOf(amphora_id), { amphora_id, load_balancer_id: null, role: null });

/** What is lost was never started and is too old by now: the sweep takes its row. */
type BuildState = 'building' | 'built' | 'failed' | 'lost';

/** A build that was written down and not started, because whoever did died in between, is started now. */
async function stateOf(services: Services, amphoraId: string): Promise<BuildState> {
  const execution = await services.flows.describe(flow, executionOf(amphoraId));
  if (execution?.state === 'RUNNING') return 'building';
  if (execution !== undefined) return execution.state === 'SUCCEEDED' ? 'built' : 'failed';
  const row = await readAmphora(services.table, amphoraId);
  if (row?.status === 'READY' || row?.status === 'ALLOCATED') return 'built';
  if (row?.status !== 'BOOTING' || row.busy_until <= services.clock.now()) return 'lost';
  await start(services, amphoraId);
  return 'building';
}

/** Takes note of builds that ended; after one that failed there is a pause, longer each time. */
async function noteBuilds(services: Services, row: PoolRow): Promise<PoolRow | undefined> {
  if (row.building.length === 0) return row;
  const states = await Promise.all(row.building.map((id) => stateOf(services, id)));
  if (states.every((state) => state === 'building')) return row;
  const building = row.building.filter((_, index) => states[index] === 'building');
  const before = states.includes('built') ? { failures: 0, paused_until: 0 } : row;
  const { failures: failedBefore, paused_until: pausedBefore } = before;
  if (!states.includes('failed'))
    return changePool(services, row, { building, failures: failedBefore, paused_until: pausedBefore });
  const failures = failedBefore + 1;
  const paused_until = services.clock.now() + buildPauseMs(failures);
  const after = await changePool(services, row, { building, failures, paused_until });
  if (after) await announceFailure(services, after);
  return after;
}

async function announceFailure(services: Services, { wish, failures, paused_until }: PoolRow): Promise<void> {
  const about = { id: '', project_id: '', name: '' };
  const detail = { ...wish, failures, paused_until: timestamp(paused_until) };
  await announce(services, about, 'spare_build_failed', 'spare_pool', poolName(wish), detail);
}

async function freshness(services: Services, { wish }: SparePool): Promise<Freshness> {
  const { spare_age_ms, certificate_replacement_buffer_ms } = services.config;
  const now = services.clock.now();
  return {
    image: await services.compute.currentImage(wish),
    madeAfter: timestamp(now - spare_age_ms),
    certifiedUntil: timestamp(now + certificate_replacement_buffer_ms),
  };
}

/** @returns how many were started */
async function build(services: Services, row: PoolRow, count: number): Promise<number> {
  if (count <= 0 || row.paused_until > services.clock.now()) return 0;
  const born = Array.from({ length: count }, () => bornAmphora(services, services.newId(), null, row.wish));
  const building = [...row.building, ...born.map(({ id }) => id)];
  // Somebody else looked after the pool at the same time: what is missing then is seen in the next round.
  if ((await changePool(services, row, { building }, born)) === undefined) return 0;
  for (const { id } of born) await start(services, id);
  return count;
}

/** @param allowed how many may be started */
async function keepPool(services: Services, pool: SparePool, row: PoolRow, ready: AmphoraRow[], allowed: number) {
  const state = { ready, building: row.building.length };
  const { missing, surplus } = poolPlan(pool.size, state, await freshness(services, pool));
  for (const spare of surplus) await removeAmphora(services, spare);
  // After something failed one build alone tells whether it still does.
  const atOnce = row.failures > 0 ? 1 - row.building.length : missing;
  return build(services, row, Math.min(missing, allowed, atOnce));
}

/** Builds what is missing, ends what is too much. @returns how many were started */
export async function keepSpares(services: Services): Promise<number> {
  const [wanted, known] = await Promise.all([wantedPools(services), readPools(services.table)]);
  const unowned = (await readAllAmphorae(services.table)).filter((row) => row.load_balancer_id === null);
  const ready = Map.groupBy(
    unowned.filter((row) => row.status === 'READY'),
    (row) => poolName(wishOf(row)),
  );
  const noted = new Map<string, PoolRow>();
  const names = new Set([...wanted.keys(), ...known.keys(), ...ready.keys()]);
  const unseen = new Map<string, unknown>();
  for (const [name, row] of known) {
    const after = await noteBuilds(services, row).catch((error: unknown) => void unseen.set(name, error));
    if (after) noted.set(name, after);
  }
  let allowed = services.config.spare_builds - [...noted.values()].flatMap(({ building }) => building).length;
  let started = 0;
  await eachInTurn('pools of spares were not kept', names, async (name) => {
    if (unseen.has(name)) throw unseen.get(name);
    // Another round is at it.
    if (known.has(name) && !noted.has(name)) return;
    const spares = ready.get(name) ?? [];
    const wish = wanted.get(name)?.wish ?? known.get(name)?.wish ?? wishOf(spares[0]!);
    const row = noted.get(name) ?? emptyPool(wish);
    const pool = wanted.get(name) ?? { wish, size: 0 };
    const count = await keepPool(services, pool, row, spares, allowed);
    if (pool.size === 0 && row.revision > 0 && row.building.length === 0) await forgetPool(services, row);
    allowed -= count;
    started += count;
  });
  return started;
}
