// What amphorae refused, on its way from the task that pushed to the one that commits: Step Functions carries 256 KiB between tasks, and
// who exceeds that ends the flow with an error nothing may catch.
import { DriverError } from '../domain/errors.ts';

/** Ids by their reason. */
export type Carried = [reason: string, ids: string[]][];

/** Leaves room for what else the flow carries. */
const mostBytes = 200_000;
const bytesOf = (text: string): number => Buffer.byteLength(JSON.stringify(text)) + 5;

/**
 * In a form that fits: when reasons are too many and too long, those that are left say what the first was told.
 * @throws DriverError when there is no room for the ids alone
 */
export function carried(refused: ReadonlyMap<string, string>): Carried {
  const [first = ''] = refused.values();
  const shared = `refused with ${refused.size} others, of which one: ${first.slice(0, 1_000)}`;
  let left = mostBytes - bytesOf(shared);
  for (const id of refused.keys()) left -= bytesOf(id);
  if (left < 0) throw new DriverError(`the amphora refuses ${refused.size} resources: ${first.slice(0, 1_000)}`);
  const byReason = new Map<string, string[]>();
  for (const [id, reason] of refused) {
    const bytes = byReason.has(reason) ? 0 : bytesOf(reason);
    const told = bytes <= left ? reason : shared;
    if (told === reason) left -= bytes;
    const ids = byReason.get(told);
    if (ids) ids.push(id);
    else byReason.set(told, [id]);
  }
  return [...byReason];
}

export const uncarried = (given: Carried): Map<string, string> =>
  new Map(given.flatMap(([reason, ids]) => ids.map((id) => [id, reason] as const)));
