// /v3/domains: there is the default one.
import type { DomainRow } from '../domain/identity.ts';
import { findDomain, listDomains } from '../repositories/identities.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import { listBody, missing, self } from './answers.ts';

const domainBody = (request: ApiRequest, { id, name, description, enabled }: DomainRow) => ({
  ...{ id, name, description, enabled, tags: [], options: {} },
  ...self(request, 'domains', id),
});

async function list(request: ApiRequest): Promise<ApiResponse> {
  const domains = await listDomains(request.services.table);
  return listBody(
    request,
    'domains',
    domains.map((domain) => domainBody(request, domain)),
  );
}

async function show(request: ApiRequest): Promise<ApiResponse> {
  const id = param(request, 'domain_id');
  const domain = await findDomain(request.services.table, id);
  if (!domain) throw missing('domain', id);
  return { status: 200, body: { domain: domainBody(request, domain) } };
}

export const routes = {
  'GET /identity/v3/domains': list,
  'GET /identity/v3/domains/{domain_id}': show,
} satisfies Routes;
