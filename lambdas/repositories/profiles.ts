// Profiles of flavors and of availability zones. A profile counts what was made of it: while there is any, what it says stays.
import { type Operation, queryAll, type Table, TransactionCancelled } from '../drivers/table/table.ts';
import { isPossibleId, rowOf } from './keys.ts';

export type ProfileKind = 'flavorprofile' | 'availability_zone_profile';

interface Profile {
  id: string;
  created_at: string;
}

const profileKey = (kind: ProfileKind, id: string) => ({ pk: `${kind.toUpperCase()}#${id}`, sk: 'PROFILE' });

/** The number of flavors or zones with this profile. */
const uses = 'uses';
const isUnused = { exists: true, atMost: { [uses]: 0 } };

export async function readProfile<R>(table: Table, kind: ProfileKind, id: string): Promise<R | undefined> {
  const item = isPossibleId(id) ? await table.get(profileKey(kind, id)) : undefined;
  return item && rowOf<R>(item);
}

export async function readProfiles<R>(table: Table, kind: ProfileKind): Promise<R[]> {
  return (await queryAll(table, { index: 'by_type', pk: kind })).map((item) => rowOf<R>(item));
}

export async function putProfile(table: Table, kind: ProfileKind, row: Profile): Promise<void> {
  const index = { type_pk: kind, type_sk: `${row.created_at}#${row.id}` };
  const item = { ...profileKey(kind, row.id), ...index, ...row, [uses]: 0 };
  await table.transact([{ kind: 'put', item, when: { exists: false } }]);
}

/** @returns false when there is no such profile, or it would have to be unused and is not */
async function written(table: Table, operation: Operation): Promise<boolean> {
  try {
    await table.transact([operation]);
    return true;
  } catch (error) {
    if (error instanceof TransactionCancelled && !error.isConflict) return false;
    throw error;
  }
}

/** @param onlyUnused refuses to change one that something was made of */
export function updateProfile(
  table: Table,
  kind: ProfileKind,
  id: string,
  set: Record<string, unknown>,
  onlyUnused: boolean,
): Promise<boolean> {
  const when = onlyUnused ? isUnused : { exists: true };
  return written(table, { kind: 'update', key: profileKey(kind, id), set, when });
}

export const deleteProfile = (table: Table, kind: ProfileKind, id: string): Promise<boolean> =>
  written(table, { kind: 'delete', key: profileKey(kind, id), when: isUnused });

/** Something was made of the profile (1) or is gone (-1). */
export const profileUsed = (kind: ProfileKind, id: string, count: 1 | -1): Operation => ({
  kind: 'update',
  key: profileKey(kind, id),
  add: { [uses]: count },
  when: { exists: true },
});
