// /v3/projects, /v3/domains and /v3/users, as far as clients look names and ids up.
import { ApiError } from '../domain/errors.ts';
import type { DomainRow, ProjectRow } from '../domain/identity.ts';
import {
  findAccess,
  findDomain,
  findProject,
  findUser,
  listDomains,
  listProjects,
} from '../repositories/identities.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';

const missing = (kind: string, id: string) => new ApiError(404, `Could not find ${kind}: ${id}.`);
const self = ({ origin }: ApiRequest, plural: string, id: string) => ({
  links: { self: `${origin}/identity/v3/${plural}/${id}` },
});

const projectBody = (request: ApiRequest, { id, name, description, enabled, domain_id }: ProjectRow) => ({
  ...{ id, name, description, enabled, domain_id },
  ...{ parent_id: domain_id, is_domain: false, tags: [], options: {} },
  ...self(request, 'projects', id),
});

const domainBody = (request: ApiRequest, { id, name, description, enabled }: DomainRow) => ({
  ...{ id, name, description, enabled, tags: [], options: {} },
  ...self(request, 'domains', id),
});

const listBody = (request: ApiRequest, plural: string, rows: object[]): ApiResponse => ({
  status: 200,
  body: { [plural]: rows, links: { self: `${request.origin}${request.path}`, next: null, previous: null } },
});

/** Attributes clients look for by value; any other parameter is let be, as Keystone does. */
const isAskedFor = ({ query }: ApiRequest, row: Record<string, unknown>): boolean =>
  ['name', 'domain_id', 'enabled'].every((filter) => {
    const wanted = query.get(filter);
    return wanted === null || row[filter] === undefined || String(row[filter]).toLowerCase() === wanted.toLowerCase();
  });

const ownProjectIds = async ({ services, caller }: ApiRequest): Promise<string[]> =>
  (await findAccess(services.table, caller!.user_id))?.project_ids ?? [];

async function ownProjects(request: ApiRequest): Promise<ProjectRow[]> {
  const ids = await ownProjectIds(request);
  const found = await Promise.all(ids.map((id) => findProject(request.services.table, id)));
  return found.filter((project) => project?.enabled === true) as ProjectRow[];
}

function listed(request: ApiRequest, projects: ProjectRow[]): ApiResponse {
  const bodies = projects.map((project) => projectBody(request, project)).filter((body) => isAskedFor(request, body));
  return listBody(request, 'projects', bodies);
}

export const listOwnProjects = async (request: ApiRequest) => listed(request, await ownProjects(request));

async function list(request: ApiRequest): Promise<ApiResponse> {
  const isAdmin = request.caller!.roles.includes('admin');
  return listed(request, isAdmin ? await listProjects(request.services.table) : await ownProjects(request));
}

async function showProject(request: ApiRequest): Promise<ApiResponse> {
  const id = param(request, 'project_id');
  if (!(await ownProjectIds(request)).includes(id)) request.authorize(id);
  const project = await findProject(request.services.table, id);
  if (!project) throw missing('project', id);
  return { status: 200, body: { project: projectBody(request, project) } };
}

async function listAllDomains(request: ApiRequest): Promise<ApiResponse> {
  const bodies = (await listDomains(request.services.table)).map((domain) => domainBody(request, domain));
  return listBody(
    request,
    'domains',
    bodies.filter((body) => isAskedFor(request, body)),
  );
}

async function showDomain(request: ApiRequest): Promise<ApiResponse> {
  const id = param(request, 'domain_id');
  const domain = await findDomain(request.services.table, id);
  if (!domain) throw missing('domain', id);
  return { status: 200, body: { domain: domainBody(request, domain) } };
}

async function showUser(request: ApiRequest): Promise<ApiResponse> {
  const id = param(request, 'user_id');
  if (id !== request.caller!.user_id) request.authorize(null);
  const user = await findUser(request.services.table, id);
  if (!user) throw missing('user', id);
  const { name, domain_id, enabled } = user;
  const links = self(request, 'users', id);
  return {
    status: 200,
    body: { user: { id, name, domain_id, enabled, password_expires_at: null, options: {}, ...links } },
  };
}

export const routes = {
  'GET /identity/v3/projects': list,
  'GET /identity/v3/projects/{project_id}': showProject,
  'GET /identity/v3/domains': listAllDomains,
  'GET /identity/v3/domains/{domain_id}': showDomain,
  'GET /identity/v3/users/{user_id}': showUser,
} satisfies Routes;
