// The flavors resource.
import { flavor, flavorResponse } from '../domain/flavor.ts';
import { flavorProfile } from '../domain/flavor-profile.ts';
import type { Routes } from '../runtime/http/request.ts';
import { choiceHandlers } from './choices.ts';

const handlers = choiceHandlers({
  resource: flavor,
  kind: 'flavor',
  noun: 'flavor',
  profile: { attribute: 'flavor_profile_id', title: flavorProfile.title },
  identity: 'id',
  show: flavorResponse,
});

export const routes = {
  'GET /v2.0/lbaas/flavors': handlers.list,
  'POST /v2.0/lbaas/flavors': handlers.create,
  'GET /v2.0/lbaas/flavors/{flavor_id}': handlers.show,
  'PUT /v2.0/lbaas/flavors/{flavor_id}': handlers.update,
  'DELETE /v2.0/lbaas/flavors/{flavor_id}': handlers.remove,
} satisfies Routes;
