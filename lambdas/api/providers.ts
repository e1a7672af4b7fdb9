// The providers resource: who makes load balancers, and what may be asked of each by flavors and availability zones.
import type { ProfileTopic } from '../domain/profile-data.ts';
import { providerNamed, providers } from '../domain/provider.ts';
import { type ApiRequest, type ApiResponse, param, type Routes } from '../runtime/http/request.ts';
import { withFields } from './http/lists.ts';
import { authorizeOwn } from './http/policy.ts';

async function list(request: ApiRequest): Promise<ApiResponse> {
  authorizeOwn(request);
  const enabled = providers.filter(({ isEnabled }) => isEnabled);
  const shown = enabled.map(({ name, description }) => withFields(request, { name, description }));
  return { status: 200, body: { providers: shown } };
}

const capabilities =
  (topic: ProfileTopic) =>
  async (request: ApiRequest): Promise<ApiResponse> => {
    authorizeOwn(request);
    const all = providerNamed(param(request, 'provider'))[topic];
    const listed = Object.entries(all).filter(([, { isExtension }]) => !isExtension);
    const rows = listed.map(([name, { description }]) => ({ name, description }));
    const isWanted = (row: (typeof rows)[number]) =>
      (['name', 'description'] as const).every((key) => [row[key], '', null].includes(request.query.get(key)));
    const shown = rows.filter(isWanted).map((row) => withFields(request, row));
    return { status: 200, body: { [`${topic}_capabilities`]: shown } };
  };

export const routes = {
  'GET /v2.0/lbaas/providers': list,
  'GET /v2.0/lbaas/providers/{provider}/flavor_capabilities': capabilities('flavor'),
  'GET /v2.0/lbaas/providers/{provider}/availability_zone_capabilities': capabilities('availability_zone'),
} satisfies Routes;
