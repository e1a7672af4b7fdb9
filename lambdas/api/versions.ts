// The versions document at the root: every minor version of Octavia's API, oldest first, because clients take the last as current.
import type { ApiRequest, ApiResponse, Routes } from '../runtime/http/request.ts';

const newest = 30;
/** When v2.30 was published; what clients compare is the id. */
const updated = '2025-02-26T00:00:00Z';

async function root({ origin }: ApiRequest): Promise<ApiResponse> {
  const versions = Array.from({ length: newest + 1 }, (_, minor) => ({
    id: `v2.${minor}`,
    status: minor === newest ? 'CURRENT' : 'SUPPORTED',
    updated,
    links: [{ href: `${origin}/v2`, rel: 'self' }],
  }));
  return { status: 200, body: { versions } };
}

const named = async (): Promise<ApiResponse> => ({ status: 200, body: 'v2' });

export const routes = {
  'GET /': root,
  'GET /v2.0': named,
  'GET /v2.0/lbaas': named,
  'GET /v2.0/octavia': named,
} satisfies Routes;
