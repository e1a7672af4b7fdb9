// What listeners have counted that were deleted since: one sum for all of them, so that their load balancer's statistics do not go back
// and rows do not grow with every listener there ever was.
import type { Condition, Item, Operation } from '../drivers/table/table.ts';
import { healthKey, loadBalancerKey, retiredStatisticsKey } from './keys.ts';
import { moved } from './member-statistics.ts';
import { passes } from './passes.ts';
import { isCounter } from './statistics.ts';
import type { Store } from './store.ts';

/** In the place of a listener's id. */
const deleted = 'deleted';
/** Of four counters each; expressions of DynamoDB have 4 KB. */
const listenersAtOnce = 20;

interface Counter {
  name: string;
  value: number;
}

function countersOfDeleted(item: Item | undefined, listenerIds: ReadonlySet<string>): Counter[] {
  const counters = Object.entries(item ?? {}).filter(([name]) => isCounter(name)) as [string, number][];
  const ofDeleted = counters.filter(([name]) => {
    const listenerId = name.split('#')[1]!;
    return listenerId !== deleted && !listenerIds.has(listenerId);
  });
  return ofDeleted.slice(0, 4 * listenersAtOnce).map(([name, value]) => ({ name, value }));
}

function sumsOf(counters: Counter[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { name, value } of counters) {
    const sum = `${name.split('#')[0]}#${deleted}`;
    sums[sum] = (sums[sum] ?? 0) + value;
  }
  return sums;
}

const asRead = (counters: Counter[]): Condition => ({
  exists: true,
  equals: Object.fromEntries(counters.map(({ name, value }) => [name, value])),
});
const namesOf = (counters: Counter[]): string[] => counters.map(({ name }) => name);

/**
 * Adds up what an amphora that runs that generation, and those before it, counted for listeners that are not in it.
 * @param listenerIds those there are
 */
export async function addUpDeletedListeners(
  store: Store,
  { amphora_id, generation }: { amphora_id: string; generation: number },
  loadBalancerId: string,
  listenerIds: ReadonlySet<string>,
): Promise<void> {
  const keys = [healthKey(amphora_id), retiredStatisticsKey(loadBalancerId)];
  const items = await store.table.batchGet(keys);
  const [ofAmphora, ofRetired] = keys.map(({ pk, sk }) =>
    countersOfDeleted(
      items.find((item) => item.pk === pk && item.sk === sk),
      listenerIds,
    ),
  ) as [Counter[], Counter[]];
  if (ofAmphora.length + ofRetired.length === 0) return;
  const own: Operation = {
    kind: 'update',
    key: keys[0]!,
    // A heartbeat of an older generation, still on its way, would count them once more.
    set: { counted_from: generation },
    remove: namesOf(ofAmphora),
    when: asRead(ofAmphora),
  };
  const retired: Operation = {
    kind: 'update',
    key: keys[1]!,
    add: sumsOf([...ofAmphora, ...ofRetired]),
    remove: namesOf(ofRetired),
    ...(ofRetired.length > 0 && { when: asRead(ofRetired) }),
  };
  // Whatever was made since counts already, and is not in the tree that was read.
  const isAsRead: Operation = { kind: 'check', key: loadBalancerKey(loadBalancerId), when: { equals: { generation } } };
  const isDone = await passes(store, [
    isAsRead,
    ...(ofAmphora.length > 0 ? [own] : []),
    retired,
    moved(loadBalancerId),
  ]);
  // Otherwise somebody was faster: what is left is for the next look.
  if (isDone) await addUpDeletedListeners(store, { amphora_id, generation }, loadBalancerId, listenerIds);
}
