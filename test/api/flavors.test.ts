import { beforeEach, describe, expect, it } from 'vitest';
import { nilId, type Persona, PersonaApi, refusal, unknownId } from '../support/persona-api.ts';
import { testServices } from '../support/services.ts';

let api: PersonaApi;
beforeEach(() => {
  api = new PersonaApi(testServices());
});

/** What differs between flavors and availability zones; the rules are the same. */
const kinds = {
  flavor: {
    path: 'lbaas/flavors',
    root: 'flavor',
    plural: 'flavors',
    argument: 'flavor_',
    title: 'Flavor',
    noun: 'flavor',
    profile: 'flavor_profile_id',
    profileTitle: 'Flavor Profile',
    choice: 'flavor_id',
    identity: 'id',
    make: (name: string, more = {}) => api.flavor(name, {}, more),
    profileId: async () => (await api.flavorProfile())['id'],
  },
  'availability zone': {
    path: 'lbaas/availabilityzones',
    root: 'availability_zone',
    plural: 'availability_zones',
    argument: 'availability_zone_',
    title: 'Availability Zone',
    noun: 'availability zone',
    profile: 'availability_zone_profile_id',
    profileTitle: 'Availability Zone Profile',
    choice: 'availability_zone',
    identity: 'name',
    make: (name: string, more = {}) => api.zone(name, {}, more),
    profileId: async () => (await api.zoneProfile())['id'],
  },
} as const;

describe.each(Object.entries(kinds))('%s:', (_name, kind) => {
  const at = (id: string) => `${kind.path}/${encodeURIComponent(id)}`;
  const post = (attributes: object, persona?: Persona) => api.post(kind.path, { [kind.root]: attributes }, persona);
  const put = (id: string, attributes: object, persona?: Persona) =>
    api.put(at(id), { [kind.root]: attributes }, persona);

  it('is created enabled, and shown to whoever may read', async () => {
    const profile = await kind.profileId();
    const { status, body } = await post({ name: 'gold', [kind.profile]: profile });
    expect(status).toBe(201);
    const made = body[kind.root];
    const shown = { name: 'gold', description: '', enabled: true, [kind.profile]: profile };
    expect(made).toEqual(kind.identity === 'id' ? { id: expect.any(String), ...shown } : shown);
    for (const persona of ['admin', 'member', 'reader'] as const) {
      expect((await api.get(at(made[kind.identity]), persona)).body).toEqual({ [kind.root]: made });
    }
  });

  it.each(['name', kind.profile])('needs %s', async (name) => {
    const text = `Invalid input for field/attribute ${name}. Value: 'None'. Mandatory field missing.`;
    const attributes = { name: 'gold', [kind.profile]: await kind.profileId(), [name]: undefined };
    expect(refusal(await post(attributes))).toEqual({ status: 400, text });
  });

  it('needs a profile that there is', async () => {
    const bogus = await post({ name: 'gold', [kind.profile]: 'bogus' });
    const text = `Invalid input for field/attribute ${kind.profile}. Value: 'bogus'. Value should be UUID format`;
    expect(refusal(bogus)).toEqual({ status: 400, text });
    const unknown = await post({ name: 'gold', [kind.profile]: unknownId });
    expect(refusal(unknown)).toEqual({ status: 404, text: `${kind.profileTitle} ${unknownId} not found.` });
    expect((await kind.make('gold'))['name']).toBe('gold');
  });

  it('has a name of 1 to 255 characters that no other has', async () => {
    const profile = await kind.profileId();
    await kind.make('gold');
    const text = `A ${kind.noun} of gold already exists.`;
    expect(refusal(await post({ name: 'gold', [kind.profile]: profile }))).toEqual({ status: 409, text });
    expect((await post({ name: 'n'.repeat(256), [kind.profile]: profile })).status).toBe(400);
    expect((await post({ name: '', [kind.profile]: profile })).status).toBe(400);
    expect((await post({ name: 'ü'.repeat(255), [kind.profile]: profile })).status).toBe(201);
  });

  it('made twice at once is made once', async () => {
    const profile = await kind.profileId();
    const answers = await Promise.all([1, 2, 3].map(() => post({ name: 'gold', [kind.profile]: profile })));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
  });

  it('has its description and whether it is enabled changed, and null resets them', async () => {
    const made = await kind.make('gold', { description: 'dear', enabled: false });
    const id = made[kind.identity];
    expect((await put(id, {})).body[kind.root]).toEqual(made);
    const changed = await put(id, { description: 'cheap', enabled: true });
    expect(changed.status).toBe(200);
    expect(changed.body[kind.root]).toEqual({ ...made, description: 'cheap', enabled: true });
    expect((await put(id, { description: null })).body[kind.root].description).toBe('');
    expect((await api.get(at(id))).body[kind.root]).toEqual({ ...made, description: '', enabled: true });
  });

  it('keeps its profile', async () => {
    const made = await kind.make('gold');
    const answer = await put(made[kind.identity], { [kind.profile]: unknownId });
    const text = `Unknown attribute for argument ${kind.argument}.${kind.root}: ${kind.profile}`;
    expect(refusal(answer)).toEqual({ status: 400, text });
  });

  it('is deleted, and its name free again', async () => {
    const made = await kind.make('gold');
    expect((await api.delete(at(made[kind.identity]))).status).toBe(204);
    const text = `${kind.title} ${made[kind.identity]} not found.`;
    expect(refusal(await api.get(at(made[kind.identity])))).toEqual({ status: 404, text });
    expect(refusal(await api.delete(at(made[kind.identity])))).toEqual({ status: 404, text });
    expect((await kind.make('gold'))['name']).toBe('gold');
  });

  it('stays while a load balancer is made with it', async () => {
    const made = await kind.make('gold');
    const id = made[kind.identity];
    expect((await api.createLoadBalancer({ [kind.choice]: id })).status).toBe(201);
    const text = `${kind.title} ${id} is in use and cannot be modified.`;
    expect(refusal(await api.delete(at(id)))).toEqual({ status: 409, text });
    expect((await put(id, { enabled: false })).status).toBe(200);
  });

  it('with the nil id is not found', async () => {
    const nil = { status: 404, text: `${kind.title} ${nilId} not found.` };
    expect(refusal(await api.get(at(nilId)))).toEqual(nil);
    expect(refusal(await put(nilId, { description: 'x' }))).toEqual(nil);
    expect(refusal(await api.delete(at(nilId)))).toEqual(nil);
  });

  it('that has an impossible id is not found', async () => {
    expect((await api.get(at('x'.repeat(3000)))).status).toBe(404);
    expect((await api.delete(at('gold'))).status).toBe(404);
  });

  it('is listed, filtered by any attribute, sorted and paged', async () => {
    const gold = await kind.make('gold');
    const silver = await kind.make('silver', { enabled: false });
    const listed = await api.get(kind.path, 'reader');
    expect(listed.status).toBe(200);
    expect(listed.body).toEqual({
      [kind.plural]: expect.arrayContaining([gold, silver]),
      [`${kind.plural}_links`]: [],
    });
    const names = async (query: string) =>
      (await api.get(`${kind.path}?${query}`)).body[kind.plural].map((one: { name: string }) => one.name);
    expect(await names('enabled=false')).toEqual(['silver']);
    expect(await names('enabled=True&name=gold')).toEqual(['gold']);
    expect(await names(`${kind.profile}=${gold[kind.profile]}`)).toEqual(['gold']);
    expect(await names('sort=name:desc')).toEqual(['silver', 'gold']);
    expect(await names(`sort=name&marker=${gold[kind.identity]}`)).toEqual(['silver']);
    const page = (await api.get(`${kind.path}?limit=1&sort=name`)).body;
    expect(page[`${kind.plural}_links`][0].href).toContain(`marker=${gold[kind.identity]}`);
    const fields = (await api.get(`${kind.path}?fields=name&sort=name`)).body[kind.plural];
    expect(fields).toEqual([{ name: 'gold' }, { name: 'silver' }]);
    expect((await api.get(`${kind.path}?admin_state_up=true`)).status).toBe(400);
  });

  it('is found without /lbaas as well', async () => {
    await kind.make('gold');
    expect((await api.get(kind.path.replace('lbaas/', ''))).body[kind.plural]).toHaveLength(1);
  });

  it('is made, changed and deleted by administrators, and read by those who may read something', async () => {
    const made = await kind.make('gold');
    const id = made[kind.identity];
    const refused = { status: 403, text: 'Policy does not allow this request to be performed.' };
    expect(refusal(await post({ name: 'x', [kind.profile]: made[kind.profile] }, 'member'))).toEqual(refused);
    expect(refusal(await put(id, { description: 'x' }, 'member'))).toEqual(refused);
    expect(refusal(await api.delete(at(id), 'member'))).toEqual(refused);
    for (const persona of ['without a role', 'without a project'] as const) {
      expect(refusal(await api.get(at(id), persona))).toEqual(refused);
      expect(refusal(await api.get(kind.path, persona))).toEqual(refused);
    }
  });
});

describe('the name', () => {
  it('of a flavor may change to one that is free', async () => {
    const gold = await api.flavor('gold');
    await api.flavor('silver');
    const rename = (name: string | null) => api.put(`lbaas/flavors/${gold['id']}`, { flavor: { name } });
    const text = 'A flavor of silver already exists.';
    expect(refusal(await rename('silver'))).toEqual({ status: 409, text });
    expect((await rename(null)).status).toBe(400);
    expect((await rename('bronze')).body.flavor.name).toBe('bronze');
    expect((await rename('bronze')).status).toBe(200);
    expect((await api.flavor('gold'))['name']).toBe('gold');
  });

  it('of an availability zone never changes', async () => {
    await api.zone('east');
    const answer = await api.put('lbaas/availabilityzones/east', { availability_zone: { name: 'west' } });
    const text = 'Unknown attribute for argument availability_zone_.availability_zone: name';
    expect(refusal(answer)).toEqual({ status: 400, text });
  });
});
