// Random histories of the control plane: what clients write, what amphorae say, what fails, how time passes. Plain data, so that one
// that fails is made smaller and told again.
import fc from 'fast-check';
import { computeEventHandler } from '../../lambdas/health-manager/compute-event.ts';
import { scanHealth } from '../../lambdas/health-manager/scan.ts';
import { failover, type Site, writeGroup } from './history-calls.ts';
import { disagreements, settleAndHeal, Watch } from './history-invariants.ts';
import { HistoryModel } from './history-model.ts';
import { HistoryWorld } from './history-world.ts';
import { seeded } from './random.ts';

export interface Happening {
  what: keyof typeof happenings;
  n: number;
  /** Of clients' calls. */
  calls: number[];
  /** How far everything gets before the next. */
  ticks: number;
}

export interface History {
  isPair: boolean;
  hasSpare: boolean;
  /** Load balancers share machines, two and two. */
  isColocated?: boolean;
  seed: number;
  happenings: Happening[];
}

const leaps = [1_000, 31_000, 61_000, 300_001, 900_001, 3_600_001];

/** The rest of the world goes on meanwhile; what somebody holds up is let go in the end. */
async function completed(site: Site, work: Promise<unknown>): Promise<void> {
  let isOver = false;
  const ended = work.finally(() => {
    isOver = true;
  });
  for (let ticks = 0; !isOver; ticks++) {
    await site.world.advance(1);
    if (ticks > 300) site.world.letGo();
  }
  await ended;
}

const amphoraOf = async ({ world }: Site, n: number) => {
  const all = await world.amphorae.all();
  return all[n % all.length];
};

/** Housekeeping and the like fail while the table is away, and run again by the clock. */
const attempt = (run: () => Promise<unknown>) => async (): Promise<void> => {
  await run().catch(() => {});
};

async function carry(site: Site, n: number): Promise<void> {
  const one = await amphoraOf(site, n);
  if (!one?.load_balancer_id) return;
  site.world.amphorae.carry(one.id, 1 + n);
  site.world.carried.set(one.load_balancer_id, (site.world.carried.get(one.load_balancer_id) ?? 0) + 1 + n);
}

async function beat({ world }: Site, n: number): Promise<void> {
  const said = await world.amphorae.beats();
  const fate = ['arrive', 'arrive', 'twice', 'lost', 'late', 'overtaken'][n % 6];
  if (fate === 'late') world.late.push(...said);
  if (fate === 'arrive' || fate === 'twice') world.late.push(...(await world.amphorae.deliver(said)));
  if (fate === 'twice') await world.amphorae.deliver(said);
  if (fate === 'overtaken') {
    await world.amphorae.deliver(await world.amphorae.beats());
    world.late.push(...(await world.amphorae.deliver([...world.late.splice(0), ...said].reverse())));
  }
}

async function silence(site: Site, n: number): Promise<void> {
  const one = await amphoraOf(site, n);
  if (one) site.world.amphorae.silent.add(one.id);
}

async function endMachine(site: Site, n: number): Promise<void> {
  const one = await amphoraOf(site, n);
  if (!one?.compute_id) return;
  await site.world.outside.compute.delete(one.compute_id);
  site.world.ended.add(one.id);
  site.world.amphorae.silent.add(one.id);
  const detail = { 'instance-id': one.compute_id, state: 'terminated', amphora_id: one.id };
  await attempt(() => computeEventHandler(site.world.services)({ detail }))();
}

async function forget(site: Site, n: number): Promise<void> {
  const one = await amphoraOf(site, n);
  if (one) site.world.amphorae.forget(one.id);
}

async function turn(site: Site, n: number): Promise<void> {
  const one = await amphoraOf(site, n);
  if (one) site.world.amphorae.turn(one.id);
}

/** A move of a VIP takes so long that its flow is given up, and another one has moved it by then. */
async function overtake(site: Site, n: number): Promise<void> {
  const { world } = site;
  world.holdMove(n);
  await failover(site, n);
  await world.advance(60);
  await world.abortFlows();
  await world.advance(60);
  world.letGo();
}

/** Nothing is PENDING past its deadline then, but what a flow works on, which ends by its own. */
async function housekeep({ world, complaints }: Site): Promise<void> {
  const refusals = world.refusals.length;
  await world.housekeeping();
  if (world.refusals.length > refusals) return;
  const running = new Set(world.running().map(({ name }) => name));
  for (const { id, operation, lease } of await world.loadBalancers())
    if (operation !== null && operation.deadline < world.clock.now() && !running.has(lease?.execution ?? ''))
      complaints.push(`${id} waits for its ${operation.kind} past its deadline`);
}

const happenings = {
  write: async (site: Site, { calls }: Happening) => writeGroup(site, calls),
  pass: async () => {},
  leap: async ({ world }: Site, { n }: Happening) => world.leap(leaps[n % leaps.length]!),
  lose: async ({ world }: Site) => void world.queue.lose(),
  delay: async ({ world }: Site, { n }: Happening) => world.queue.delay(10_000 * (1 + (n % 10))),
  double: async ({ world }: Site) => world.queue.double(),
  reverse: async ({ world }: Site) => world.queue.reverse(),
  break: async ({ world }: Site, { n }: Happening) => world.break(n),
  outage: async ({ world }: Site, { n }: Happening) => world.outage(500 + 50 * n),
  hold: async ({ world }: Site, { n }: Happening) => world.holdOne(n),
  letGo: async ({ world }: Site) => world.letGo(),
  die: async ({ world }: Site, { n }: Happening) => world.dieAfter(1 + (n % 40)),
  abort: async ({ world }: Site) => world.abortFlows(),
  overtake: async (site: Site, { n }: Happening) => overtake(site, n),
  repeat: async ({ world }: Site) => world.table.repeatNext(),
  turn: async (site: Site, { n }: Happening) => turn(site, n),
  forget: async (site: Site, { n }: Happening) => forget(site, n),
  housekeeping: async (site: Site) => housekeep(site),
  scan: async ({ world }: Site) => attempt(() => scanHealth(world.services))(),
  carry: async (site: Site, { n }: Happening) => carry(site, n),
  beat: async (site: Site, { n }: Happening) => beat(site, n),
  silence: async (site: Site, { n }: Happening) => silence(site, n),
  speak: async ({ world }: Site) => world.speakAgain(),
  endMachine: async (site: Site, { n }: Happening) => endMachine(site, n),
};

const weights: Partial<Record<keyof typeof happenings, number>> = {
  write: 14,
  pass: 4,
  leap: 4,
  carry: 3,
  beat: 5,
  scan: 3,
  break: 4,
  hold: 2,
  die: 2,
};

const happening: fc.Arbitrary<Happening> = fc.record({
  what: fc.oneof(
    ...(Object.keys(happenings) as (keyof typeof happenings)[]).map((what) => ({
      weight: weights[what] ?? 1,
      arbitrary: fc.constant(what),
    })),
  ),
  n: fc.nat({ max: 120 }),
  calls: fc.array(fc.nat({ max: 2_000 }), { minLength: 1, maxLength: 4 }),
  ticks: fc.nat({ max: 12 }),
});

export const histories: fc.Arbitrary<History> = fc
  .record({
    isPair: fc.boolean(),
    hasSpare: fc.boolean(),
    seed: fc.nat(),
    happenings: fc.array(happening, { minLength: 1, maxLength: 30, size: 'max' }),
  })
  .map((history) => ({ ...history, isColocated: history.seed % 3 === 0 }));

const beginning: Happening = { what: 'write', n: 0, calls: [0], ticks: 3 };

/** Chance too is the same each time: who loses a race waits at random. */
async function withChance<T>(seed: number, work: () => Promise<T>): Promise<T> {
  const { random } = Math;
  Math.random = seeded(seed);
  return work().finally(() => {
    Math.random = random;
  });
}

/** @returns what went wrong; empty when nothing did */
export const tell = (history: History): Promise<string[]> => withChance(history.seed, () => told(history));

async function told({ isPair, hasSpare, isColocated = false, seed, happenings: given }: History): Promise<string[]> {
  const topology = isPair ? 'ACTIVE_STANDBY' : 'SINGLE';
  // A site this small would soon be called stormy; what is silent has ended here.
  const config = { topology, spare_amphorae: hasSpare ? 1 : 0, failover_share_limit: 1 } as const;
  const world = new HistoryWorld(config, seed);
  const site: Site = { world, model: new HistoryModel(), complaints: [], busyPools: new Set(), refusals: [] };
  if (isColocated) site.flavor_id = await world.flavor({ colocation: 2 });
  const watch = new Watch(site);
  try {
    for (const [index, one] of [beginning, ...given].entries()) {
      await completed(site, happenings[one.what](site, one));
      await world.advance(one.ticks);
      await watch.look();
      if (site.complaints.length > 0) return [`after step ${index}`, ...site.complaints];
    }
    await settleAndHeal(site);
    await watch.look();
    return await disagreements(site);
  } finally {
    await world.close();
  }
}
