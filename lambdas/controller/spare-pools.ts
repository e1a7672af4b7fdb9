// Which pools of spares the deployment wants: its own, those its settings name, and those of flavors and availability zones.
import { sharedBy } from '../domain/amphora.ts';
import type { AvailabilityZoneRow } from '../domain/availability-zone.ts';
import type { AvailabilityZoneData, AvailabilityZoneProfileRow } from '../domain/availability-zone-profile.ts';
import type { FlavorRow } from '../domain/flavor.ts';
import type { FlavorData, FlavorProfileRow } from '../domain/flavor-profile.ts';
import { mergedPools, noWish, type SparePool, statedPools } from '../domain/spare-pools.ts';
import { readChoices } from '../repositories/choices.ts';
import { readProfiles } from '../repositories/profiles.ts';
import type { Services } from '../runtime/services.ts';

const isOfAmphorae = ({ provider_name }: { provider_name: string }) => provider_name !== 'noop';

/** A flavor that nobody may choose any more needs no spares. */
async function ofFlavors({ table }: Services): Promise<SparePool[]> {
  const [flavors, profiles] = await Promise.all([
    readChoices<FlavorRow>(table, 'flavor'),
    readProfiles<FlavorProfileRow>(table, 'flavorprofile'),
  ]);
  const used = new Set(flavors.filter(({ enabled }) => enabled).map(({ flavor_profile_id }) => flavor_profile_id));
  return profiles.filter(isOfAmphorae).flatMap(({ id, flavor_data }): SparePool[] => {
    const data = JSON.parse(flavor_data) as FlavorData;
    if (!used.has(id) || !data.spare_amphorae) return [];
    const { compute_flavor = null, amp_image_tag: image_tag = null, colocation } = data;
    return [{ wish: { ...noWish, compute_flavor, image_tag, ...sharedBy(colocation) }, size: data.spare_amphorae }];
  });
}

async function ofZones({ table }: Services): Promise<SparePool[]> {
  const [zones, profiles] = await Promise.all([
    readChoices<AvailabilityZoneRow>(table, 'availability_zone'),
    readProfiles<AvailabilityZoneProfileRow>(table, 'availability_zone_profile'),
  ]);
  const used = new Set(zones.filter(({ enabled }) => enabled).map((row) => row.availability_zone_profile_id));
  return profiles.filter(isOfAmphorae).flatMap(({ id, availability_zone_data }): SparePool[] => {
    const data = JSON.parse(availability_zone_data) as AvailabilityZoneData;
    if (!used.has(id) || !data.spare_amphorae) return [];
    return [{ wish: { ...noWish, availability_zone: data.compute_zone ?? null }, size: data.spare_amphorae }];
  });
}

/** By name. */
export async function wantedPools(services: Services): Promise<Map<string, SparePool>> {
  const { spare_amphorae: size, spare_pools } = services.config;
  const stated = [{ wish: noWish, size }, ...statedPools(spare_pools)];
  return mergedPools([...stated, ...(await ofFlavors(services)), ...(await ofZones(services))]);
}
