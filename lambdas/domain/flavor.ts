// Flavors: the kinds of load balancers a user may ask for.
import { boolean, text, uuid } from './attribute-types.ts';
import { type Created, resource } from './resource.ts';

export const flavor = resource({
  root: 'flavor',
  plural: 'flavors',
  argument: 'flavor_',
  title: 'Flavor',
  attributes: {
    name: { type: text(), on: 'create+update', required: true, nullable: false },
    flavor_profile_id: { type: uuid(), on: 'create', required: true },
    description: { type: text(), on: 'create+update', default: '' },
    enabled: { type: boolean(), on: 'create+update', default: true },
  },
});

export interface FlavorRow extends Created<typeof flavor.attributes> {
  id: string;
  created_at: string;
}

export const flavorResponse = ({ id, name, description, enabled, flavor_profile_id }: FlavorRow) => ({
  id,
  name,
  description,
  enabled,
  flavor_profile_id,
});
