// The quotas resource: what projects may have.
import { limitsOf, type QuotaRow, quotaResponse } from '../domain/quota.ts';
import { readQuota } from '../repositories/quotas.ts';
import { readAll } from '../repositories/trees.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import { listBody } from './http/lists.ts';
import { listedProject } from './http/policy.ts';
import { quotaDefaults } from './http/submit.ts';

async function show(request: ApiRequest): Promise<ApiResponse> {
  const projectId = param(request, 'project_id');
  request.authorize(projectId);
  const { table, config } = request.services;
  const limits = limitsOf(await readQuota(table, projectId), quotaDefaults(config));
  return { status: 200, body: { quota: quotaResponse(limits, projectId) } };
}

async function showDefault(request: ApiRequest): Promise<ApiResponse> {
  request.authorize(param(request, 'project_id'));
  return { status: 200, body: { quota: quotaResponse(quotaDefaults(request.services.config)) } };
}

async function list(request: ApiRequest): Promise<ApiResponse> {
  const { table, config } = request.services;
  const project = listedProject(request);
  const all = await readAll<QuotaRow>(table, 'quota', null);
  const rows = all.filter((row) => project === null || row.project_id === project);
  const show = (row: QuotaRow) => quotaResponse(limitsOf(row, quotaDefaults(config)), row.project_id);
  return { status: 200, body: await listBody(request, { plural: 'quotas', rows, show, known: ['project_id'] }) };
}

export const routes = {
  'GET /v2.0/lbaas/quotas': list,
  'GET /v2.0/lbaas/quotas/{project_id}': show,
  'GET /v2.0/lbaas/quotas/{project_id}/default': showDefault,
} satisfies Routes;
