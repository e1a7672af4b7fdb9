// The availability zones resource.
import { availabilityZone, availabilityZoneResponse } from '../domain/availability-zone.ts';
import { availabilityZoneProfile } from '../domain/availability-zone-profile.ts';
import type { Routes } from '../runtime/http/request.ts';
import { choiceHandlers } from './choices.ts';

const handlers = choiceHandlers({
  resource: availabilityZone,
  kind: 'availability_zone',
  noun: 'availability zone',
  profile: { attribute: 'availability_zone_profile_id', title: availabilityZoneProfile.title },
  identity: 'name',
  show: availabilityZoneResponse,
});

export const routes = {
  'GET /v2.0/lbaas/availabilityzones': handlers.list,
  'POST /v2.0/lbaas/availabilityzones': handlers.create,
  'GET /v2.0/lbaas/availabilityzones/{availability_zone_name}': handlers.show,
  'PUT /v2.0/lbaas/availabilityzones/{availability_zone_name}': handlers.update,
  'DELETE /v2.0/lbaas/availabilityzones/{availability_zone_name}': handlers.remove,
} satisfies Routes;
