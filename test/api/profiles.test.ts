import { beforeEach, describe, expect, it } from 'vitest';
import { nilId, PersonaApi, refusal, unknownId } from '../support/persona-api.ts';
import { testServices } from '../support/services.ts';

let api: PersonaApi;
beforeEach(() => {
  api = new PersonaApi(testServices());
});

/** What differs between the two resources; all rules are the same. */
const kinds = {
  'flavor profile': {
    path: 'lbaas/flavorprofiles',
    root: 'flavorprofile',
    plural: 'flavorprofiles',
    links: 'flavorprofile_links',
    data: 'flavor_data',
    argument: 'flavor_profile_',
    title: 'Flavor Profile',
    spelling: 'Flavor profile',
    good: { loadbalancer_topology: 'SINGLE', compute_flavor: 'c7g.medium', sriov_vip: false },
    wrong: { loadbalancer_topology: 'TRIPLE' },
    complaint: "loadbalancer_topology 'TRIPLE' is not one of ['ACTIVE_STANDBY', 'SINGLE']",
    mistyped: { compute_flavor: 1 },
    typeComplaint: "compute_flavor 1 is not of type 'string'",
    make: (data: object, more = {}) => api.flavorProfile(data, more),
    use: (profile: string) => api.flavor('gold', {}, { flavor_profile_id: profile }),
    giveBack: 'lbaas/flavors/',
    identity: 'id',
  },
  'availability zone profile': {
    path: 'lbaas/availabilityzoneprofiles',
    root: 'availability_zone_profile',
    plural: 'availability_zone_profiles',
    links: 'availability_zone_profile_links',
    data: 'availability_zone_data',
    argument: 'availability_zone_profile_',
    title: 'Availability Zone Profile',
    spelling: 'Availability Zone Profile',
    good: { compute_zone: 'eu-central-1a', valid_vip_networks: [unknownId] },
    wrong: { valid_vip_networks: true },
    complaint: "valid_vip_networks True is not of type 'array'",
    mistyped: { compute_zone: null },
    typeComplaint: "compute_zone None is not of type 'string'",
    make: (data: object, more = {}) => api.zoneProfile(data, more),
    use: (profile: string) => api.zone('east', {}, { availability_zone_profile_id: profile }),
    giveBack: 'lbaas/availabilityzones/',
    identity: 'name',
  },
} as const;

describe.each(Object.entries(kinds))('a %s', (_name, kind) => {
  const post = (attributes: object, persona?: 'member') => api.post(kind.path, { [kind.root]: attributes }, persona);
  const put = (id: string, attributes: object) => api.put(`${kind.path}/${id}`, { [kind.root]: attributes });
  const attributes = (more: object = {}) => ({
    name: 'fast',
    provider_name: 'amphora',
    [kind.data]: JSON.stringify(kind.good),
    ...more,
  });

  it('is created, and shown with its data as it was sent', async () => {
    const { status, body } = await post(attributes());
    expect(status).toBe(201);
    const made = body[kind.root];
    expect(made).toEqual({ id: expect.any(String), ...attributes() });
    expect((await api.get(`${kind.path}/${made.id}`)).body).toEqual({ [kind.root]: made });
    expect((await api.get(`${kind.path}/${made.id}?fields=name`)).body).toEqual({ [kind.root]: { name: 'fast' } });
  });

  it.each(['name', 'provider_name', kind.data])('needs %s', async (name) => {
    const text = `Invalid input for field/attribute ${name}. Value: 'None'. Mandatory field missing.`;
    expect(refusal(await post(attributes({ [name]: undefined })))).toEqual({ status: 400, text });
  });

  it('takes no attribute it does not have', async () => {
    const text = `Unknown attribute for argument ${kind.argument}.${kind.root}: enabled`;
    expect(refusal(await post(attributes({ enabled: true })))).toEqual({ status: 400, text });
  });

  it('takes at most 4096 characters of data', async () => {
    const data = JSON.stringify({ x: 'y'.repeat(4096) });
    const answer = await post(attributes({ [kind.data]: data }));
    expect(answer.status).toBe(400);
    expect(answer.body.faultstring).toContain('maximum character requirement of 4096');
  });

  it.each(['', '{', 'SINGLE', "{'a': 1}"])('does not take %j for JSON', async (data) => {
    const text = `${data} is not a valid option for ${kind.data}`;
    expect(refusal(await post(attributes({ [kind.data]: data })))).toEqual({ status: 400, text });
  });

  it('takes only data its provider understands', async () => {
    const faults = [
      [kind.wrong, kind.complaint],
      [kind.mistyped, kind.typeComplaint],
      [{ bogus: 1 }, "Additional properties are not allowed ('bogus' was unexpected)"],
      [{ a: 1, b: 2 }, "Additional properties are not allowed ('a', 'b' were unexpected)"],
      [['a'], "['a'] is not of type 'object'"],
    ] as const;
    for (const [data, complaint] of faults) {
      const answer = await post(attributes({ [kind.data]: JSON.stringify(data) }));
      const text = `Provider 'amphora' does not support a requested option: ${complaint}`;
      expect(refusal(answer)).toEqual({ status: 501, text });
      expect(answer.body.faultcode).toBe('Server');
    }
  });

  it('is for a provider that there is; noop takes any data', async () => {
    const text = "Provider 'magic' is not enabled.";
    expect(refusal(await post(attributes({ provider_name: 'magic' })))).toEqual({ status: 400, text });
    expect((await post(attributes({ provider_name: 'octavia' }))).status).toBe(201);
    expect((await post(attributes({ provider_name: 'noop', [kind.data]: '{"any": 1}' }))).status).toBe(201);
  });

  it('may have the name of another', async () => {
    expect((await post(attributes())).status).toBe(201);
    expect((await post(attributes())).status).toBe(201);
  });

  it('is changed while nothing is made of it, and its data checked again', async () => {
    const { id } = await kind.make(kind.good);
    const { status, body } = await put(id, { name: 'slow', [kind.data]: '{}' });
    expect({ status, body }).toEqual({
      status: 200,
      body: { [kind.root]: { id, name: 'slow', provider_name: 'amphora', [kind.data]: '{}' } },
    });
    expect((await put(id, { [kind.data]: JSON.stringify(kind.wrong) })).status).toBe(501);
    expect((await put(id, { [kind.data]: JSON.stringify(kind.wrong), provider_name: 'noop' })).status).toBe(200);
    expect((await put(id, {})).status).toBe(200);
  });

  it.each(['name', 'provider_name', kind.data])('cannot have its %s set to null', async (name) => {
    const { id } = await kind.make(kind.good);
    const text = `None is not a valid option for ${name}`;
    expect(refusal(await put(id, { [name]: null }))).toEqual({ status: 400, text });
  });

  it('in use keeps what it says and stays, but may be renamed', async () => {
    const { id } = await kind.make(kind.good);
    const user = await kind.use(id);
    const text = `${kind.spelling} ${id} is in use and cannot be modified.`;
    expect(refusal(await put(id, { [kind.data]: '{}' }))).toEqual({ status: 409, text });
    expect(refusal(await put(id, { provider_name: 'octavia' }))).toEqual({ status: 409, text });
    expect(refusal(await api.delete(`${kind.path}/${id}`))).toEqual({ status: 409, text });
    expect((await put(id, { name: 'renamed' })).status).toBe(200);

    await api.delete(kind.giveBack + user[kind.identity]);
    expect((await put(id, { [kind.data]: '{}' })).status).toBe(200);
    expect((await api.delete(`${kind.path}/${id}`)).status).toBe(204);
    const gone = { status: 404, text: `${kind.title} ${id} not found.` };
    expect(refusal(await api.get(`${kind.path}/${id}`))).toEqual(gone);
  });

  it('that is not there is not found', async () => {
    const text = `${kind.title} ${unknownId} not found.`;
    expect(refusal(await api.get(`${kind.path}/${unknownId}`))).toEqual({ status: 404, text });
    expect(refusal(await put(unknownId, { name: 'x' }))).toEqual({ status: 404, text });
    const deleted = { status: 404, text: `${kind.spelling} ${unknownId} not found.` };
    expect(refusal(await api.delete(`${kind.path}/${unknownId}`))).toEqual(deleted);
    expect((await api.get(`${kind.path}/${'x'.repeat(3000)}`)).status).toBe(404);
  });

  it('with the nil id is not found', async () => {
    const nil = { status: 404, text: `${kind.spelling} ${nilId} not found.` };
    expect(refusal(await api.get(`${kind.path}/${nilId}`))).toEqual(nil);
    expect(refusal(await put(nilId, { name: 'x' }))).toEqual(nil);
    expect(refusal(await api.delete(`${kind.path}/${nilId}`))).toEqual(nil);
  });

  it('is listed, filtered, sorted and paged, with links under a key of its own', async () => {
    const [first, second] = [await kind.make({}, { name: 'one' }), await kind.make({}, { name: 'two' })];
    const all = (await api.get(kind.path)).body;
    expect(all).toEqual({ [kind.plural]: expect.arrayContaining([first, second]), [kind.links]: [] });
    const names = async (query: string) =>
      (await api.get(`${kind.path}?${query}`)).body[kind.plural].map((one: { name: string }) => one.name);
    expect(await names('name=two')).toEqual(['two']);
    expect(await names('provider_name=noop')).toEqual([]);
    expect(await names('sort=name:desc')).toEqual(['two', 'one']);
    const page = (await api.get(`${kind.path}?limit=1&sort=name`)).body;
    expect(page[kind.links]).toEqual([{ rel: 'next', href: expect.stringContaining(`marker=${first['id']}`) }]);
    expect(await names(`sort=name&marker=${first['id']}`)).toEqual(['two']);
    expect((await api.get(`${kind.path}?project_name=x`)).status).toBe(400);
  });

  it('is for administrators only, to read as well', async () => {
    const { id } = await kind.make({});
    const refused = { status: 403, text: 'Policy does not allow this request to be performed.' };
    expect(refusal(await api.get(kind.path, 'member'))).toEqual(refused);
    expect(refusal(await api.get(`${kind.path}/${id}`, 'member'))).toEqual(refused);
    expect(refusal(await post(attributes(), 'member'))).toEqual(refused);
    expect(refusal(await api.put(`${kind.path}/${id}`, { [kind.root]: { name: 'x' } }, 'member'))).toEqual(refused);
    expect(refusal(await api.delete(`${kind.path}/${id}`, 'member'))).toEqual(refused);
  });
});
