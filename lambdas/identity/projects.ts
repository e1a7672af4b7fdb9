// /v3/projects.
import type { ProjectRow } from '../domain/identity.ts';
import { defaultDomainId } from '../domain/identity.ts';
import { timestamp } from '../domain/time.ts';
import { createProject, findProject, listProjects, removeProject, updateProject } from '../repositories/identities.ts';
import { assignmentsOfProject, findAccess, revokeRoles } from '../repositories/role-assignments.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import { tokensOf } from '../runtime/tokens/tokens.ts';
import { duplicate, listBody, missing, self } from './answers.ts';
import { parsed, projectCreate, projectUpdate } from './bodies.ts';
import { settled } from './writes.ts';

const projectBody = (request: ApiRequest, { id, name, description, enabled, domain_id }: ProjectRow) => ({
  ...{ id, name, description, enabled, domain_id },
  ...{ parent_id: domain_id, is_domain: false, tags: [], options: {} },
  ...self(request, 'projects', id),
});

const ownProjectIds = async ({ services, caller }: ApiRequest): Promise<string[]> =>
  (await findAccess(services.table, caller!.user_id))?.project_ids ?? [];

async function ownProjects(request: ApiRequest): Promise<ProjectRow[]> {
  const ids = await ownProjectIds(request);
  const found = await Promise.all(ids.map((id) => findProject(request.services.table, id)));
  return found.filter((project) => project?.enabled === true) as ProjectRow[];
}

const listed = (request: ApiRequest, projects: ProjectRow[]): ApiResponse =>
  listBody(
    request,
    'projects',
    projects.map((project) => projectBody(request, project)),
  );

const listOwn = async (request: ApiRequest) => listed(request, await ownProjects(request));

async function list(request: ApiRequest): Promise<ApiResponse> {
  const isAdmin = request.caller!.roles.includes('admin');
  return listed(request, isAdmin ? await listProjects(request.services.table) : await ownProjects(request));
}

async function found(request: ApiRequest): Promise<ProjectRow> {
  const id = param(request, 'project_id');
  const project = await findProject(request.services.table, id);
  if (!project) throw missing('project', id);
  return project;
}

async function show(request: ApiRequest): Promise<ApiResponse> {
  const id = param(request, 'project_id');
  if (!(await ownProjectIds(request)).includes(id)) request.authorize(id);
  return { status: 200, body: { project: projectBody(request, await found(request)) } };
}

async function create(request: ApiRequest): Promise<ApiResponse> {
  request.authorize(null);
  const { table, clock, newId } = request.services;
  const { project } = parsed(projectCreate, request.body);
  const row: ProjectRow = {
    id: newId().replaceAll('-', ''),
    name: project.name,
    description: project.description ?? '',
    enabled: project.enabled ?? true,
    domain_id: defaultDomainId,
    created_at: timestamp(clock.now()),
  };
  if (!(await settled(request, () => createProject(table, row)))) throw duplicate('project', row.name);
  return { status: 201, body: { project: projectBody(request, row) } };
}

async function update(request: ApiRequest): Promise<ApiResponse> {
  request.authorize(null);
  const before = await found(request);
  const { name, description, enabled } = parsed(projectUpdate, request.body).project;
  const set = {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description: description ?? '' }),
    ...(enabled === undefined ? {} : { enabled }),
  };
  const isWritten = await settled(request, () => updateProject(request.services.table, before, set));
  if (!isWritten) throw duplicate('project', name ?? before.name);
  tokensOf(request.services).forget();
  return { status: 200, body: { project: projectBody(request, { ...before, ...set }) } };
}

async function remove(request: ApiRequest): Promise<ApiResponse> {
  request.authorize(null);
  const project = await found(request);
  const { table } = request.services;
  // First, so that who is interrupted here and tries again finds the project and what is left.
  await settled(request, async () => revokeRoles(table, await assignmentsOfProject(table, project.id)));
  if (!(await settled(request, () => removeProject(table, project)))) throw missing('project', project.id);
  tokensOf(request.services).forget();
  return { status: 204 };
}

export const routes = {
  'GET /identity/v3/auth/projects': listOwn,
  'GET /identity/v3/projects': list,
  'POST /identity/v3/projects': create,
  'GET /identity/v3/projects/{project_id}': show,
  'PATCH /identity/v3/projects/{project_id}': update,
  'DELETE /identity/v3/projects/{project_id}': remove,
} satisfies Routes;
