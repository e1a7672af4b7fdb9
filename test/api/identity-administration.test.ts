// Keystone's administration as tools use it: projects, users, roles and who has which role where.
import { beforeEach, describe, expect, it } from 'vitest';
import { TransactionCancelled } from '../../lambdas/drivers/table/table.ts';
import { adminPassword, type Cloud, demoPassword, onProject, seededCloud, tokensPath } from '../support/cloud.ts';
import type { Answer } from '../support/http.ts';

let cloud: Cloud;
let admin: string;
const tokenOf = async (name: string, password: string, project: string): Promise<string> =>
  (await cloud.login(name, password, onProject(project))).headers['x-subject-token']!;
const ask = (method: string, path: string, body?: unknown, token = admin): Promise<Answer> =>
  cloud.ask({ method, path: `/identity/v3/${path}`, token, ...(body === undefined ? {} : { body }) });
const namesOf = (rows: { name: string }[]): string[] => rows.map(({ name }) => name).sort();
const errorOf = ({ status, body }: Answer) => ({ status, message: body.error.message, title: body.error.title });

beforeEach(async () => {
  cloud = await seededCloud();
  admin = await tokenOf('admin', adminPassword, 'admin');
});

const made = async (kind: 'project' | 'user' | 'role', attributes: object) =>
  (await ask('POST', `${kind}s`, { [kind]: attributes })).body[kind];
const roleNamed = async (name: string): Promise<{ id: string }> =>
  (await ask('GET', `roles?name=${name}`)).body.roles[0];
const grantPath = (project: string, user: string, role: string) => `projects/${project}/users/${user}/roles/${role}`;

/** A user who may work on a project of its own. */
async function newcomer() {
  const project = await made('project', { name: 'shop' });
  const user = await made('user', { name: 'ann', password: 'open sesame', email: 'ann@example.org' });
  const role = await roleNamed('member');
  const granted = await ask('PUT', grantPath(project.id, user.id, role.id));
  expect(granted.status).toBe(204);
  return { project, user, role, token: await tokenOf('ann', 'open sesame', 'shop') };
}
const isGood = async (token: string): Promise<boolean> =>
  (await ask('GET', 'auth/catalog', undefined, token)).status === 200;

describe('projects', () => {
  it('are created, shown, listed by name, changed and deleted', async () => {
    const created = await ask('POST', 'projects', { project: { name: 'shop', description: 'Web shop' } });
    const { project } = created.body;
    expect(created.status).toBe(201);
    expect(project).toMatchObject({ name: 'shop', description: 'Web shop', enabled: true, domain_id: 'default' });
    expect(project.id).toMatch(/^[0-9a-f]{32}$/);
    expect((await ask('GET', 'projects?name=shop')).body.projects).toEqual([project]);
    const changed = await ask('PATCH', `projects/${project.id}`, { project: { name: 'store', description: null } });
    expect(changed.body.project).toMatchObject({ id: project.id, name: 'store', description: '' });
    expect((await ask('GET', 'projects?name=shop')).body.projects).toEqual([]);
    expect((await ask('DELETE', `projects/${project.id}`)).status).toBe(204);
    expect(errorOf(await ask('GET', `projects/${project.id}`))).toEqual({
      status: 404,
      message: `Could not find project: ${project.id}.`,
      title: 'Not Found',
    });
  });

  it('have names of their own, which are free again after a change or a deletion', async () => {
    const { id } = await made('project', { name: 'shop' });
    const refused = await ask('POST', 'projects', { project: { name: 'shop' } });
    expect(errorOf(refused)).toMatchObject({ status: 409, title: 'Conflict' });
    expect((await ask('PATCH', `projects/${id}`, { project: { name: 'demo' } })).status).toBe(409);
    await ask('PATCH', `projects/${id}`, { project: { name: 'store' } });
    expect((await ask('POST', 'projects', { project: { name: 'shop' } })).status).toBe(201);
    await ask('DELETE', `projects/${id}`);
    expect((await ask('POST', 'projects', { project: { name: 'store' } })).status).toBe(201);
  });

  it('are given one name by one of two who ask at once', async () => {
    const ids = [(await made('project', { name: 'one' })).id, (await made('project', { name: 'two' })).id];
    const answers = await Promise.all(ids.map((id) => ask('PATCH', `projects/${id}`, { project: { name: 'shop' } })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
  });

  it.each([
    {},
    { name: '' },
    { name: ' ' },
    { name: 'x'.repeat(65) },
    { name: 'x', enabled: 'yes' },
    { name: 'x', domain_id: 'other' },
  ])('are refused as %j', async (project) => {
    expect((await ask('POST', 'projects', { project })).status).toBe(400);
  });

  it('that are disabled or deleted let nobody in, and their tokens end', async () => {
    const { project, token } = await newcomer();
    expect(await isGood(token)).toBe(true);
    await ask('PATCH', `projects/${project.id}`, { project: { enabled: false } });
    expect(await isGood(token)).toBe(false);
    expect((await cloud.login('ann', 'open sesame', onProject('shop'))).status).toBe(401);
    await ask('PATCH', `projects/${project.id}`, { project: { enabled: true } });
    const again = await tokenOf('ann', 'open sesame', 'shop');
    await ask('DELETE', `projects/${project.id}`);
    expect(await isGood(again)).toBe(false);
    const { body } = await ask('GET', `role_assignments?scope.project.id=${project.id}`);
    expect(body.role_assignments).toEqual([]);
  });
});

describe('users', () => {
  it('are created without ever showing the password, listed by name, changed and deleted', async () => {
    const created = await ask('POST', 'users', { user: { name: 'ann', password: 'open sesame', description: 'x' } });
    const { user } = created.body;
    expect(created.status).toBe(201);
    expect(user).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      name: 'ann',
      description: 'x',
      domain_id: 'default',
      enabled: true,
      password_expires_at: null,
      options: {},
      links: { self: expect.stringContaining('/identity/v3/users/') },
    });
    expect((await ask('GET', 'users?name=ann')).body.users).toEqual([user]);
    const changed = await ask('PATCH', `users/${user.id}`, { user: { name: 'anna', email: 'anna@example.org' } });
    expect(changed.body.user).toMatchObject({ name: 'anna', email: 'anna@example.org', description: 'x' });
    expect((await cloud.login('ann', 'open sesame')).status).toBe(401);
    expect((await cloud.login('anna', 'open sesame')).status).toBe(201);
    expect((await ask('POST', 'users', { user: { name: 'anna' } })).status).toBe(409);
    expect((await ask('DELETE', `users/${user.id}`)).status).toBe(204);
    expect((await ask('DELETE', `users/${user.id}`)).status).toBe(404);
    expect((await cloud.login('anna', 'open sesame')).status).toBe(401);
  });

  it('that are disabled, deleted or given another password are out at once', async () => {
    const { user, token } = await newcomer();
    expect(await isGood(token)).toBe(true);
    await ask('PATCH', `users/${user.id}`, { user: { enabled: false } });
    expect(await isGood(token)).toBe(false);
    expect((await cloud.login('ann', 'open sesame')).status).toBe(401);
    cloud.services.clock.turn(1_000);
    await ask('PATCH', `users/${user.id}`, { user: { enabled: true, password: 'another' } });
    expect(await isGood(token)).toBe(false);
    const again = await tokenOf('ann', 'another', 'shop');
    expect(await isGood(again)).toBe(true);
    await ask('DELETE', `users/${user.id}`);
    expect(await isGood(again)).toBe(false);
    expect((await ask('GET', 'role_assignments')).body.role_assignments).toHaveLength(3);
  });

  it('change their own password by the old one, which locks as a login does', async () => {
    const { user } = await newcomer();
    const change = (original_password: string, password: string) =>
      cloud.ask({
        method: 'POST',
        path: `/identity/v3/users/${user.id}/password`,
        body: { user: { original_password, password } },
      });
    expect((await change('guess', 'new')).status).toBe(401);
    expect((await change('open sesame', 'new')).status).toBe(204);
    expect((await cloud.login('ann', 'open sesame')).status).toBe(401);
    expect((await cloud.login('ann', 'new')).status).toBe(201);
    for (let i = 0; i < 5; i++) await change('guess', 'new');
    expect((await change('new', 'newer')).status).toBe(401);
  });

  it('without a password can not log in', async () => {
    await made('user', { name: 'robot' });
    expect((await cloud.login('robot', '')).status).toBe(401);
  });
});

describe('roles', () => {
  it('are created, listed by name and deleted with their assignments', async () => {
    const { project, user } = await newcomer();
    const role = await made('role', { name: 'auditor', description: 'reads logs' });
    expect(await roleNamed('auditor')).toEqual(role);
    expect(role).toMatchObject({ name: 'auditor', domain_id: null, description: 'reads logs' });
    expect((await ask('POST', 'roles', { role: { name: 'auditor' } })).status).toBe(409);
    await ask('PUT', grantPath(project.id, user.id, role.id));
    expect((await ask('DELETE', `roles/${role.id}`)).status).toBe(204);
    expect((await ask('GET', `roles/${role.id}`)).status).toBe(404);
    expect((await ask('GET', `role_assignments?role.id=${role.id}`)).body.role_assignments).toEqual([]);
    expect((await ask('POST', 'roles', { role: { name: 'auditor' } })).status).toBe(201);
  });

  it('tell which follow from which', async () => {
    const { id } = await roleNamed('admin');
    const { body } = await ask('GET', `roles/${id}/implies`);
    expect(body.role_inference).toMatchObject({ prior_role: { name: 'admin' }, implies: [{ name: 'member' }] });
    const { role_inferences } = (await ask('GET', 'role_inferences')).body;
    expect(role_inferences.map((one: { prior_role: { name: string } }) => one.prior_role.name).sort()).toEqual([
      'admin',
      'member',
    ]);
  });
});

describe('role assignments', () => {
  it('are granted twice without harm, checked, listed and revoked once', async () => {
    const { project, user, role, token } = await newcomer();
    const path = grantPath(project.id, user.id, role.id);
    expect((await ask('PUT', path)).status).toBe(204);
    expect((await ask('HEAD', path)).status).toBe(204);
    expect((await ask('GET', path)).status).toBe(204);
    const list = await ask('GET', `projects/${project.id}/users/${user.id}/roles`);
    expect(namesOf(list.body.roles)).toEqual(['member']);
    expect(await isGood(token)).toBe(true);
    expect((await ask('DELETE', path)).status).toBe(204);
    expect(await isGood(token)).toBe(false);
    expect((await ask('DELETE', path)).status).toBe(404);
    expect((await ask('HEAD', path)).status).toBe(404);
  });

  it('are granted to many at once', async () => {
    const { project, role } = await newcomer();
    const users = await Promise.all(['bob', 'cy', 'di', 'ed'].map((name) => made('user', { name })));
    const { table } = cloud.services;
    const transact = table.transact.bind(table);
    let lost = 0;
    // Each is beaten once by somebody else, as transactions on one row beat each other in DynamoDB.
    table.transact = async (operations) => {
      if (lost++ % 2 === 0) throw new TransactionCancelled(operations.map(() => ({ code: 'TransactionConflict' })));
      return transact(operations);
    };
    const grants = users.map(({ id }) => ask('PUT', grantPath(project.id, id, role.id)));
    expect((await Promise.all(grants)).map(({ status }) => status)).toEqual([204, 204, 204, 204]);
    expect(lost).toBe(8);
  });

  it('need a user, a project and a role that are there', async () => {
    const { project, user, role } = await newcomer();
    const [p, u, r] = [project.id, user.id, role.id];
    for (const [path, noun] of [
      [grantPath('nowhere', u, r), 'project'],
      [grantPath(p, 'nobody', r), 'user'],
      [grantPath(p, u, 'nothing'), 'role'],
    ] as const) {
      expect(errorOf(await ask('PUT', path)).message).toContain(`Could not find ${noun}: `);
    }
  });

  it('are found by user, project and role, with names and with what follows from them', async () => {
    const { project, user, role } = await newcomer();
    const filters = [`user.id=${user.id}`, `scope.project.id=${project.id}`, `user.id=${user.id}&role.id=${role.id}`];
    for (const filter of filters) {
      const { body } = await ask('GET', `role_assignments?${filter}`);
      expect(body.role_assignments).toMatchObject([
        { user: { id: user.id }, role: { id: role.id }, scope: { project: { id: project.id } } },
      ]);
    }
    const named = await ask('GET', `role_assignments?user.id=${user.id}&include_names=true&effective`);
    expect(namesOf(named.body.role_assignments.map((one: { role: { name: string } }) => one.role))).toEqual([
      'member',
      'reader',
    ]);
    expect(named.body.role_assignments[0]).toMatchObject({
      user: { name: 'ann', domain: { id: 'default' } },
      scope: { project: { name: 'shop' } },
    });
    expect((await ask('GET', `role_assignments?scope.domain.id=default`)).body.role_assignments).toEqual([]);
  });
});

describe('the catalog', () => {
  it('is read by administrators as services, endpoints and regions', async () => {
    const { services } = (await ask('GET', 'services?type=load-balancer')).body;
    expect(namesOf(services)).toEqual(['octavia']);
    const { endpoints } = (await ask('GET', `endpoints?service_id=${services[0].id}&interface=public`)).body;
    expect(endpoints).toMatchObject([{ region_id: 'RegionOne', url: 'http://octavia.test:9876', enabled: true }]);
    expect((await ask('GET', 'regions')).body.regions).toMatchObject([{ id: 'RegionOne' }]);
  });
});

describe('somebody who is no administrator', () => {
  it('is refused everything but what is his own', async () => {
    const demo = await tokenOf('demo', demoPassword, 'demo');
    const { admin_user_id, demo_user_id, demo_project_id } = cloud.ids;
    const role = await roleNamed('admin');
    const grant = grantPath(demo_project_id, demo_user_id, role.id);
    const refused: [string, string, unknown?][] = [
      ['GET', 'users'],
      ['POST', 'users', { user: { name: 'x' } }],
      ['GET', `users/${admin_user_id}`],
      ['PATCH', `users/${demo_user_id}`, { user: { enabled: true } }],
      ['DELETE', `users/${admin_user_id}`],
      ['POST', 'projects', { project: { name: 'x' } }],
      ['PATCH', `projects/${demo_project_id}`, { project: { name: 'x' } }],
      ['DELETE', `projects/${demo_project_id}`],
      ['GET', 'roles'],
      ['POST', 'roles', { role: { name: 'x' } }],
      ['GET', `roles/${role.id}`],
      ['GET', `roles/${role.id}/implies`],
      ['DELETE', `roles/${role.id}`],
      ['GET', 'role_inferences'],
      ['GET', 'role_assignments'],
      ['GET', `projects/${demo_project_id}/users/${demo_user_id}/roles`],
      ['GET', grant],
      ['HEAD', grant],
      ['PUT', grant],
      ['DELETE', grant],
      ['GET', 'services'],
      ['GET', 'endpoints'],
    ];
    for (const [method, path, body] of refused) {
      const { status } = await ask(method, path, body, demo);
      expect({ method, path, status }).toEqual({ method, path, status: 403 });
    }
    for (const path of [`users/${demo_user_id}`, 'regions', 'domains'])
      expect((await ask('GET', path, undefined, demo)).status).toBe(200);
    expect((await cloud.ask({ path: tokensPath, token: demo, headers: { 'X-Subject-Token': demo } })).status).toBe(200);
  });
});
