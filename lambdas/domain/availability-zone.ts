// Availability zones: the places a user may ask a load balancer to be in. A name is all a zone is known by.
import { boolean, text, uuid } from './attribute-types.ts';
import { type Created, resource } from './resource.ts';

export const availabilityZone = resource({
  root: 'availability_zone',
  plural: 'availability_zones',
  argument: 'availability_zone_',
  title: 'Availability Zone',
  attributes: {
    name: { type: text(), on: 'create', required: true },
    availability_zone_profile_id: { type: uuid(), on: 'create', required: true },
    description: { type: text(), on: 'create+update', default: '' },
    enabled: { type: boolean(), on: 'create+update', default: true },
  },
});

export interface AvailabilityZoneRow extends Created<typeof availabilityZone.attributes> {
  /** Its name. */
  id: string;
  created_at: string;
}

export const availabilityZoneResponse = (row: AvailabilityZoneRow) => ({
  name: row.name,
  description: row.description,
  enabled: row.enabled,
  availability_zone_profile_id: row.availability_zone_profile_id,
});
