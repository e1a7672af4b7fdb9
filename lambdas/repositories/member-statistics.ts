// What members have counted, by load balancer: pages as its amphorae sent them, each an item that is written whole, and pages
// of amphorae that are gone, added up.
import { type Item, limits, type Operation, queryAll, type Table } from '../drivers/table/table.ts';
import { healthKey, memberPageKey, partitionOf, statisticsMovesKey, statisticsPartition } from './keys.ts';
import { passes } from './passes.ts';
import { type ListenerStatistics, unmoved, zeros } from './statistics.ts';
import type { Store } from './store.ts';

/** Bytes in, bytes out, connections, errors, open connections. */
export type Counts = [number, number, number, number, number];

export interface MemberPage {
  page: number;
  /** Orders the writes of one page. */
  sequence: string;
  members: Record<string, Counts>;
}

const retired = 'retired';
/** Pages that no heartbeat writes are larger: reading a load balancer's is cheaper so. */
const membersPerRetiredPage = 256;

/** Part of the transaction that takes in a heartbeat, whose condition keeps the order of pages too. */
export const pageOperation = (
  loadBalancerId: string,
  amphoraId: string,
  { page, sequence, members }: MemberPage,
): Operation => ({
  kind: 'update',
  key: memberPageKey(loadBalancerId, amphoraId, page),
  set: { amphora_id: amphoraId, sequence, members },
});

/** Pages of a heartbeat that came after a newer one: each counts unless a newer one of that page was there. */
export async function recordLatePages(
  store: Store,
  loadBalancerId: string,
  amphoraId: string,
  pages: MemberPage[],
): Promise<void> {
  // A page of an amphora that is gone would count twice: it was added up already.
  const isExpected: Operation = { kind: 'check', key: healthKey(amphoraId), when: { exists: true } };
  for (const page of pages) {
    const operation = pageOperation(loadBalancerId, amphoraId, page);
    const isNewer = { below: { sequence: page.sequence } };
    // Of two that are each the first, the one that finds the other there may still be the newer.
    for (const when of [isNewer, { missing: ['sequence'] }, isNewer])
      if (await passes(store, [isExpected, { ...operation, when }])) break;
  }
}

const membersOf = (item: Item): [string, Counts][] => Object.entries((item['members'] ?? {}) as Record<string, Counts>);

const readPages = (table: Table, loadBalancerId: string): Promise<Item[]> =>
  queryAll(table, { pk: statisticsPartition(loadBalancerId), prefix: 'MEMBERS#' });

/** @param amphoraIds those there are: only they have open connections */
export async function readMemberStatistics(
  table: Table,
  loadBalancerId: string,
  memberId: string,
  amphoraIds: string[],
): Promise<ListenerStatistics> {
  const sum = zeros();
  for (const page of await unmoved(table, loadBalancerId, () => readPages(table, loadBalancerId))) {
    const counts = (page['members'] as Record<string, Counts>)[memberId];
    if (counts === undefined) continue;
    const [bytesIn, bytesOut, total, errors, open] = counts;
    sum.bytes_in += bytesIn;
    sum.bytes_out += bytesOut;
    sum.total_connections += total;
    sum.request_errors += errors;
    if (amphoraIds.includes(String(page['amphora_id']))) sum.active_connections += open;
  }
  return sum;
}

/**
 * Adds up the pages of amphorae that are gone, without members that are. Until that is done they count as they are: where it is
 * cut off nothing is lost, and the next one does it.
 */
export async function retireMemberStatistics(store: Store, loadBalancerId: string): Promise<void> {
  const pages = await readPages(store.table, loadBalancerId);
  const ofGone = await pagesOfGone(store.table, pages);
  if (ofGone.length === 0) return;
  const living = await livingMembers(store.table, loadBalancerId);
  let added = pages.filter(({ sk }) => sk.startsWith(`MEMBERS#${retired}#`));
  for (let start = 0; start < ofGone.length; ) {
    const ofRetired = Math.max(Math.ceil(living.size / membersPerRetiredPage), added.length);
    const room = limits.operationsPerTransaction - 1 - ofRetired;
    if (room < 1) return;
    const taken = ofGone.slice(start, start + room);
    const next = addedUp(loadBalancerId, [...added, ...taken], living, store.newId());
    if (!(await passes(store, [moved(loadBalancerId), ...replaced(added, next), ...taken.map(removed)]))) return;
    added = next;
    start += taken.length;
  }
}

async function pagesOfGone(table: Table, pages: Item[]): Promise<Item[]> {
  const ofAmphorae = pages.filter((page) => page['amphora_id'] !== undefined);
  const ids = [...new Set(ofAmphorae.map((page) => String(page['amphora_id'])))];
  if (ids.length === 0) return [];
  const expected = new Set((await table.batchGet(ids.map(healthKey))).map(({ sk }) => sk));
  return ofAmphorae.filter((page) => !expected.has(String(page['amphora_id'])));
}

async function livingMembers(table: Table, loadBalancerId: string): Promise<Set<string>> {
  const rows = await queryAll(table, { pk: partitionOf(loadBalancerId), prefix: 'MEMBER#' });
  return new Set(rows.map((row) => row['id'] as string));
}

function addedUp(loadBalancerId: string, pages: Item[], living: Set<string>, revision: string): Item[] {
  const sums = new Map<string, Counts>();
  for (const [id, counts] of pages.flatMap(membersOf)) {
    if (!living.has(id)) continue;
    const [bytesIn, bytesOut, total, errors] = sums.get(id) ?? [0, 0, 0, 0];
    sums.set(id, [bytesIn + counts[0], bytesOut + counts[1], total + counts[2], errors + counts[3], 0]);
  }
  const entries = [...sums];
  const count = Math.ceil(entries.length / membersPerRetiredPage);
  return Array.from({ length: count }, (_, page) => ({
    ...memberPageKey(loadBalancerId, retired, page),
    revision,
    members: Object.fromEntries(entries.slice(page * membersPerRetiredPage, (page + 1) * membersPerRetiredPage)),
  }));
}

/** Part of every transaction that moves what was counted. */
export const moved = (loadBalancerId: string): Operation => ({
  kind: 'update',
  key: statisticsMovesKey(loadBalancerId),
  add: { moves: 1 },
});

/** Only what was read is replaced: two failovers may end at the same time. */
function replaced(before: Item[], after: Item[]): Operation[] {
  const was = new Map(before.map((item) => [item.sk, item]));
  const puts = after.map((item): Operation => {
    const old = was.get(item.sk);
    was.delete(item.sk);
    return {
      kind: 'put',
      item,
      when: old === undefined ? { exists: false } : { equals: { revision: old['revision'] as string } },
    };
  });
  return [...puts, ...[...was.values()].map(removed)];
}

const removed = (item: Item): Operation => ({
  kind: 'delete',
  key: { pk: item.pk, sk: item.sk },
  when: { exists: true },
});
