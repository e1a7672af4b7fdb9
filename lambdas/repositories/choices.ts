// Flavors and availability zones: what a user may choose for a load balancer. Each is made from a profile, has a name of its own,
// and has in its partition a mark of every load balancer that was made with it.
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import { type Key, type Operation, queryAll, type Table, TransactionCancelled } from '../drivers/table/table.ts';
import { RowChanged, untilWon } from './contention.ts';
import { isPossibleId, rowOf } from './keys.ts';
import { type ProfileKind, profileUsed } from './profiles.ts';
import type { Store } from './store.ts';

export type ChoiceKind = 'flavor' | 'availability_zone';

/** The id of a zone is its name. */
export interface Choice {
  id: string;
  name: string;
  enabled: boolean;
  created_at: string;
}

const partitionOf = (kind: ChoiceKind, id: string): string => `${kind.toUpperCase()}#${id}`;
const choiceKey = (kind: ChoiceKind, id: string): Key => ({ pk: partitionOf(kind, id), sk: 'CHOICE' });
const nameKey = (kind: ChoiceKind, name: string): Key => ({ pk: `NAME#${kind}#${name}`, sk: 'NAME' });
const markPrefix = 'LB#';
const markKey = (kind: ChoiceKind, id: string, loadBalancerId: string): Key => ({
  pk: partitionOf(kind, id),
  sk: markPrefix + loadBalancerId,
});

const profiles: Record<ChoiceKind, { kind: ProfileKind; attribute: string }> = {
  flavor: { kind: 'flavorprofile', attribute: 'flavor_profile_id' },
  availability_zone: { kind: 'availability_zone_profile', attribute: 'availability_zone_profile_id' },
};

const useOfProfile = (kind: ChoiceKind, row: Choice, count: 1 | -1): Operation => {
  const profile = profiles[kind];
  return profileUsed(profile.kind, (row as unknown as Record<string, string>)[profile.attribute]!, count);
};

/** A name may be as long as the attribute, and be spelled with anything. */
const isPossible = (kind: ChoiceKind, id: string): boolean =>
  kind === 'flavor' ? isPossibleId(id) : id !== '' && id.length <= 255;

export async function readChoice<R extends Choice>(table: Table, kind: ChoiceKind, id: string): Promise<R | undefined> {
  const item = isPossible(kind, id) ? await table.get(choiceKey(kind, id)) : undefined;
  return item && rowOf<R>(item);
}

export async function readChoices<R>(table: Table, kind: ChoiceKind): Promise<R[]> {
  return (await queryAll(table, { index: 'by_type', pk: kind })).map((item) => rowOf<R>(item));
}

/** Which operation's condition failed; undefined when all were written. */
async function firstFailure(table: Table, operations: Operation[]): Promise<number | undefined> {
  try {
    await table.transact(operations);
    return undefined;
  } catch (error) {
    if (!(error instanceof TransactionCancelled) || error.isConflict) throw error;
    return error.reasons.findIndex(({ code }) => code === 'ConditionalCheckFailed');
  }
}

const claim = (kind: ChoiceKind, { id, name }: Choice): Operation => ({
  kind: 'put',
  item: { ...nameKey(kind, name), id },
  when: { exists: false },
});

export type Creation = 'created' | 'name-taken' | 'no-profile';

export function createChoice(store: Store, kind: ChoiceKind, row: Choice): Promise<Creation> {
  const index = { type_pk: kind, type_sk: `${row.created_at}#${row.id}` };
  const item = { ...choiceKey(kind, row.id), ...index, ...row };
  return untilWon(store, row.id, async () => {
    const failed = await firstFailure(store.table, [
      claim(kind, row),
      { kind: 'put', item, when: { exists: false } },
      useOfProfile(kind, row, 1),
    ]);
    if (failed === undefined) return 'created';
    return failed === 2 ? 'no-profile' : 'name-taken';
  });
}

/** @returns the row as it is then, or why it is not changed */
export function updateChoice<R extends Choice>(
  store: Store,
  kind: ChoiceKind,
  id: string,
  set: Partial<R>,
): Promise<R | 'missing' | 'name-taken'> {
  return untilWon(store, id, async () => {
    const before = await readChoice<R>(store.table, kind, id);
    if (before === undefined) return 'missing';
    if (Object.keys(set).length === 0) return before;
    const after = { ...before, ...set };
    const when = { exists: true, equals: { name: before.name } };
    const isRenamed = after.name !== before.name;
    const failed = await firstFailure(store.table, [
      { kind: 'update', key: choiceKey(kind, id), set, when },
      ...(isRenamed ? [claim(kind, after), { kind: 'delete' as const, key: nameKey(kind, before.name) }] : []),
    ]);
    if (failed === undefined) return after;
    if (failed === 1) return 'name-taken';
    throw new RowChanged(`${kind} ${id} changed since it was read`);
  });
}

export type Deletion = 'deleted' | 'missing' | 'in-use';

/**
 * A load balancer that is made at this very moment may not be seen: it keeps all it needs of the choice in its own row, so that no
 * load balancer has to wait for another that was made with the same one.
 */
export function deleteChoice(store: Store, kind: ChoiceKind, id: string): Promise<Deletion> {
  return untilWon(store, id, async () => {
    const row = await readChoice(store.table, kind, id);
    if (row === undefined) return 'missing';
    const marks = await store.table.query({ pk: partitionOf(kind, id), prefix: markPrefix, limit: 1 });
    if (marks.items.length > 0) return 'in-use';
    const failed = await firstFailure(store.table, [
      { kind: 'delete', key: choiceKey(kind, id), when: { exists: true, equals: { name: row.name } } },
      { kind: 'delete', key: nameKey(kind, row.name) },
      useOfProfile(kind, row, -1),
    ]);
    if (failed !== undefined) throw new RowChanged(`${kind} ${id} changed since it was read`);
    return 'deleted';
  });
}

const marksOf = (row: Pick<LoadBalancerRow, 'id' | 'flavor_id' | 'availability_zone'>): Key[] => [
  ...(row.flavor_id ? [markKey('flavor', row.flavor_id, row.id)] : []),
  ...(row.availability_zone ? [markKey('availability_zone', row.availability_zone, row.id)] : []),
];

/** Marks what a load balancer is made with, in the transaction that makes it. */
export const choicesTaken = (row: LoadBalancerRow): Operation[] =>
  marksOf(row).map((key) => ({ kind: 'put', item: { ...key } }));
/** Takes the marks away, in the transaction that ends it. */
export const choicesGivenBack = (row: LoadBalancerRow): Operation[] =>
  marksOf(row).map((key) => ({ kind: 'delete', key }));
