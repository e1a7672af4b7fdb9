import { beforeEach, expect, it } from 'vitest';
import { PersonaApi, refusal } from '../support/persona-api.ts';
import { testServices } from '../support/services.ts';

let api: PersonaApi;
beforeEach(() => {
  api = new PersonaApi(testServices());
});

const names = (rows: { name: string }[]) => rows.map(({ name }) => name);

it('lists the providers a load balancer may name, without links', async () => {
  const { status, body } = await api.get('lbaas/providers', 'reader');
  expect(status).toBe(200);
  expect(body).toEqual({
    providers: [
      { name: 'amphora', description: 'The Octavia Amphora driver.' },
      { name: 'octavia', description: 'Deprecated alias of the Octavia Amphora driver.' },
    ],
  });
  const fields = (await api.get('lbaas/providers?fields=name')).body.providers;
  expect(fields).toEqual([{ name: 'amphora' }, { name: 'octavia' }]);
});

const capabilities = [
  ['flavor', ['loadbalancer_topology', 'compute_flavor', 'amp_image_tag', 'sriov_vip', 'allow_member_sriov']],
  ['availability_zone', ['compute_zone', 'volume_zone', 'management_network', 'valid_vip_networks']],
] as const;

it.each(capabilities)('tells what a %s of the amphora provider may ask for', async (topic, expected) => {
  for (const provider of ['amphora', 'octavia']) {
    const { status, body } = await api.get(`lbaas/providers/${provider}/${topic}_capabilities`);
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual([`${topic}_capabilities`]);
    const rows = body[`${topic}_capabilities`];
    expect(names(rows)).toEqual(expected);
    for (const row of rows) expect(row).toEqual({ name: expect.any(String), description: expect.stringMatching(/.+/) });
  }
});

it('tells what the noop provider may be asked for', async () => {
  const flavor = (await api.get('lbaas/providers/noop/flavor_capabilities')).body;
  expect(names(flavor.flavor_capabilities)).toEqual(['amp_image_tag']);
  const zone = (await api.get('lbaas/providers/noop/availability_zone_capabilities')).body;
  expect(names(zone.availability_zone_capabilities)).toEqual(['compute_zone', 'volume_zone']);
});

it('filters capabilities by name and description, and shows the fields asked for', async () => {
  const ask = async (query: string) =>
    (await api.get(`lbaas/providers/amphora/flavor_capabilities?${query}`)).body.flavor_capabilities;
  const [topology] = await ask('name=loadbalancer_topology');
  expect(await ask(new URLSearchParams({ description: topology.description }).toString())).toEqual([topology]);
  expect(await ask('name=loadbalancer_topology&description=x')).toEqual([]);
  expect(await ask('name=sriov_vip&fields=name')).toEqual([{ name: 'sriov_vip' }]);
});

it('knows no other provider', async () => {
  const text = "Provider 'magic' is not enabled.";
  expect(refusal(await api.get('lbaas/providers/magic/flavor_capabilities'))).toEqual({ status: 400, text });
  expect(refusal(await api.get('lbaas/providers/magic/availability_zone_capabilities'))).toEqual({ status: 400, text });
  expect((await api.get('lbaas/providers/amphora')).status).toBe(404);
  expect((await api.get('lbaas/providers/amphora/secrets')).status).toBe(404);
});

it('tells capabilities to administrators only, and providers to those who may read', async () => {
  const refused = { status: 403, text: 'Policy does not allow this request to be performed.' };
  expect(refusal(await api.get('lbaas/providers/amphora/flavor_capabilities', 'member'))).toEqual(refused);
  expect(refusal(await api.get('lbaas/providers/amphora/availability_zone_capabilities', 'member'))).toEqual(refused);
  expect(refusal(await api.get('lbaas/providers', 'without a role'))).toEqual(refused);
});
