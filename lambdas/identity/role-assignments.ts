// Roles of users on projects: granting them, and /v3/role_assignments.
import { type Role, type RoleAssignment, withImpliedRoles } from '../domain/identity.ts';
import { findProject, findUser, listRoles } from '../repositories/identities.ts';
import {
  assignmentsOfProject,
  assignmentsOfUser,
  assignRole,
  hasRole,
  listAssignments,
  revokeRole,
} from '../repositories/role-assignments.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import { tokensOf } from '../runtime/tokens/tokens.ts';
import { listBody, missing } from './answers.ts';
import { foundRole, roleBody } from './roles.ts';
import { settled } from './writes.ts';

/** User and project of the path. @throws ApiError 404 */
async function granted(request: ApiRequest): Promise<Omit<RoleAssignment, 'role_id'>> {
  request.authorize(null);
  const [user_id, project_id] = [param(request, 'user_id'), param(request, 'project_id')];
  const { table } = request.services;
  if (!(await findUser(table, user_id))) throw missing('user', user_id);
  if (!(await findProject(table, project_id))) throw missing('project', project_id);
  return { user_id, project_id };
}

const assignmentOf = async (request: ApiRequest): Promise<RoleAssignment> => ({
  ...(await granted(request)),
  role_id: (await foundRole(request)).id,
});

async function list(request: ApiRequest): Promise<ApiResponse> {
  const { user_id, project_id } = await granted(request);
  const { table } = request.services;
  const [assignments, roles] = await Promise.all([assignmentsOfUser(table, user_id), listRoles(table)]);
  const here = new Set(assignments.filter((one) => one.project_id === project_id).map(({ role_id }) => role_id));
  const bodies = roles.filter(({ id }) => here.has(id)).map((role) => roleBody(request, role));
  return listBody(request, 'roles', bodies);
}

async function check(request: ApiRequest): Promise<ApiResponse> {
  const assignment = await assignmentOf(request);
  if (!(await hasRole(request.services.table, assignment))) throw missing('role assignment', assignment.role_id);
  return { status: 204 };
}

/** Granting what is granted already is no conflict. */
async function grant(request: ApiRequest): Promise<ApiResponse> {
  const assignment = await assignmentOf(request);
  const isGranted = await settled(request, () => assignRole(request.services.table, assignment));
  if (!isGranted) throw missing('user', assignment.user_id);
  tokensOf(request.services).forget();
  return { status: 204 };
}

async function revoke(request: ApiRequest): Promise<ApiResponse> {
  const assignment = await assignmentOf(request);
  const isRevoked = await settled(request, () => revokeRole(request.services.table, assignment));
  if (!isRevoked) throw missing('role assignment', assignment.role_id);
  tokensOf(request.services).forget();
  return { status: 204 };
}

/** Read where it costs least. */
function candidates({ services, query }: ApiRequest): Promise<RoleAssignment[]> {
  const [user, project] = [query.get('user.id'), query.get('scope.project.id')];
  if (user !== null) return assignmentsOfUser(services.table, user);
  return project === null ? listAssignments(services.table) : assignmentsOfProject(services.table, project);
}

/** What follows from the assignments: what the user may do. */
function effective(assignments: RoleAssignment[], roles: Role[]): RoleAssignment[] {
  const nameOf = new Map(roles.map(({ id, name }) => [id, name]));
  const all = assignments.flatMap((assignment) =>
    withImpliedRoles([nameOf.get(assignment.role_id) ?? ''], roles).map(({ id }) => ({ ...assignment, role_id: id })),
  );
  return [...new Map(all.map((one) => [`${one.user_id} ${one.project_id} ${one.role_id}`, one])).values()];
}

const inDefault = { domain: { id: 'default', name: 'Default' } };

async function assignmentBody(
  { services, origin, query }: ApiRequest,
  { user_id, project_id, role_id }: RoleAssignment,
  roles: Role[],
) {
  const path = `${origin}/identity/v3/projects/${project_id}/users/${user_id}/roles/${role_id}`;
  const body = { user: { id: user_id }, role: { id: role_id }, scope: { project: { id: project_id } } };
  const links = { assignment: path };
  if (!isOn(query.get('include_names'))) return { ...body, links };
  const [user, project] = await Promise.all([
    findUser(services.table, user_id),
    findProject(services.table, project_id),
  ]);
  return {
    user: { ...body.user, name: user?.name, ...inDefault },
    role: { ...body.role, name: roles.find(({ id }) => id === role_id)?.name },
    scope: { project: { ...body.scope.project, name: project?.name, ...inDefault } },
    links,
  };
}

/** Keystone's switches in a query are on when they are there, unless they say 0. */
const isOn = (value: string | null): boolean => value !== null && value !== '0';

async function listFiltered(request: ApiRequest): Promise<ApiResponse> {
  request.authorize(null);
  const { query, services } = request;
  const [found, roles] = await Promise.all([candidates(request), listRoles(services.table)]);
  const assignments = isOn(query.get('effective')) ? effective(found, roles) : found;
  const filters = { user_id: 'user.id', project_id: 'scope.project.id', role_id: 'role.id' } as const;
  const wanted = assignments.filter((one) =>
    Object.entries(filters).every(([name, filter]) => {
      const value = query.get(filter);
      return value === null || one[name as keyof RoleAssignment] === value;
    }),
  );
  // Nobody has a role on a domain, on the system or through a group.
  const isElsewhere = ['scope.domain.id', 'scope.system', 'group.id'].some((filter) => query.has(filter));
  const shown = isElsewhere ? [] : wanted;
  return listBody(
    request,
    'role_assignments',
    await Promise.all(shown.map((assignment) => assignmentBody(request, assignment, roles))),
  );
}

export const routes = {
  'GET /identity/v3/projects/{project_id}/users/{user_id}/roles': list,
  'GET /identity/v3/projects/{project_id}/users/{user_id}/roles/{role_id}': check,
  'HEAD /identity/v3/projects/{project_id}/users/{user_id}/roles/{role_id}': check,
  'PUT /identity/v3/projects/{project_id}/users/{user_id}/roles/{role_id}': grant,
  'DELETE /identity/v3/projects/{project_id}/users/{user_id}/roles/{role_id}': revoke,
  'GET /identity/v3/role_assignments': listFiltered,
} satisfies Routes;
