// /v3/services, /v3/endpoints and /v3/regions: the catalog as administrators read it.
import { readRegion } from '../repositories/identities.ts';
import type { ApiRequest, ApiResponse, Routes } from '../runtime/http/request.ts';
import { listBody, self } from './answers.ts';
import { catalogOf } from './catalog.ts';

async function catalogFor(request: ApiRequest) {
  request.authorize(null);
  return catalogOf(request.origin, await readRegion(request.services.table));
}

async function listServices(request: ApiRequest): Promise<ApiResponse> {
  const bodies = (await catalogFor(request)).map(({ id, type, name }) => ({
    ...{ id, type, name, description: '', enabled: true },
    ...self(request, 'services', id),
  }));
  return listBody(request, 'services', bodies);
}

async function listEndpoints(request: ApiRequest): Promise<ApiResponse> {
  const bodies = (await catalogFor(request)).flatMap(({ id: service_id, endpoints }) =>
    endpoints.map((endpoint) => ({
      ...endpoint,
      service_id,
      enabled: true,
      ...self(request, 'endpoints', endpoint.id),
    })),
  );
  return listBody(request, 'endpoints', bodies);
}

async function listRegions(request: ApiRequest): Promise<ApiResponse> {
  const id = await readRegion(request.services.table);
  const region = { id, description: '', parent_region_id: null, ...self(request, 'regions', id) };
  return listBody(request, 'regions', [region]);
}

export const routes = {
  'GET /identity/v3/services': listServices,
  'GET /identity/v3/endpoints': listEndpoints,
  'GET /identity/v3/regions': listRegions,
} satisfies Routes;
