// Domains, projects, users and roles in the table: the part of Keystone's database the identity service needs.
// A name is an item of its own, put in the same transaction as its row, which makes names unique and found by one read.
import {
  type DomainRow,
  defaultDomainId,
  type PasswordHash,
  type ProjectRow,
  type Role,
  type UserRow,
} from '../domain/identity.ts';
import { type Key, type Operation, queryAll, type Table, TransactionCancelled } from '../drivers/table/table.ts';
import { isPossibleId, rowOf } from './keys.ts';

type Kind = 'domain' | 'project' | 'user';
interface Named {
  id: string;
  name: string;
  domain_id?: string;
  created_at: string;
}

export const rowKey = (kind: Kind, id: string): Key => ({ pk: `${kind.toUpperCase()}#${id}`, sk: kind.toUpperCase() });
export const nameKey = (kind: Kind | 'role' | 'application_credential', domainId: string, name: string): Key => ({
  pk: `NAME#${kind}#${domainId}#${name}`,
  sk: 'NAME',
});
/** All roles are one partition: every token needs them all, to tell names and implied roles. */
const rolesPk = 'ROLES';
export const roleKey = (id: string): Key => ({ pk: rolesPk, sk: `ROLE#${id}` });

/** Keystone's limit. */
const isPossibleName = (name: string): boolean => name !== '' && name.length <= 255;

async function find<R>(table: Table, kind: Kind, id: string): Promise<R | undefined> {
  const item = isPossibleId(id) ? await table.get(rowKey(kind, id)) : undefined;
  return item && rowOf<R>(item);
}

/** What the name belongs to. @param within domain, or whatever else names are unique in */
export async function idByName(table: Table, kind: Kind | 'application_credential', within: string, name: string) {
  if (!isPossibleName(name) || !isPossibleId(within)) return undefined;
  return (await table.get(nameKey(kind, within, name)))?.['id'] as string | undefined;
}

async function findByName<R>(table: Table, kind: Kind, domainId: string, name: string): Promise<R | undefined> {
  const id = await idByName(table, kind, domainId, name);
  return id === undefined ? undefined : find<R>(table, kind, id);
}

const list = async <R>(table: Table, kind: Kind): Promise<R[]> =>
  (await queryAll(table, { index: 'by_type', pk: kind })).map((item) => rowOf<R>(item));

/** False when the name or the id is taken. */
async function create(table: Table, kind: Kind, row: Named): Promise<boolean> {
  const when = { exists: false };
  const index = { type_pk: kind, type_sk: `${row.created_at}#${row.id}` };
  const item = { ...rowKey(kind, row.id), ...index, ...row };
  const name = { ...nameKey(kind, row.domain_id ?? defaultDomainId, row.name), id: row.id };
  return written(table, [
    { kind: 'put', item, when },
    { kind: 'put', item: name, when },
  ]);
}

/** False when a condition failed. */
export async function written(table: Table, operations: Operation[]): Promise<boolean> {
  try {
    await table.transact(operations);
    return true;
  } catch (error) {
    if (error instanceof TransactionCancelled && !error.isConflict) return false;
    throw error;
  }
}

/**
 * What was there is told by its name, so that two who rename at once do not both move the name.
 * @returns false when the new name is taken, or the row is another by now
 */
async function update(table: Table, kind: Kind, before: Named, set: Record<string, unknown>): Promise<boolean> {
  const domainId = before.domain_id ?? defaultDomainId;
  const name = (set['name'] as string | undefined) ?? before.name;
  const moved: Operation[] = [
    { kind: 'delete', key: nameKey(kind, domainId, before.name) },
    { kind: 'put', item: { ...nameKey(kind, domainId, name), id: before.id }, when: { exists: false } },
  ];
  const row: Operation = { kind: 'update', key: rowKey(kind, before.id), set, when: { equals: { name: before.name } } };
  return written(table, name === before.name ? [row] : [row, ...moved]);
}

/** False when it is gone or has another name by now. */
const remove = (table: Table, kind: Kind, { id, name, domain_id }: Named): Promise<boolean> =>
  written(table, [
    { kind: 'delete', key: rowKey(kind, id), when: { equals: { name } } },
    { kind: 'delete', key: nameKey(kind, domain_id ?? defaultDomainId, name) },
  ]);

export const findDomain = (table: Table, id: string) => find<DomainRow>(table, 'domain', id);
export const findDomainByName = (table: Table, name: string) =>
  findByName<DomainRow>(table, 'domain', defaultDomainId, name);
export const listDomains = (table: Table) => list<DomainRow>(table, 'domain');
export const createDomain = (table: Table, row: DomainRow) => create(table, 'domain', row);

export const findProject = (table: Table, id: string) => find<ProjectRow>(table, 'project', id);
export const findProjectByName = (table: Table, domainId: string, name: string) =>
  findByName<ProjectRow>(table, 'project', domainId, name);
export const listProjects = (table: Table) => list<ProjectRow>(table, 'project');
export const createProject = (table: Table, row: ProjectRow) => create(table, 'project', row);
export const updateProject = (table: Table, before: ProjectRow, set: Partial<ProjectRow>) =>
  update(table, 'project', before, set);
/** Its tokens hold no longer. */
export const removeProject = (table: Table, row: ProjectRow) => remove(table, 'project', row);

export const findUser = (table: Table, id: string) => find<UserRow>(table, 'user', id);
export const findUserByName = (table: Table, domainId: string, name: string) =>
  findByName<UserRow>(table, 'user', domainId, name);
export const listUsers = (table: Table) => list<UserRow>(table, 'user');
export const createUser = (table: Table, row: UserRow) => create(table, 'user', row);
export const updateUser = (table: Table, before: UserRow, set: Partial<UserRow>) => update(table, 'user', before, set);
/** Its tokens hold no longer. */
export const removeUser = (table: Table, row: UserRow) => remove(table, 'user', row);

/** Ends the user's tokens too. @param now milliseconds since the epoch */
export async function changePassword(table: Table, userId: string, password: PasswordHash, now: number): Promise<void> {
  const set = { password, tokens_valid_from: now };
  await table.transact([{ kind: 'update', key: rowKey('user', userId), set, when: { exists: true } }]);
}

export async function listRoles(table: Table): Promise<Role[]> {
  return (await queryAll(table, { pk: rolesPk })).map((item) => rowOf<Role>(item));
}

const roleNameKey = (name: string): Key => nameKey('role', defaultDomainId, name);

/** False when the name or the id is taken. */
export const createRole = (table: Table, role: Role): Promise<boolean> =>
  written(table, [
    { kind: 'put', item: { ...roleKey(role.id), ...role }, when: { exists: false } },
    { kind: 'put', item: { ...roleNameKey(role.name), id: role.id }, when: { exists: false } },
  ]);

export const removeRole = (table: Table, role: Role): Promise<boolean> =>
  written(table, [
    { kind: 'delete', key: roleKey(role.id), when: { exists: true } },
    { kind: 'delete', key: roleNameKey(role.name) },
  ]);

const regionKey: Key = { pk: 'REGION', sk: 'REGION' };
/** The region that the catalog's endpoints are said to be in. */
export async function readRegion(table: Table): Promise<string> {
  return String((await table.get(regionKey))?.['id'] ?? 'RegionOne');
}
export async function writeRegion(table: Table, id: string): Promise<void> {
  await table.transact([{ kind: 'put', item: { ...regionKey, id } }]);
}
