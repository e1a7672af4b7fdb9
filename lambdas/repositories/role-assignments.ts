// Who has which role on which project, and what that lets a user do: Keystone's assignment backend.
import {
  type ApplicationCredentialRow,
  type Role,
  type RoleAssignment,
  type UserRow,
  withImpliedRoles,
} from '../domain/identity.ts';
import { type Item, type Key, type Operation, queryAll, type Table } from '../drivers/table/table.ts';
import { credentialPrefix } from './application-credentials.ts';
import { listRoles, roleKey, rowKey, written } from './identities.ts';
import { isPossibleId, rowOf } from './keys.ts';

const assignmentPrefix = 'ASSIGNMENT#';
/** Assignments lie beside their user: one read tells whether a token still holds, and what it may. */
const assignmentKey = ({ user_id, project_id, role_id }: RoleAssignment): Key => ({
  pk: `USER#${user_id}`,
  sk: `${assignmentPrefix}${project_id}#${role_id}`,
});
const projectIndex = (projectId: string): string => `${projectId}#assignment`;
const typeIndex = 'assignment';

function assignmentItem(assignment: RoleAssignment): Item {
  const key = assignmentKey(assignment);
  const sortKey = `${key.pk}#${key.sk}`;
  return {
    ...key,
    project_pk: projectIndex(assignment.project_id),
    project_sk: sortKey,
    type_pk: typeIndex,
    type_sk: sortKey,
    ...assignment,
  };
}

/** False when the user, the project or the role is not there. */
export function assignRole(table: Table, assignment: RoleAssignment): Promise<boolean> {
  const { user_id, project_id, role_id } = assignment;
  const needed = [rowKey('user', user_id), rowKey('project', project_id), roleKey(role_id)];
  return written(table, [
    { kind: 'put', item: assignmentItem(assignment) },
    ...needed.map((key): Operation => ({ kind: 'check', key, when: { exists: true } })),
  ]);
}

/** False when there was no such assignment. */
export const revokeRole = (table: Table, assignment: RoleAssignment): Promise<boolean> =>
  written(table, [{ kind: 'delete', key: assignmentKey(assignment), when: { exists: true } }]);

export async function hasRole(table: Table, assignment: RoleAssignment): Promise<boolean> {
  const { user_id, project_id, role_id } = assignment;
  if (![user_id, project_id, role_id].every(isPossibleId)) return false;
  return (await table.get(assignmentKey(assignment))) !== undefined;
}

export async function assignmentsOfUser(table: Table, userId: string): Promise<RoleAssignment[]> {
  if (!isPossibleId(userId)) return [];
  const items = await queryAll(table, { pk: `USER#${userId}`, prefix: assignmentPrefix });
  return items.map((item) => rowOf<RoleAssignment>(item));
}

const indexed = async (table: Table, index: 'by_project' | 'by_type', pk: string): Promise<RoleAssignment[]> =>
  (await queryAll(table, { index, pk })).map((item) => rowOf<RoleAssignment>(item));

export const assignmentsOfProject = (table: Table, projectId: string) =>
  indexed(table, 'by_project', projectIndex(projectId));
export const listAssignments = (table: Table) => indexed(table, 'by_type', typeIndex);

const atOnce = 50;
export async function revokeRoles(table: Table, assignments: RoleAssignment[]): Promise<void> {
  for (let start = 0; start < assignments.length; start += atOnce) {
    const some = assignments.slice(start, start + atOnce);
    await table.transact(some.map((assignment) => ({ kind: 'delete', key: assignmentKey(assignment) })));
  }
}

export interface UserAccess {
  user: UserRow;
  /** Projects on which the user has a role. */
  project_ids: string[];
  credentials: ApplicationCredentialRow[];
  /** What the user may do there, implied roles included. */
  rolesOn(projectId: string): Role[];
}

/** undefined: there is no such user, or it is disabled. */
export async function findAccess(table: Table, userId: string): Promise<UserAccess | undefined> {
  if (!isPossibleId(userId)) return undefined;
  const [items, roles] = await Promise.all([queryAll(table, { pk: `USER#${userId}` }), listRoles(table)]);
  const userItem = items.find(({ sk }) => sk === 'USER');
  if (!userItem?.['enabled']) return undefined;
  const assignments = items
    .filter(({ sk }) => sk.startsWith(assignmentPrefix))
    .map((item) => rowOf<RoleAssignment>(item));
  const credentials = items.filter(({ sk }) => sk.startsWith(credentialPrefix));
  const nameOf = new Map(roles.map(({ id, name }) => [id, name]));
  return {
    user: rowOf<UserRow>(userItem),
    credentials: credentials.map((item) => rowOf<ApplicationCredentialRow>(item)),
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
