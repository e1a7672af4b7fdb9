import { beforeEach, describe, expect, it } from 'vitest';
import { adminPassword, type Cloud, demoPassword, onProject, seededCloud, tokensPath } from '../support/cloud.ts';
import type { Answer } from '../support/http.ts';

let cloud: Cloud;
let demo: string;
let path: string;
const tokenOf = async (name: string, password: string): Promise<string> =>
  (await cloud.login(name, password, onProject('demo'))).headers['x-subject-token']!;
beforeEach(async () => {
  cloud = await seededCloud();
  demo = await tokenOf('demo', demoPassword);
  path = `/identity/v3/users/${cloud.ids.demo_user_id}/application_credentials`;
});

const create = (attributes: object, token = demo): Promise<Answer> =>
  cloud.ask({ method: 'POST', path, token, body: { application_credential: attributes } });
const made = async (attributes: object = { name: 'terraform' }) =>
  (await create(attributes)).body.application_credential;
const login = (application_credential: object, scope?: object): Promise<Answer> => {
  const identity = { methods: ['application_credential'], application_credential };
  const body = { auth: { identity, ...(scope ? { scope } : {}) } };
  return cloud.ask({ method: 'POST', path: tokensPath, body });
};
const tokenBy = async ({ id, secret }: { id: string; secret: string }): Promise<string> =>
  (await login({ id, secret })).headers['x-subject-token']!;
const isGood = async (token: string): Promise<boolean> =>
  (await cloud.ask({ path: '/identity/v3/auth/catalog', token })).status === 200;
const namesOf = (rows: { name: string }[]): string[] => rows.map(({ name }) => name).sort();

describe('an application credential', () => {
  it('tells its secret once, and is listed, shown and deleted by its user', async () => {
    const created = await create({ name: 'terraform', description: 'CI' });
    const { secret, ...rest } = created.body.application_credential;
    expect(created.status).toBe(201);
    expect(secret).toMatch(/^[\w-]{86}$/);
    expect(rest).toMatchObject({
      name: 'terraform',
      description: 'CI',
      project_id: cloud.ids.demo_project_id,
      unrestricted: false,
      expires_at: null,
    });
    expect(namesOf(rest.roles)).toEqual(['member', 'reader']);
    expect((await cloud.ask({ path, token: demo })).body.application_credentials).toEqual([rest]);
    const one = `${path}/${rest.id}`;
    expect((await cloud.ask({ path: one, token: demo })).body.application_credential).toEqual(rest);
    expect((await create({ name: 'terraform' })).status).toBe(409);
    expect((await cloud.ask({ method: 'DELETE', path: one, token: demo })).status).toBe(204);
    expect((await cloud.ask({ path: one, token: demo })).status).toBe(404);
    expect((await create({ name: 'terraform' })).status).toBe(201);
  });

  it('lets its user in on its project with its roles, by id or by name', async () => {
    const { id, secret } = await made({ name: 'watcher', roles: [{ name: 'reader' }] });
    const byId = await login({ id, secret });
    expect(byId.status).toBe(201);
    expect(byId.body.token).toMatchObject({
      methods: ['application_credential'],
      application_credential: { id },
      user: { name: 'demo' },
      project: { name: 'demo' },
    });
    expect(namesOf(byId.body.token.roles)).toEqual(['reader']);
    const user = { name: 'demo', domain: { id: 'default' } };
    expect((await login({ name: 'watcher', user, secret })).status).toBe(201);
    expect((await login({ id, secret: 'guess' })).status).toBe(401);
    expect((await login({ id: 'nothing', secret })).status).toBe(401);
    expect((await login({ id, secret }, onProject('demo'))).status).toBe(401);
  });

  it('ends with its deletion, its time and its user, and so do its tokens', async () => {
    const now = new Date(cloud.services.clock.now() + 60_000).toISOString();
    const short = await made({ name: 'short', expires_at: now });
    const gone = await made({ name: 'gone' });
    const [shortToken, goneToken] = [await tokenBy(short), await tokenBy(gone)];
    expect([await isGood(shortToken), await isGood(goneToken)]).toEqual([true, true]);
    await cloud.ask({ method: 'DELETE', path: `${path}/${gone.id}`, token: demo });
    cloud.services.clock.turn(61_000);
    expect([await isGood(shortToken), await isGood(goneToken)]).toEqual([false, false]);
    for (const { id, secret } of [short, gone]) expect((await login({ id, secret })).status).toBe(401);
    const kept = await made({ name: 'kept' });
    const keptToken = await tokenBy(kept);
    const admin = await tokenOf('admin', adminPassword);
    const user = { method: 'DELETE', path: `/identity/v3/users/${cloud.ids.demo_user_id}`, token: admin };
    expect((await cloud.ask(user)).status).toBe(204);
    expect(await isGood(keptToken)).toBe(false);
    expect((await login(kept)).status).toBe(401);
  });

  it('gives its tokens no way to more', async () => {
    const token = await tokenBy(await made());
    expect((await create({ name: 'another' }, token)).status).toBe(403);
    const body = { auth: { identity: { methods: ['token'], token: { id: token } }, scope: onProject('demo') } };
    expect((await cloud.ask({ method: 'POST', path: tokensPath, body })).status).toBe(403);
    const free = await made({ name: 'free', unrestricted: true, roles: [{ name: 'reader' }] });
    const another = await create({ name: 'another' }, await tokenBy(free));
    expect(another.status).toBe(201);
    expect(namesOf(another.body.application_credential.roles)).toEqual(['reader']);
  });

  it('is made for oneself alone, and seen by administrators', async () => {
    const admin = await tokenOf('admin', adminPassword);
    expect((await create({ name: 'theirs' }, admin)).status).toBe(403);
    await made();
    expect(namesOf((await cloud.ask({ path, token: admin })).body.application_credentials)).toEqual(['terraform']);
    const others = `/identity/v3/users/${cloud.ids.admin_user_id}/application_credentials`;
    expect((await cloud.ask({ path: others, token: demo })).status).toBe(403);
  });

  it.each([
    {},
    { name: 'x', roles: [{ name: 'admin' }] },
    { name: 'x', expires_at: '2001-01-01T00:00:00' },
    { name: 'x', expires_at: 'soon' },
  ])('is refused as %j', async (attributes) => {
    expect((await create(attributes)).status).toBe(400);
  });
});
