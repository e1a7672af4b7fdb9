// The documents clients discover Keystone by, before they have a token.
import type { ApiRequest, ApiResponse, Routes } from '../runtime/http/request.ts';

const version = ({ origin }: ApiRequest) => ({
  id: 'v3.14',
  status: 'stable',
  updated: '2020-04-07T00:00:00Z',
  links: [{ rel: 'self', href: `${origin}/identity/v3/` }],
  'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
});

/** Multiple Choices is Keystone's status for it, though there is one choice. */
const list = async (request: ApiRequest): Promise<ApiResponse> => ({
  status: 300,
  headers: { vary: 'X-Auth-Token' },
  body: { versions: { values: [version(request)] } },
});

const show = async (request: ApiRequest): Promise<ApiResponse> => ({
  status: 200,
  headers: { vary: 'X-Auth-Token' },
  body: { version: version(request) },
});

export const routes = {
  'GET /identity': list,
  'GET /identity/v3': show,
} satisfies Routes;
