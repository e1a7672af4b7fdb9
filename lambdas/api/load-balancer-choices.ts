// What a user chooses a load balancer by: provider, flavor and availability zone, and what they come to.
import type { AvailabilityZoneRow } from '../domain/availability-zone.ts';
import {
  type AvailabilityZoneData,
  type AvailabilityZoneProfileRow,
  allowsVipNetwork,
} from '../domain/availability-zone-profile.ts';
import { ApiError, invalid } from '../domain/errors.ts';
import type { FlavorRow } from '../domain/flavor.ts';
import type { FlavorData, FlavorProfileRow } from '../domain/flavor-profile.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import { parseProfileData, refuseUnsupported } from '../domain/profile-data.ts';
import { enabledProvider } from '../domain/provider.ts';
import type { Table } from '../drivers/table/table.ts';
import { readChoice } from '../repositories/choices.ts';
import { readProfile } from '../repositories/profiles.ts';

const defaultProvider = 'amphora';

type Wish = Pick<LoadBalancerRow, 'flavor_id' | 'availability_zone'> & { provider: string | null };
export type Chosen = Pick<LoadBalancerRow, 'provider' | 'flavor_data' | 'availability_zone_data'>;

const disabled = (option: string, value: string) =>
  new ApiError(400, `The selected ${option} is not allowed in this deployment: ${value}`);

async function flavorProfileOf(table: Table, flavorId: string): Promise<FlavorProfileRow> {
  const flavor = await readChoice<FlavorRow>(table, 'flavor', flavorId);
  if (flavor === undefined) throw invalid('Invalid flavor_id.');
  if (!flavor.enabled) throw disabled('flavor', flavorId);
  const profile = await readProfile<FlavorProfileRow>(table, 'flavorprofile', flavor.flavor_profile_id);
  if (profile === undefined) throw invalid('Invalid flavor_id.');
  return profile;
}

async function zoneDataOf(table: Table, name: string): Promise<unknown> {
  const zone = await readChoice<AvailabilityZoneRow>(table, 'availability_zone', name);
  if (zone === undefined) throw invalid('Invalid availability zone.');
  if (!zone.enabled) throw disabled('availability_zone', name);
  const id = zone.availability_zone_profile_id;
  const profile = await readProfile<AvailabilityZoneProfileRow>(table, 'availability_zone_profile', id);
  if (profile === undefined) throw invalid('Invalid availability_zone.');
  return parseProfileData('availability_zone_data', profile.availability_zone_data);
}

/** The flavor's provider wins, but not over another that was named. @throws ApiError 400 */
function providerOf({ provider, flavor_id }: Wish, profile: FlavorProfileRow | undefined): string {
  if (profile !== undefined && provider !== null && provider !== profile.provider_name) {
    throw new ApiError(400, `Flavor '${flavor_id}' is not compatible with provider '${provider}'`);
  }
  return enabledProvider(profile?.provider_name ?? provider ?? defaultProvider).name;
}

/** @throws ApiError 400, and 501 for a zone that the provider does not understand */
export async function chosen(table: Table, wish: Wish): Promise<Chosen> {
  const profile = wish.flavor_id === null ? undefined : await flavorProfileOf(table, wish.flavor_id);
  const zone = wish.availability_zone === null ? {} : await zoneDataOf(table, wish.availability_zone);
  const provider = providerOf(wish, profile);
  // The profile of a zone may be another provider's: this one has to take it all the same.
  refuseUnsupported(enabledProvider(provider), 'availability_zone', zone);
  const flavor = profile === undefined ? {} : parseProfileData('flavor_data', profile.flavor_data);
  return { provider, flavor_data: flavor as FlavorData, availability_zone_data: zone as AvailabilityZoneData };
}

/** @throws ApiError 400 */
export function refuseVipNetwork({ availability_zone_data: zone = {} }: Chosen, networkId: string): void {
  if (allowsVipNetwork(zone, networkId)) return;
  throw invalid('Supplied VIP network_id is not allowed by the configuration of this deployment.');
}

/** Where addresses belong to a zone, its machines alone can have them. @throws ApiError 400 */
export function refuseVipZone({ availability_zone_data: zone }: Chosen, vipZone: string | undefined): void {
  const wished = zone?.compute_zone;
  if (wished === undefined || vipZone === undefined || wished === vipZone) return;
  throw invalid(`The VIP's subnet is in zone ${vipZone}, the availability zone asks for ${wished}.`);
}
