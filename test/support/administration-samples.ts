// Requests for the routes that administrators set the stage with: providers, flavors, availability zones, their profiles, amphorae.

import { putAmphora, readAllAmphorae, setAmphora } from '../../lambdas/repositories/amphorae.ts';
import { recordSign } from '../../lambdas/repositories/health.ts';
import type { Services } from '../../lambdas/runtime/services.ts';
import type { OctaviaApi, Shown } from './octavia-api.ts';
import type { Sample } from './route-samples.ts';

/** A profile and a choice of each kind, an amphora that has counted something, and one in ERROR. */
export async function administer(api: OctaviaApi, services: Services, lb: Shown, listener: Shown) {
  const made = (path: string, root: string, attributes: object) =>
    api.expect(201, api.post(path, { [root]: { name: 'site', ...attributes } }));
  const flavorProfile = await made('flavorprofiles', 'flavorprofile', { provider_name: 'amphora', flavor_data: '{}' });
  const zoneProfile = await made('availabilityzoneprofiles', 'availability_zone_profile', {
    provider_name: 'amphora',
    availability_zone_data: '{}',
  });
  const flavor = await made('flavors', 'flavor', { flavor_profile_id: flavorProfile['id'] });
  await made('availabilityzones', 'availability_zone', { availability_zone_profile_id: zoneProfile['id'] });
  const amphora = (await readAllAmphorae(services.table)).find((row) => row.load_balancer_id === lb['id'])!;
  const sign = { boot: '1', sequence: '1', generation: null, digest: null, active: { [listener['id']]: 1 } };
  const of = { amphora_id: amphora.id, load_balancer_id: lb['id'], last_seen: services.clock.now() };
  await recordSign(services, { row: { ...of, ...sign }, counted: {} });
  const unused = await made('flavorprofiles', 'flavorprofile', { provider_name: 'noop', flavor_data: '{}' });
  const unusedZone = await made('availabilityzoneprofiles', 'availability_zone_profile', {
    provider_name: 'noop',
    availability_zone_data: '{}',
  });
  const broken = services.newId();
  await putAmphora(services, { ...amphora, id: broken, load_balancer_id: null, compute_id: null });
  await setAmphora(services, broken, { status: 'ERROR' });
  const rollout = await api.expect(201, api.ask('POST', '/v2.0/octavia/rollouts', { rollout: {} }));
  return {
    rollout_id: rollout['id'],
    flavorprofile_id: flavorProfile['id'],
    availability_zone_profile_id: zoneProfile['id'],
    flavor_id: flavor['id'],
    availability_zone_name: 'site',
    unused: unused['id'],
    unused_zone: unusedZone['id'],
    provider: 'amphora',
    amphora_id: amphora.id,
    broken_amphora_id: broken,
  } as Record<string, string>;
}

const own = (root: string): Sample => ({ success: 200, rule: 'read own', root });
const admin = (success: number, root?: string, body?: object): Sample => ({
  success,
  rule: 'admin',
  ...(root ? { root } : {}),
  ...(body && root ? { body: () => ({ [root]: body }) } : {}),
});

const profile = { name: 'another', provider_name: 'amphora' };
const changed = { description: 'changed' };

export const administrationSamples: Record<string, Sample> = {
  'GET /v2.0/lbaas/providers': own('providers'),
  'GET /v2.0/lbaas/providers/{provider}/flavor_capabilities': admin(200, 'flavor_capabilities'),
  'GET /v2.0/lbaas/providers/{provider}/availability_zone_capabilities': admin(200, 'availability_zone_capabilities'),
  'GET /v2.0/lbaas/flavorprofiles': admin(200, 'flavorprofiles'),
  'POST /v2.0/lbaas/flavorprofiles': admin(201, 'flavorprofile', { ...profile, flavor_data: '{}' }),
  'GET /v2.0/lbaas/flavorprofiles/{flavorprofile_id}': admin(200, 'flavorprofile'),
  'PUT /v2.0/lbaas/flavorprofiles/{flavorprofile_id}': admin(200, 'flavorprofile', { name: 'changed' }),
  'GET /v2.0/lbaas/availabilityzoneprofiles': admin(200, 'availability_zone_profiles'),
  'POST /v2.0/lbaas/availabilityzoneprofiles': admin(201, 'availability_zone_profile', {
    ...profile,
    availability_zone_data: '{}',
  }),
  'GET /v2.0/lbaas/availabilityzoneprofiles/{availability_zone_profile_id}': admin(200, 'availability_zone_profile'),
  'PUT /v2.0/lbaas/availabilityzoneprofiles/{availability_zone_profile_id}': admin(200, 'availability_zone_profile', {
    name: 'changed',
  }),
  'GET /v2.0/lbaas/flavors': own('flavors'),
  'POST /v2.0/lbaas/flavors': {
    ...admin(201, 'flavor'),
    body: ({ ids }) => ({ flavor: { name: 'another', flavor_profile_id: ids['flavorprofile_id'], enabled: false } }),
  },
  'GET /v2.0/lbaas/flavors/{flavor_id}': own('flavor'),
  'PUT /v2.0/lbaas/flavors/{flavor_id}': admin(200, 'flavor', changed),
  'DELETE /v2.0/lbaas/flavors/{flavor_id}': admin(204),
  'GET /v2.0/lbaas/availabilityzones': own('availability_zones'),
  'POST /v2.0/lbaas/availabilityzones': {
    ...admin(201, 'availability_zone'),
    body: ({ ids }) => ({
      availability_zone: { name: 'another', availability_zone_profile_id: ids['availability_zone_profile_id'] },
    }),
  },
  'GET /v2.0/lbaas/availabilityzones/{availability_zone_name}': own('availability_zone'),
  'PUT /v2.0/lbaas/availabilityzones/{availability_zone_name}': admin(200, 'availability_zone', changed),
  'DELETE /v2.0/lbaas/availabilityzones/{availability_zone_name}': admin(204),
  // What another of these requests made is still in use.
  'DELETE /v2.0/lbaas/flavorprofiles/{flavorprofile_id}': { ...admin(204), as: { flavorprofile_id: 'unused' } },
  'DELETE /v2.0/lbaas/availabilityzoneprofiles/{availability_zone_profile_id}': {
    ...admin(204),
    as: { availability_zone_profile_id: 'unused_zone' },
  },
  'GET /v2.0/octavia/rollouts': admin(200, 'rollouts'),
  'GET /v2.0/octavia/rollouts/{rollout_id}': admin(200, 'rollout'),
  'PUT /v2.0/octavia/rollouts/{rollout_id}': admin(200, 'rollout', { status: 'PAUSED' }),
  'DELETE /v2.0/octavia/rollouts/{rollout_id}': admin(204),
  // There is one at a time.
  'POST /v2.0/octavia/rollouts': admin(201, 'rollout', {}),
  'GET /v2.0/octavia/amphorae': admin(200, 'amphorae'),
  'GET /v2.0/octavia/amphorae/{amphora_id}': admin(200, 'amphora'),
  'GET /v2.0/octavia/amphorae/{amphora_id}/stats': admin(200, 'amphora_stats'),
  'PUT /v2.0/octavia/amphorae/{amphora_id}/config': admin(202),
  'PUT /v2.0/octavia/amphorae/{amphora_id}/certificate': admin(202),
  'PUT /v2.0/octavia/amphorae/{amphora_id}/failover': admin(202),
  'DELETE /v2.0/octavia/amphorae/{amphora_id}': { ...admin(204), as: { amphora_id: 'broken_amphora_id' } },
};
