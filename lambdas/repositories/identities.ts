// Domains, projects, users, roles and role assignments in the table: the part of Keystone's database the identity service needs.
// A name is an item of its own, put in the same transaction as its row, which makes names unique and found by one read.
import {
  type DomainRow,
  defaultDomainId,
  type PasswordHash,
  type ProjectRow,
  type Role,
  type RoleAssignment,
  type UserRow,
  withImpliedRoles,
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

const rowKey = (kind: Kind, id: string): Key => ({ pk: `${kind.toUpperCase()}#${id}`, sk: kind.toUpperCase() });
const nameKey = (kind: Kind, domainId: string, name: string): Key => ({
  pk: `NAME#${kind}#${domainId}#${name}`,
  sk: 'NAME',
});
/** All roles are one partition: every token needs them all, to tell names and implied roles. */
const rolesPk = 'ROLES';
const roleKey = (role: Role): Key => ({ pk: rolesPk, sk: `ROLE#${role.id}` });
/** Assignments lie beside their user: one read tells whether a token still holds, and what it may. */
const assignmentKey = ({ user_id, project_id, role_id }: RoleAssignment): Key => ({
  pk: `USER#${user_id}`,
  sk: `ASSIGNMENT#${project_id}#${role_id}`,
});

/** Keystone's limit. */
const isPossibleName = (name: string): boolean => name !== '' && name.length <= 255;

async function find<R>(table: Table, kind: Kind, id: string): Promise<R | undefined> {
  const item = isPossibleId(id) ? await table.get(rowKey(kind, id)) : undefined;
  return item && rowOf<R>(item);
}

async function findByName<R>(table: Table, kind: Kind, domainId: string, name: string): Promise<R | undefined> {
  if (!isPossibleName(name) || !isPossibleId(domainId)) return undefined;
  const item = await table.get(nameKey(kind, domainId, name));
  return item && find<R>(table, kind, item['id'] as string);
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

async function written(table: Table, operations: Operation[]): Promise<boolean> {
  try {
    await table.transact(operations);
    return true;
  } catch (error) {
    if (error instanceof TransactionCancelled && !error.isConflict) return false;
    throw error;
  }
}

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

export const findUser = (table: Table, id: string) => find<UserRow>(table, 'user', id);
export const findUserByName = (table: Table, domainId: string, name: string) =>
  findByName<UserRow>(table, 'user', domainId, name);
export const createUser = (table: Table, row: UserRow) => create(table, 'user', row);

/** Ends the user's tokens too. @param now milliseconds since the epoch */
export async function changePassword(table: Table, userId: string, password: PasswordHash, now: number): Promise<void> {
  const set = { password, tokens_valid_from: now };
  await table.transact([{ kind: 'update', key: rowKey('user', userId), set, when: { exists: true } }]);
}

export async function listRoles(table: Table): Promise<Role[]> {
  return (await queryAll(table, { pk: rolesPk })).map((item) => rowOf<Role>(item));
}
export const createRole = (table: Table, role: Role) =>
  written(table, [{ kind: 'put', item: { ...roleKey(role), ...role }, when: { exists: false } }]);

export async function assignRole(table: Table, assignment: RoleAssignment): Promise<void> {
  await table.transact([{ kind: 'put', item: { ...assignmentKey(assignment), ...assignment } }]);
}
export async function revokeRole(table: Table, assignment: RoleAssignment): Promise<void> {
  await table.transact([{ kind: 'delete', key: assignmentKey(assignment) }]);
}

export interface UserAccess {
  user: UserRow;
  /** Projects on which the user has a role. */
  project_ids: string[];
  /** What the user may do there, implied roles included. */
  rolesOn(projectId: string): Role[];
}

/** undefined: there is no such user, or it is disabled. */
export async function findAccess(table: Table, userId: string): Promise<UserAccess | undefined> {
  if (!isPossibleId(userId)) return undefined;
  const [items, roles] = await Promise.all([queryAll(table, { pk: `USER#${userId}` }), listRoles(table)]);
  const userItem = items.find(({ sk }) => sk === 'USER');
  if (!userItem?.['enabled']) return undefined;
  const assignments = items.filter((item) => item !== userItem).map((item) => rowOf<RoleAssignment>(item));
  const nameOf = new Map(roles.map(({ id, name }) => [id, name]));
  return {
    user: rowOf<UserRow>(userItem),
    project_ids: [...new Set(assignments.map(({ project_id }) => project_id))],
    rolesOn: (projectId) => {
      const here = assignments.filter(({ project_id }) => project_id === projectId);
      return withImpliedRoles(
        here.map(({ role_id }) => nameOf.get(role_id) ?? ''),
        roles,
      );
    },
  };
}

const regionKey: Key = { pk: 'REGION', sk: 'REGION' };
/** The region that the catalog's endpoints are said to be in. */
export async function readRegion(table: Table): Promise<string> {
  return String((await table.get(regionKey))?.['id'] ?? 'RegionOne');
}
export async function writeRegion(table: Table, id: string): Promise<void> {
  await table.transact([{ kind: 'put', item: { ...regionKey, id } }]);
}
