// The flavor profiles resource.
import { flavorProfile, flavorProfileResponse } from '../domain/flavor-profile.ts';
import type { Routes } from '../runtime/http/request.ts';
import { profileHandlers } from './profiles.ts';

const handlers = profileHandlers({
  resource: flavorProfile,
  kind: 'flavorprofile',
  topic: 'flavor',
  data: 'flavor_data',
  spelling: 'Flavor profile',
  links: 'flavorprofile_links',
  show: flavorProfileResponse,
});

export const routes = {
  'GET /v2.0/lbaas/flavorprofiles': handlers.list,
  'POST /v2.0/lbaas/flavorprofiles': handlers.create,
  'GET /v2.0/lbaas/flavorprofiles/{flavorprofile_id}': handlers.show,
  'PUT /v2.0/lbaas/flavorprofiles/{flavorprofile_id}': handlers.update,
  'DELETE /v2.0/lbaas/flavorprofiles/{flavorprofile_id}': handlers.remove,
} satisfies Routes;
