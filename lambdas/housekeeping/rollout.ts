// Housekeeping, roll-out of an image: each round looks at the load balancers of the wave under way and asks for what comes next. It
// remembers nothing that it could not see, so that a round that was cut short is made up for by the next.
import { requestFailoverOf, takesFailover } from '../controller/failover.ts';
import { announceRollout } from '../controller/rollouts.ts';
import { type AmphoraRow, machineWish } from '../domain/amphora.ts';
import { DriverError } from '../domain/errors.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import {
  isBusy,
  isSettled,
  type Judgement,
  judge,
  nextWave,
  type RolloutImage,
  type RolloutRow,
  type WaveItem,
  waveSize,
} from '../domain/rollout.ts';
import type { ImageWish } from '../drivers/compute/compute-driver.ts';
import { readAllAmphorae, readAmphorae } from '../repositories/amphorae.ts';
import { changeRollout, readCurrentRollout } from '../repositories/rollouts.ts';
import { isStormGuarded } from '../repositories/storm-guard.ts';
import { readAll, readLoadBalancer } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';

/** Load balancers, with the amphorae of each that are of another image than they would be made of now. */
interface Fleet {
  loadBalancers: LoadBalancerRow[];
  old: Map<string, AmphoraRow[]>;
  images: RolloutImage[];
}

const wishName = (wish: ImageWish) => JSON.stringify(Object.values(wish));

async function survey(services: Services): Promise<Fleet> {
  const [amphorae, loadBalancers] = await Promise.all([
    readAllAmphorae(services.table),
    readAll<LoadBalancerRow>(services.table, 'loadbalancer', null),
  ]);
  const byOwner = Map.groupBy(amphorae, (row) => row.load_balancer_id);
  const old = new Map<string, AmphoraRow[]>();
  const images = new Map<string, RolloutImage>();
  for (const row of loadBalancers) {
    const wish = imageWishOf(machineWish(row));
    const name = wishName(wish);
    const image_to = images.get(name)?.image_to ?? (await services.compute.currentImage(wish));
    if (image_to === null) continue;
    const image: RolloutImage = images.get(name) ?? { ...wish, image_from: [], image_to };
    const outdated = (byOwner.get(row.id) ?? []).filter(
      ({ id, image_id }) => row.amphora_ids.includes(id) && image_id !== image_to,
    );
    const before = outdated.map(({ image_id }) => image_id ?? 'unknown');
    image.image_from = [...new Set([...image.image_from, ...before])].toSorted();
    images.set(name, image);
    if (outdated.length > 0) old.set(row.id, outdated);
  }
  return { loadBalancers, old, images: [...images.values()] };
}

const outdatedOf = ({ loadBalancers, old }: Fleet) => loadBalancers.filter(({ id }) => old.has(id));

/** @returns undefined when somebody else works on it: this round ends */
async function plan(services: Services, row: RolloutRow, fleet: Fleet): Promise<RolloutRow | undefined> {
  if (row.total !== null) return row;
  const images = fleet.images.filter(({ image_from }) => image_from.length > 0);
  const after = await changeRollout(services, row, { total: fleet.old.size, images });
  if (after) await announceRollout(services, 'rollout_started', after);
  return after;
}

/** A newer image than the one that was tried on the canary is another roll-out. */
function changedImage({ images }: RolloutRow, fleet: Fleet): string | undefined {
  const now = new Map(fleet.images.map((image) => [wishName(imageWishOf(image)), image.image_to]));
  const changed = images.find((image) => (now.get(wishName(imageWishOf(image))) ?? image.image_to) !== image.image_to);
  return changed && `the image is no longer ${changed.image_to}: cancel this roll-out and start another`;
}

/** Without what makes no difference to the image. */
const imageWishOf = ({ availability_zone, compute_flavor, image_tag }: ImageWish): ImageWish => ({
  availability_zone,
  compute_flavor,
  image_tag,
});

async function halt(services: Services, row: RolloutRow, reason: string, wave_items: WaveItem[]): Promise<void> {
  const after = await changeRollout(services, row, { status: 'HALTED', reason, wave_items });
  if (after) await announceRollout(services, 'rollout_halted', after);
}

/** The wave under way, or the next one when it is over; undefined when there is none left, or somebody else is at it. */
async function waveOf(services: Services, row: RolloutRow, fleet: Fleet): Promise<RolloutRow | undefined> {
  if (row.wave_items.some((item) => !isSettled(item))) return row;
  const finished = await finishWave(services, row);
  if (finished === undefined) return undefined;
  const old = outdatedOf(fleet);
  const { rollout_canary, rollout_wave } = services.config;
  const total = finished.done + old.length;
  const size = waveSize(finished.wave === 0 ? rollout_canary : rollout_wave, total);
  const wave_items = nextWave(old, size, services.clock.now());
  if (wave_items.length === 0) {
    const ended = await changeRollout(services, finished, { status: 'COMPLETED', skipped: old.length, total });
    if (ended) await announceRollout(services, 'rollout_completed', ended);
    return undefined;
  }
  const after = await changeRollout(services, finished, { wave: finished.wave + 1, wave_items, total });
  if (after) await announceRollout(services, 'rollout_wave_started', after);
  return after;
}

async function finishWave(services: Services, row: RolloutRow): Promise<RolloutRow | undefined> {
  if (row.wave_items.length === 0) return row;
  const done = row.wave_items.filter(({ state }) => state === 'DONE').length;
  const after = await changeRollout(services, row, { done: row.done + done, wave_items: [] });
  if (after) await announceRollout(services, 'rollout_wave_completed', after);
  return after;
}

/** A load balancer of the wave as it is now, and what is to become of it. */
interface Seen extends Judgement {
  /** Its amphorae that are to be replaced, the standby first: service hangs on the other meanwhile. */
  old: AmphoraRow[];
  image_id: string;
}

/** Read from the table itself, as the lists are behind it: what was just made of the new image is not to be made again. */
async function look(services: Services, item: WaveItem): Promise<Seen> {
  const row = await readLoadBalancer(services.table, item.load_balancer_id);
  const amphorae = await readAmphorae(services.table, row?.amphora_ids ?? []);
  const image_id = (await services.compute.currentImage(machineWish(row))) ?? '';
  const old = amphorae
    .filter((amphora) => amphora.image_id !== image_id)
    .toSorted((a, b) => Number(b.role === 'BACKUP') - Number(a.role === 'BACKUP'));
  const now = services.clock.now();
  const observationMs = services.config.rollout_observation_ms;
  const judgement = judge(item, { row, old: old.map(({ id }) => id), now, observationMs });
  return { ...judgement, old, image_id };
}

async function replaceOne(services: Services, { item, old: [amphora], image_id }: Seen): Promise<WaveItem> {
  if (amphora === undefined) return item;
  const now = services.clock.now();
  const takes = (row: LoadBalancerRow) => takesFailover(row, amphora.id, now) && !isBusy(row, now);
  if (!(await requestFailoverOf(services, amphora, takes, { image_id, is_planned: true }))) return item;
  return { ...item, state: 'REPLACING', replacements: item.replacements + 1 };
}

/** As many as there may be failovers at the same time, whoever asked for them. */
async function replace(services: Services, all: Seen[], fleet: Fleet): Promise<WaveItem[]> {
  const ongoing = fleet.loadBalancers.filter(({ operation }) => operation?.kind === 'failover').length;
  const isHeldBack = await isStormGuarded(services.table);
  let free = isHeldBack ? 0 : services.config.concurrent_failovers - ongoing;
  const items: WaveItem[] = [];
  for (const seen of all) {
    const after = seen.isToReplace && free > 0 ? await replaceOne(services, seen) : seen.item;
    if (after !== seen.item) free -= 1;
    items.push(after);
  }
  return items;
}

/** @returns how many load balancers of the wave are not done with */
async function advance(services: Services, row: RolloutRow, fleet: Fleet): Promise<number> {
  const all = await Promise.all(row.wave_items.map((item) => look(services, item)));
  const fault = all.find((one) => one.halt !== undefined)?.halt;
  const seen = all.map(({ item }) => item);
  const wave_items = fault === undefined ? await replace(services, all, fleet) : seen;
  if (fault !== undefined) await halt(services, row, fault, wave_items);
  else if (JSON.stringify(wave_items) !== JSON.stringify(row.wave_items)) {
    await changeRollout(services, row, { wave_items });
  }
  return wave_items.filter((item) => !isSettled(item)).length;
}

/** What cannot be built, as for want of an image, stops a roll-out; who did not answer is asked again. @returns undefined when it stopped */
async function surveyOrHalt(services: Services, row: RolloutRow): Promise<Fleet | undefined> {
  try {
    return await survey(services);
  } catch (error) {
    if (!(error instanceof DriverError) || error.isTransient) throw error;
    await halt(services, row, error.message, row.wave_items);
    return undefined;
  }
}

/** @returns how many load balancers of the wave are not done with; 0 when there is no roll-out */
export async function rollOut(services: Services): Promise<number> {
  const current = await readCurrentRollout(services.table);
  if (current?.status !== 'RUNNING') return 0;
  const fleet = await surveyOrHalt(services, current);
  if (fleet === undefined) return 0;
  const planned = await plan(services, current, fleet);
  if (planned === undefined) return 0;
  const changed = changedImage(planned, fleet);
  if (changed !== undefined) {
    await halt(services, planned, changed, planned.wave_items);
    return 0;
  }
  const row = await waveOf(services, planned, fleet);
  return row === undefined ? 0 : advance(services, row, fleet);
}
