// Pools of spare amphorae: one for each kind of machine that somebody may wish for, with the number that is kept ready.
import * as z from 'zod';
import type { AmphoraRow, MachineWish } from './amphora.ts';

export interface SparePool {
  wish: MachineWish;
  size: number;
}

/** The name of a pool: the same for the same wish. */
export const poolName = ({ compute_flavor, image_tag, availability_zone, colocation }: MachineWish): string =>
  JSON.stringify([compute_flavor, image_tag, availability_zone, ...(colocation === undefined ? [] : [colocation])]);

export const noWish: MachineWish = { availability_zone: null, compute_flavor: null, image_tag: null };

const name = z.string().min(1).nullable().default(null);
const stated = z.array(
  z.strictObject({
    compute_flavor: name,
    image_tag: name,
    availability_zone: name,
    colocation: z.int().min(2).max(32).optional(),
    spare_amphorae: z.int().min(0).max(100),
  }),
);

/** @param text of the setting @throws Error that says what is wrong with it */
export function statedPools(text: string): SparePool[] {
  if (text === '') return [];
  const parsed = stated.safeParse(parsedJson(text));
  if (!parsed.success) throw new Error(`setting spare_pools: ${z.prettifyError(parsed.error)}`);
  return parsed.data.map(({ spare_amphorae: size, ...wish }) => ({ wish, size }));
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`setting spare_pools: ${(cause as Error).message}`, { cause });
  }
}

/** Who wishes for the same machine shares a pool, which is as large as the largest of the sizes that were stated for it. */
export function mergedPools(pools: readonly SparePool[]): Map<string, SparePool> {
  const merged = new Map<string, SparePool>();
  for (const { wish, size } of pools) {
    const known = merged.get(poolName(wish))?.size ?? 0;
    merged.set(poolName(wish), { wish, size: Math.max(size, known) });
  }
  return merged;
}

export interface Freshness {
  /** The image a machine would be made of now; null: machines have none. */
  image: string | null;
  /** What was made before is too old, and whose certificate ends before. */
  madeAfter: string;
  certifiedUntil: string;
}

/** True for a spare that does for now, and is to be replaced. */
export const isStale = (spare: AmphoraRow, { image, madeAfter, certifiedUntil }: Freshness): boolean =>
  (image !== null && spare.image_id !== image) ||
  spare.created_at < madeAfter ||
  (spare.cert_expiration !== null && spare.cert_expiration < certifiedUntil);

export interface PoolState {
  ready: readonly AmphoraRow[];
  /** How many are on their way. */
  building: number;
}

/**
 * What is to be done for a pool: a stale spare goes only when the pool is full without it.
 * @returns how many are missing, and which are too many, the stale and then the oldest first
 */
export function poolPlan(size: number, { ready, building }: PoolState, freshness: Freshness) {
  const rank = (row: AmphoraRow) => `${isStale(row, freshness) ? 0 : 1}${row.created_at}${row.id}`;
  const inOrder = ready.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
  const fresh = ready.filter((row) => !isStale(row, freshness)).length;
  return {
    missing: Math.max(0, size - fresh - building),
    surplus: inOrder.slice(0, Math.max(0, ready.length - size)),
  };
}

/** Half a minute, doubling to an hour. @param failures in a row */
export const buildPauseMs = (failures: number): number => Math.min(30_000 * 2 ** Math.max(0, failures - 1), 3_600_000);
