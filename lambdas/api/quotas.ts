// The quotas resource: what projects may have.

import { quotaDefaults } from '../controller/change-policy.ts';
import { notFound } from '../domain/errors.ts';
import { limitsAskedFor, limitsOf, quota, quotaResponse } from '../domain/quota.ts';
import { parseUpdate, rootOf } from '../domain/resource.ts';
import { readQuota, readQuotas, resetQuota, setQuota } from '../repositories/quotas.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import { listBody, withFields } from './http/lists.ts';
import { listedProject } from './http/policy.ts';

/** The project in the path, which the caller may ask about. @throws ApiError 403 */
function projectOf(request: ApiRequest): string {
  const projectId = param(request, 'project_id');
  request.authorize(projectId);
  return projectId;
}

async function shown({ services: { table, config } }: ApiRequest, projectId: string) {
  return quotaResponse(limitsOf(await readQuota(table, projectId), quotaDefaults(config)), projectId);
}

/** Projects nobody knows have quotas too: Octavia does not know Keystone's projects. */
async function show(request: ApiRequest): Promise<ApiResponse> {
  const projectId = projectOf(request);
  return { status: 200, body: { quota: withFields(request, await shown(request, projectId)) } };
}

async function showDefault(request: ApiRequest): Promise<ApiResponse> {
  projectOf(request);
  return { status: 200, body: { quota: withFields(request, quotaResponse(quotaDefaults(request.services.config))) } };
}

async function update(request: ApiRequest): Promise<ApiResponse> {
  const projectId = projectOf(request);
  const limits = limitsAskedFor(parseUpdate(quota, rootOf(quota, request.body)));
  await setQuota(request.services, projectId, limits);
  return { status: 202, body: { quota: await shown(request, projectId) } };
}

async function reset(request: ApiRequest): Promise<ApiResponse> {
  const projectId = projectOf(request);
  if (!(await resetQuota(request.services, projectId))) throw notFound('Quotas', projectId);
  return { status: 202 };
}

/** Of the projects that have a row, which they have from their first use on. */
async function list(request: ApiRequest): Promise<ApiResponse> {
  const { table, config } = request.services;
  const rows = await readQuotas(table, listedProject(request));
  const defaults = quotaDefaults(config);
  const show = (row: (typeof rows)[number]) => quotaResponse(limitsOf(row, defaults), row.project_id);
  const known = ['project_id', ...Object.keys(quota.attributes)];
  return {
    status: 200,
    body: await listBody(request, { plural: 'quotas', identity: 'project_id', rows, show, known }),
  };
}

export const routes = {
  'GET /v2.0/lbaas/quotas': list,
  'GET /v2.0/lbaas/quotas/{project_id}': show,
  'PUT /v2.0/lbaas/quotas/{project_id}': update,
  'DELETE /v2.0/lbaas/quotas/{project_id}': reset,
  'GET /v2.0/lbaas/quotas/{project_id}/default': showDefault,
} satisfies Routes;
