import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { listRoles } from '../../lambdas/repositories/identities.ts';
import { revokeRole } from '../../lambdas/repositories/role-assignments.ts';
import { adminPassword, type Cloud, demoPassword, onProject, seededCloud, tokensPath } from '../support/cloud.ts';

const unauthorized = {
  error: { code: 401, message: 'The request you have made requires authentication.', title: 'Unauthorized' },
};
const namesOf = (rows: { name: string }[]): string[] => rows.map(({ name }) => name).sort();

let cloud: Cloud;
/** Passwords are slow to hash on purpose, so tests that leave nothing behind share a cloud. */
const seed = async () => {
  cloud = await seededCloud();
};

async function tokenOf(name: string, password: string, scope?: unknown): Promise<string> {
  const { headers } = await cloud.login(name, password, scope);
  return headers['x-subject-token']!;
}
const demoToken = () => tokenOf('demo', demoPassword, onProject('demo'));
const adminToken = () => tokenOf('admin', adminPassword, onProject('admin'));
const subject = (token: string) => ({ 'X-Subject-Token': token });

describe('a login with a token', () => {
  beforeEach(seed);

  const withToken = (id: string, scope?: unknown) =>
    cloud.ask({
      method: 'POST',
      path: tokensPath,
      body: { auth: { identity: { methods: ['token'], token: { id } }, ...(scope ? { scope } : {}) } },
    });

  it('scopes an unscoped token, which it does not outlive', async () => {
    const first = await cloud.login('demo', demoPassword);
    cloud.services.clock.turn(600_000);
    const second = await withToken(first.headers['x-subject-token']!, onProject('demo'));
    expect(second.status).toBe(201);
    expect(second.body.token).toMatchObject({
      project: { name: 'demo' },
      methods: ['token', 'password'],
      issued_at: '2025-06-01T12:10:00.000000Z',
      expires_at: first.body.token.expires_at,
      audit_ids: [expect.any(String), first.body.token.audit_ids[0]],
    });
  });

  it.each(['', 'not-a-token', 'a.b.c'])('is refused with %j', async (id) => {
    const { status, body } = await withToken(id);
    expect({ status, body }).toEqual({ status: 401, body: unauthorized });
  });
});

describe('a token', () => {
  beforeEach(seed);

  it('is shown to its user as it was given, and checked with HEAD', async () => {
    const made = await cloud.login('demo', demoPassword, onProject('demo'));
    const token = made.headers['x-subject-token']!;
    const shown = await cloud.ask({ path: tokensPath, token, headers: subject(token) });
    expect(shown.status).toBe(200);
    expect(shown.body).toEqual(made.body);
    expect(shown.headers['x-subject-token']).toBe(token);
    const checked = await cloud.ask({ method: 'HEAD', path: tokensPath, token, headers: subject(token) });
    expect(checked).toMatchObject({ status: 200, body: undefined });
    const short = await cloud.ask({ path: tokensPath, token, headers: subject(token), query: { nocatalog: 'true' } });
    expect(short.body.token).not.toHaveProperty('catalog');
  });

  it('of somebody else is shown to administrators only', async () => {
    const [demo, admin] = [await demoToken(), await adminToken()];
    const asAdmin = await cloud.ask({ path: tokensPath, token: admin, headers: subject(demo) });
    expect(asAdmin.body.token.user.name).toBe('demo');
    const asDemo = await cloud.ask({ path: tokensPath, token: demo, headers: subject(admin) });
    expect(asDemo.status).toBe(403);
    expect(asDemo.body.error.message).toBe(
      'You are not authorized to perform the requested action: identity:validate_token.',
    );
  });

  it('that does not hold is not found', async () => {
    const token = await adminToken();
    for (const headers of [subject('nonsense'), {}]) {
      const { status, body } = await cloud.ask({ path: tokensPath, token, headers: { ...headers } });
      expect(status).toBe(404);
      expect(body.error.title).toBe('Not Found');
    }
  });

  it('opens nothing once it is revoked', async () => {
    const token = await demoToken();
    const revoked = await cloud.ask({ method: 'DELETE', path: tokensPath, token, headers: subject(token) });
    expect(revoked).toMatchObject({ status: 204, body: undefined });
    expect((await cloud.ask({ path: '/identity/v3/auth/projects', token })).status).toBe(401);
    const shown = await cloud.ask({ path: tokensPath, token: await adminToken(), headers: subject(token) });
    expect(shown.status).toBe(404);
  });

  it('is forgotten as revoked once it has expired', async () => {
    const revoke = async () => {
      const token = await demoToken();
      await cloud.ask({ method: 'DELETE', path: tokensPath, token, headers: subject(token) });
    };
    await revoke();
    cloud.services.clock.turn(3_601_000);
    await revoke();
    const { items } = await cloud.services.table.queryIndex({ index: 'by_type', pk: 'revocation' });
    expect(items).toHaveLength(1);
  });

  it('ends with the role of its user on its project', async () => {
    const token = await demoToken();
    const role = (await listRoles(cloud.services.table)).find(({ name }) => name === 'member')!;
    const { demo_user_id: user_id, demo_project_id: project_id } = cloud.ids;
    await revokeRole(cloud.services.table, { user_id, project_id, role_id: role.id });
    const shown = await cloud.ask({ path: tokensPath, token: await adminToken(), headers: subject(token) });
    expect(shown.status).toBe(404);
  });
});

describe('looking up', () => {
  beforeAll(seed);

  it('tells the catalog of a token with a project only', async () => {
    const scoped = await cloud.ask({ path: '/identity/v3/auth/catalog', token: await demoToken() });
    const types = scoped.body.catalog.map((service: { type: string }) => service.type);
    expect(types.toSorted()).toEqual(['identity', 'key-manager', 'load-balancer', 'network']);
    const token = await tokenOf('demo', demoPassword);
    expect((await cloud.ask({ path: '/identity/v3/auth/catalog', token })).status).toBe(403);
  });

  it('lists the projects of the user, and all of them to administrators', async () => {
    const names = async (path: string, token: string) => namesOf((await cloud.ask({ path, token })).body.projects);
    const demo = await tokenOf('demo', demoPassword);
    expect(await names('/identity/v3/auth/projects', demo)).toEqual(['demo']);
    expect(await names('/identity/v3/projects', demo)).toEqual(['demo']);
    expect(await names('/identity/v3/projects?name=admin', demo)).toEqual([]);
    const admin = await adminToken();
    expect(await names('/identity/v3/projects', admin)).toEqual(['admin', 'demo']);
    expect(await names('/identity/v3/projects?name=demo&domain_id=default', admin)).toEqual(['demo']);
  });

  it('shows a project to who has a role there', async () => {
    const [demo, admin] = [await demoToken(), await adminToken()];
    const { demo_project_id, admin_project_id } = cloud.ids;
    const own = await cloud.ask({ path: `/identity/v3/projects/${demo_project_id}`, token: demo });
    expect(own.body.project).toMatchObject({ id: demo_project_id, name: 'demo', domain_id: 'default', enabled: true });
    expect((await cloud.ask({ path: `/identity/v3/projects/${admin_project_id}`, token: demo })).status).toBe(403);
    expect((await cloud.ask({ path: `/identity/v3/projects/${'x'.repeat(3000)}`, token: admin })).status).toBe(404);
  });

  it('shows a user to itself and to administrators, without the password', async () => {
    const [demo, admin] = [await demoToken(), await adminToken()];
    const { demo_user_id, admin_user_id } = cloud.ids;
    const own = await cloud.ask({ path: `/identity/v3/users/${demo_user_id}`, token: demo });
    expect(own.body.user).toMatchObject({ id: demo_user_id, name: 'demo', domain_id: 'default' });
    expect(own.body.user).not.toHaveProperty('password');
    expect((await cloud.ask({ path: `/identity/v3/users/${admin_user_id}`, token: demo })).status).toBe(403);
    expect((await cloud.ask({ path: `/identity/v3/users/${demo_user_id}`, token: admin })).status).toBe(200);
  });

  it('knows the domain by id and by name', async () => {
    const token = await demoToken();
    const found = await cloud.ask({ path: '/identity/v3/domains?name=Default', token });
    expect(found.body.domains).toMatchObject([{ id: 'default', name: 'Default' }]);
    expect((await cloud.ask({ path: '/identity/v3/domains?name=other', token })).body.domains).toEqual([]);
    expect((await cloud.ask({ path: '/identity/v3/domains/default', token })).body.domain.name).toBe('Default');
    const missing = await cloud.ask({ path: '/identity/v3/domains/other', token });
    expect(missing.body.error).toEqual({ code: 404, message: 'Could not find domain: other.', title: 'Not Found' });
  });

  it('needs a token', async () => {
    const { status, body } = await cloud.ask({ path: '/identity/v3/projects' });
    expect({ status, body }).toEqual({ status: 401, body: unauthorized });
  });
});
