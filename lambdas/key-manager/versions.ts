// Barbican's version documents. Clients that know microversions say so, and get the document that has them.
import type { ApiRequest, ApiResponse, Routes } from '../runtime/http/request.ts';

const knowsMicroversions = ({ headers }: ApiRequest): boolean =>
  /^key-manager\b/.test(headers['openstack-api-version'] ?? '');

const version = (request: ApiRequest) => ({
  id: 'v1',
  ...(knowsMicroversions(request)
    ? { status: 'CURRENT', min_version: '1.0', max_version: '1.1' }
    : { status: 'stable' }),
  updated: '2021-02-10T00:00:00Z',
  links: [
    { rel: 'self', href: `${request.origin}/key-manager/v1/` },
    { rel: 'describedby', type: 'text/html', href: 'https://docs.openstack.org/' },
  ],
  'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.key-manager-v1+json' }],
});

/** Multiple Choices is Barbican's status for it, though there is one choice. */
const list = async (request: ApiRequest): Promise<ApiResponse> => ({
  status: 300,
  body: knowsMicroversions(request) ? { versions: [version(request)] } : { versions: { values: [version(request)] } },
});

const show = async (request: ApiRequest): Promise<ApiResponse> => ({
  status: 200,
  body: { version: version(request) },
});

export const routes = {
  'GET /key-manager': list,
  'GET /key-manager/v1': show,
} satisfies Routes;
