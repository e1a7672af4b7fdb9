// Flavor profiles: what a provider is to do for the load balancers of a flavor.
import { text } from './attribute-types.ts';
import { type Created, resource } from './resource.ts';

export const flavorProfile = resource({
  root: 'flavorprofile',
  plural: 'flavorprofiles',
  argument: 'flavor_profile_',
  title: 'Flavor Profile',
  attributes: {
    name: { type: text(), on: 'create+update', required: true, nullable: false },
    provider_name: { type: text(), on: 'create+update', required: true, nullable: false },
    flavor_data: { type: text(4096), on: 'create+update', required: true, nullable: false },
  },
});

export interface FlavorProfileRow extends Created<typeof flavorProfile.attributes> {
  id: string;
  created_at: string;
}

/** What flavor_data of the amphora provider says. */
export interface FlavorData {
  loadbalancer_topology?: 'SINGLE' | 'ACTIVE_STANDBY';
  compute_flavor?: string;
  amp_image_tag?: string;
  sriov_vip?: boolean;
  allow_member_sriov?: boolean;
  spare_amphorae?: number;
  colocation?: number;
}

export const flavorProfileResponse = ({ id, name, provider_name, flavor_data }: FlavorProfileRow) => ({
  id,
  name,
  provider_name,
  flavor_data,
});
