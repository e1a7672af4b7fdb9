// Availability zone profiles: where a provider is to put the load balancers of a zone.
import { text } from './attribute-types.ts';
import { type Created, resource } from './resource.ts';

export const availabilityZoneProfile = resource({
  root: 'availability_zone_profile',
  plural: 'availability_zone_profiles',
  argument: 'availability_zone_profile_',
  title: 'Availability Zone Profile',
  attributes: {
    name: { type: text(), on: 'create+update', required: true, nullable: false },
    provider_name: { type: text(), on: 'create+update', required: true, nullable: false },
    availability_zone_data: { type: text(4096), on: 'create+update', required: true, nullable: false },
  },
});

export interface AvailabilityZoneProfileRow extends Created<typeof availabilityZoneProfile.attributes> {
  id: string;
  created_at: string;
}

/** What availability_zone_data of the amphora provider says. */
export interface AvailabilityZoneData {
  compute_zone?: string;
  volume_zone?: string;
  management_network?: string;
  valid_vip_networks?: unknown[];
  spare_amphorae?: number;
}

/** No list, or an empty one, allows every network. */
export function allowsVipNetwork({ valid_vip_networks: valid = [] }: AvailabilityZoneData, networkId: string): boolean {
  return valid.length === 0 || valid.some((one) => String(one).toLowerCase() === networkId.toLowerCase());
}

export const availabilityZoneProfileResponse = (row: AvailabilityZoneProfileRow) => ({
  id: row.id,
  name: row.name,
  provider_name: row.provider_name,
  availability_zone_data: row.availability_zone_data,
});
