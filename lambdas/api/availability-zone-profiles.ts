// The availability zone profiles resource.
import { availabilityZoneProfile, availabilityZoneProfileResponse } from '../domain/availability-zone-profile.ts';
import type { Routes } from '../runtime/http/request.ts';
import { profileHandlers } from './profiles.ts';

const handlers = profileHandlers({
  resource: availabilityZoneProfile,
  kind: 'availability_zone_profile',
  topic: 'availability_zone',
  data: 'availability_zone_data',
  spelling: availabilityZoneProfile.title,
  links: 'availability_zone_profile_links',
  show: availabilityZoneProfileResponse,
});

export const routes = {
  'GET /v2.0/lbaas/availabilityzoneprofiles': handlers.list,
  'POST /v2.0/lbaas/availabilityzoneprofiles': handlers.create,
  'GET /v2.0/lbaas/availabilityzoneprofiles/{availability_zone_profile_id}': handlers.show,
  'PUT /v2.0/lbaas/availabilityzoneprofiles/{availability_zone_profile_id}': handlers.update,
  'DELETE /v2.0/lbaas/availabilityzoneprofiles/{availability_zone_profile_id}': handlers.remove,
} satisfies Routes;
