// Roll-outs of an image, beyond Octavia: amphorae of an older image are replaced in waves, a small one first, and all stops when a
// replacement fails or a load balancer is worse off for it. What is to be done next follows from the load balancers as they are.
import { oneOf } from './attribute-types.ts';
import type { LoadBalancerRow } from './load-balancer.ts';
import { resource } from './resource.ts';
import type { OperatingStatus } from './statuses.ts';

export const rollout = resource({
  root: 'rollout',
  plural: 'rollouts',
  argument: 'rollout_',
  title: 'Rollout',
  attributes: {
    status: { type: oneOf('RUNNING', 'PAUSED'), on: 'create+update', default: 'RUNNING', nullable: false },
  },
});

export type RolloutStatus = 'RUNNING' | 'PAUSED' | 'HALTED' | 'COMPLETED' | 'CANCELLED';
export const isOver = (status: RolloutStatus): boolean => status === 'COMPLETED' || status === 'CANCELLED';

/** What amphorae that were wished for like this are made of, before and after. */
export interface RolloutImage {
  compute_flavor: string | null;
  image_tag: string | null;
  availability_zone: string | null;
  image_from: string[];
  image_to: string;
}

/** A load balancer in the wave that is under way. */
export interface WaveItem {
  load_balancer_id: string;
  /** REPLACING: asked for since the roll-out was started or resumed. OBSERVED: all its amphorae are new. */
  state: 'WAITING' | 'REPLACING' | 'OBSERVED' | 'DONE' | 'SKIPPED' | 'FAILED';
  /** Before its amphorae were replaced, and of which configuration; null: to be looked at. */
  operating_status: OperatingStatus | null;
  generation: number;
  replacements: number;
  /** Since it is observed. */
  amphora_ids: string[];
  /** Milliseconds since the epoch. */
  observed_until: number;
}

export interface RolloutRow {
  id: string;
  status: RolloutStatus;
  /** Of a halt. */
  reason: string | null;
  images: RolloutImage[];
  /** Load balancers; null until housekeeping has looked for them. */
  total: number | null;
  done: number;
  skipped: number;
  /** Number of the wave under way, 1 for the canary. */
  wave: number;
  wave_items: WaveItem[];
  created_at: string;
  updated_at: string | null;
  revision: number;
}

export const newRollout = (id: string, status: 'RUNNING' | 'PAUSED', created_at: string): RolloutRow => ({
  id,
  status,
  reason: null,
  images: [],
  total: null,
  done: 0,
  skipped: 0,
  wave: 0,
  wave_items: [],
  created_at,
  updated_at: null,
  revision: 1,
});

export const isSettled = ({ state }: WaveItem): boolean => state === 'DONE' || state === 'SKIPPED';
const count = (items: WaveItem[], ...states: WaveItem['state'][]) =>
  items.filter(({ state }) => states.includes(state)).length;

export function rolloutResponse(row: RolloutRow) {
  const { id, status, reason, images, total, wave, wave_items: items, created_at, updated_at } = row;
  return {
    id,
    status,
    reason,
    images,
    wave,
    load_balancers: {
      total,
      done: row.done + count(items, 'DONE'),
      failed: count(items, 'FAILED'),
      skipped: row.skipped + count(items, 'SKIPPED'),
      replacing: count(items, 'REPLACING'),
      observed: count(items, 'OBSERVED'),
    },
    wave_load_balancers: items.map(({ load_balancer_id, state }) => ({ id: load_balancer_id, state })),
    created_at,
    updated_at,
  };
}

/** Whoever goes on after a halt has looked: what failed is tried again, and how a load balancer is now is how it should be. */
export const resumed = (row: RolloutRow): Partial<RolloutRow> => ({
  status: 'RUNNING',
  reason: null,
  wave_items:
    row.status === 'HALTED'
      ? row.wave_items.map((item) =>
          isSettled(item) ? item : { ...item, state: 'WAITING', operating_status: null, replacements: 0 },
        )
      : row.wave_items,
});

const ranks: Record<OperatingStatus, number> = {
  ONLINE: 0,
  NO_MONITOR: 0,
  DRAINING: 1,
  DEGRADED: 1,
  OFFLINE: 2,
  ERROR: 3,
};

/** In ERROR for a reason of its own: replacing its amphorae would neither help nor tell anything. */
export const isBeyond = ({ provisioning_status, failed }: LoadBalancerRow): boolean =>
  provisioning_status === 'ERROR' && failed !== 'failover';
const isGone = ({ provisioning_status, failed }: LoadBalancerRow): boolean =>
  provisioning_status === 'PENDING_DELETE' || failed === 'delete';
export const isBusy = (row: LoadBalancerRow, now: number): boolean =>
  row.operation !== null || (row.lease !== null && row.lease.until > now);

const itemOf = (row: LoadBalancerRow): WaveItem => ({
  load_balancer_id: row.id,
  state: 'WAITING',
  operating_status: row.operating_status,
  generation: row.generation,
  replacements: 0,
  amphora_ids: [],
  observed_until: 0,
});

/** An item holds 400 KB. */
const largestWave = 500;

/** A number, or below 1 a share of all. */
export const waveSize = (wanted: number, all: number): number =>
  Math.min(Math.max(1, Math.ceil(wanted < 1 ? wanted * all : wanted)), largestWave);

/** Those that are well come first, as they can tell that something got worse; who is busy comes when nobody else is left. */
export function nextWave(old: LoadBalancerRow[], size: number, now: number): WaveItem[] {
  const takeable = old.filter((row) => !isBeyond(row) && !isGone(row));
  const rank = (row: LoadBalancerRow) => `${isBusy(row, now) ? 1 : 0}${ranks[row.operating_status]}${row.id}`;
  const idle = takeable.filter((row) => !isBusy(row, now));
  const from = idle.length > 0 ? idle : takeable;
  return from
    .toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1))
    .slice(0, size)
    .map(itemOf);
}

export interface Sight {
  /** undefined when it is gone. */
  row: LoadBalancerRow | undefined;
  /** Ids of its amphorae that are of another image than they should be. */
  old: string[];
  now: number;
  observationMs: number;
}

/** What becomes of an item, why all is to stop, or that a replacement is to be asked for. */
export type Judgement = { item: WaveItem; halt?: string; isToReplace?: true };

const halted = (item: WaveItem, halt: string): Judgement => ({ item: { ...item, state: 'FAILED' }, halt });

/** More than a pair takes even when each of its amphorae is lost once on the way. */
const mostReplacements = 5;

function judgeObserved(item: WaveItem, row: LoadBalancerRow, { now }: Sight): Judgement {
  const lost = item.amphora_ids.find((id) => !row.amphora_ids.includes(id));
  if (lost !== undefined) return halted(item, `new amphora ${lost} of load balancer ${row.id} was lost`);
  // Whoever changes a load balancer may make it worse by that.
  const isComparable = row.admin_state_up && row.generation === item.generation && item.operating_status !== null;
  const { operating_status: before } = item;
  if (isComparable && ranks[row.operating_status] > ranks[before!]) {
    return halted(item, `load balancer ${row.id} was ${before} and is ${row.operating_status} since`);
  }
  return now < item.observed_until || isBusy(row, now) ? { item } : { item: { ...item, state: 'DONE' } };
}

function judgeUnfinished(item: WaveItem, row: LoadBalancerRow, { old, now, observationMs }: Sight): Judgement {
  if (isBusy(row, now)) return { item };
  if (item.operating_status === null) {
    return { item: { ...item, operating_status: row.operating_status, generation: row.generation } };
  }
  if (old.length === 0) {
    return {
      item: { ...item, state: 'OBSERVED', amphora_ids: row.amphora_ids, observed_until: now + observationMs },
    };
  }
  if (item.replacements < mostReplacements) return { item, isToReplace: true };
  return halted(item, `load balancer ${row.id} has old amphorae after ${item.replacements} replacements`);
}

export function judge(item: WaveItem, sight: Sight): Judgement {
  const { row, now } = sight;
  if (isSettled(item)) return { item };
  if (row === undefined || isGone(row)) return { item: { ...item, state: 'SKIPPED' } };
  if (row.provisioning_status === 'ERROR' && !isBusy(row, now)) {
    if (item.state !== 'WAITING') return halted(item, `load balancer ${row.id} is in ERROR: ${row.reason}`);
    if (isBeyond(row)) return { item: { ...item, state: 'SKIPPED' } };
  }
  return item.state === 'OBSERVED' ? judgeObserved(item, row, sight) : judgeUnfinished(item, row, sight);
}
