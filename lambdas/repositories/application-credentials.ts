// Application credentials, each beside its user: the one read that tells whether a token still holds tells of its credential too.
import type { ApplicationCredentialRow } from '../domain/identity.ts';
import { type Key, queryAll, type Table } from '../drivers/table/table.ts';
import { idByName, nameKey, rowKey, written } from './identities.ts';
import { isPossibleId, rowOf } from './keys.ts';

export const credentialPrefix = 'CREDENTIAL#';
const credentialKey = (userId: string, id: string): Key => ({ pk: `USER#${userId}`, sk: `${credentialPrefix}${id}` });
/** Whose it is: a login names the credential alone. */
const ownerKey = (id: string): Key => ({ pk: `CREDENTIAL#${id}`, sk: 'CREDENTIAL' });

/** False when the user has one of this name already, or is gone. */
export const createCredential = (table: Table, row: ApplicationCredentialRow): Promise<boolean> =>
  written(table, [
    { kind: 'check', key: rowKey('user', row.user_id), when: { exists: true } },
    { kind: 'put', item: { ...credentialKey(row.user_id, row.id), ...row }, when: { exists: false } },
    { kind: 'put', item: { ...ownerKey(row.id), user_id: row.user_id }, when: { exists: false } },
    {
      kind: 'put',
      item: { ...nameKey('application_credential', row.user_id, row.name), id: row.id },
      when: { exists: false },
    },
  ]);

/** False when it was gone already. */
export const removeCredential = (table: Table, { id, user_id, name }: ApplicationCredentialRow): Promise<boolean> =>
  written(table, [
    { kind: 'delete', key: credentialKey(user_id, id), when: { exists: true } },
    { kind: 'delete', key: ownerKey(id) },
    { kind: 'delete', key: nameKey('application_credential', user_id, name) },
  ]);

export async function credentialsOfUser(table: Table, userId: string): Promise<ApplicationCredentialRow[]> {
  if (!isPossibleId(userId)) return [];
  const items = await queryAll(table, { pk: `USER#${userId}`, prefix: credentialPrefix });
  return items.map((item) => rowOf<ApplicationCredentialRow>(item));
}

export async function findCredential(table: Table, id: string): Promise<ApplicationCredentialRow | undefined> {
  if (!isPossibleId(id)) return undefined;
  const owner = await table.get(ownerKey(id));
  const item = owner && (await table.get(credentialKey(owner['user_id'] as string, id)));
  return item && rowOf<ApplicationCredentialRow>(item);
}

export async function findCredentialByName(table: Table, userId: string, name: string) {
  const id = await idByName(table, 'application_credential', userId, name);
  return id === undefined ? undefined : findCredential(table, id);
}
