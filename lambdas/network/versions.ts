// Neutron's version documents, by which clients find v2.0.
import type { ApiRequest, ApiResponse, Routes } from '../runtime/http/request.ts';

async function root({ origin }: ApiRequest): Promise<ApiResponse> {
  const links = [{ rel: 'self', href: `${origin}/network/v2.0/` }];
  return { status: 200, body: { versions: [{ id: 'v2.0', status: 'CURRENT', links }] } };
}

/** What may be asked under v2.0, by Neutron's names. */
async function resources({ origin }: ApiRequest): Promise<ApiResponse> {
  const named = ['network', 'subnet', 'port'].map((name) => ({
    name,
    collection: `${name}s`,
    links: [{ rel: 'self', href: `${origin}/network/v2.0/${name}s` }],
  }));
  return { status: 200, body: { resources: named } };
}

export const routes = {
  'GET /network': root,
  'GET /network/v2.0': resources,
} satisfies Routes;
