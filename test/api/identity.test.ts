// Keystone's v3 API as clients of a load balancer use it, over the real handlers of the identity service and the authorizer.
import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Catalog } from '../../lambdas/identity/catalog.ts';
import { seedCloud } from '../../lambdas/identity/seed.ts';
import {
  adminPassword,
  type Cloud,
  demoPassword,
  onProject,
  passwordLogin,
  seededCloud,
  tokensPath,
} from '../support/cloud.ts';
import { origin } from '../support/http.ts';

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

describe('versions', () => {
  beforeAll(seed);

  it('are told without a token, with links of the origin that was asked', async () => {
    const list = await cloud.ask({ path: '/identity' });
    expect(list.status).toBe(300);
    expect(list.body.versions.values[0]).toMatchObject({ id: 'v3.14', links: [{ href: `${origin}/identity/v3/` }] });
    const one = await cloud.ask({ path: '/identity/v3/' });
    expect(one.status).toBe(200);
    expect(one.body.version).toMatchObject({ id: 'v3.14', status: 'stable' });
  });
});

describe('a login with a password', () => {
  beforeAll(seed);

  it('answers with a token of the project, its roles and the catalog', async () => {
    const { status, headers, body } = await cloud.login('demo', demoPassword, onProject('demo'));
    expect(status).toBe(201);
    expect(headers['x-subject-token']).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    expect(headers['vary']).toBe('X-Auth-Token');
    const domain = { id: 'default', name: 'Default' };
    expect(body.token).toMatchObject({
      methods: ['password'],
      user: { id: cloud.ids.demo_user_id, name: 'demo', domain, password_expires_at: null },
      project: { id: cloud.ids.demo_project_id, name: 'demo', domain },
      is_domain: false,
      audit_ids: [expect.stringMatching(/^[\w-]{22}$/)],
      issued_at: '2025-06-01T12:00:00.000000Z',
      expires_at: '2025-06-01T13:00:00.000000Z',
    });
    const endpoints = (body.token.catalog as Catalog).map(({ type, endpoints }) => [type, endpoints[0]?.url]);
    expect(endpoints).toEqual([
      ['identity', `${origin}/identity`],
      ['load-balancer', origin],
      ['network', `${origin}/network`],
      ['key-manager', `${origin}/key-manager`],
    ]);
    const [first] = body.token.catalog as Catalog;
    expect(first!.endpoints.map((endpoint) => endpoint.interface)).toEqual(['public', 'internal', 'admin']);
    expect(first!.endpoints[0]!.region).toBe('RegionOne');
  });

  it('tells implied roles: admin is member and reader, member is reader', async () => {
    const admin = await cloud.login('admin', adminPassword, onProject('demo'));
    expect(namesOf(admin.body.token.roles)).toEqual(['admin', 'member', 'reader']);
    const demo = await cloud.login('demo', demoPassword, onProject('demo'));
    expect(namesOf(demo.body.token.roles)).toEqual(['member', 'reader']);
  });

  it('leaves the catalog out when asked to', async () => {
    const { body } = await cloud.login('demo', demoPassword, onProject('demo'), { nocatalog: '' });
    expect(body.token.project.name).toBe('demo');
    expect(body.token).not.toHaveProperty('catalog');
  });

  it('takes the user and the project by id, and the domain by name', async () => {
    const { demo_user_id, demo_project_id } = cloud.ids;
    const byId = passwordLogin({ id: demo_user_id, password: demoPassword }, { project: { id: demo_project_id } });
    const domain = { name: 'Default' };
    const byName = passwordLogin(
      { name: 'demo', domain, password: demoPassword },
      { project: { name: 'demo', domain } },
    );
    for (const body of [byId, byName]) {
      const answer = await cloud.ask({ method: 'POST', path: tokensPath, body });
      expect(answer.body.token.project.id).toBe(demo_project_id);
    }
  });

  it.each([undefined, 'unscoped', { unscoped: {} }])('gives an unscoped token for scope %j', async (scope) => {
    const { status, body } = await cloud.login('demo', demoPassword, scope);
    expect(status).toBe(201);
    expect(Object.keys(body.token).sort()).toEqual(['audit_ids', 'expires_at', 'issued_at', 'methods', 'user']);
  });

  it.each([onProject('admin'), onProject('nowhere'), { domain: { id: 'default' } }, { system: { all: true } }])(
    'is refused where the user has no role: %j',
    async (scope) => {
      const { status, body } = await cloud.login('demo', demoPassword, scope);
      expect({ status, body }).toEqual({ status: 401, body: unauthorized });
    },
  );

  it('does not tell a wrong password from a user that is not there', async () => {
    const wrong = await cloud.login('demo', 'guess', onProject('demo'));
    const unknown = await cloud.login('nobody-here', 'guess', onProject('demo'));
    for (const { status, body, headers } of [wrong, unknown]) {
      expect({ status, body }).toEqual({ status: 401, body: unauthorized });
      expect(headers['www-authenticate']).toContain('Keystone uri=');
    }
  });
});

describe('failed logins', () => {
  beforeEach(seed);

  const fail = async (times: number) => {
    for (let i = 0; i < times; i++) await cloud.login('demo', 'guess');
  };

  it('lock the user for a moment from the fifth on, whatever the password', async () => {
    await fail(5);
    const locked = await cloud.login('demo', demoPassword);
    expect({ status: locked.status, body: locked.body }).toEqual({ status: 401, body: unauthorized });
    expect((await cloud.login('admin', adminPassword)).status).toBe(201);
    cloud.services.clock.turn(1_000);
    expect((await cloud.login('demo', demoPassword)).status).toBe(201);
  });

  it('lock for longer with each failure, and are forgotten after a login', async () => {
    await fail(5);
    cloud.services.clock.turn(1_000);
    await fail(1);
    cloud.services.clock.turn(1_500);
    expect((await cloud.login('demo', demoPassword)).status).toBe(401);
    cloud.services.clock.turn(500);
    expect((await cloud.login('demo', demoPassword)).status).toBe(201);
    await fail(1);
    expect((await cloud.login('demo', demoPassword)).status).toBe(201);
  });

  it('all count when they come at once', async () => {
    await Promise.all(Array.from({ length: 5 }, () => cloud.login('demo', 'guess')));
    expect((await cloud.login('demo', demoPassword)).status).toBe(401);
  });
});

describe('a malformed login', () => {
  beforeAll(seed);

  const user = { id: 'x', password: 'y' };
  const identity = { methods: ['password'], password: { user } };
  it.each([
    undefined,
    '',
    '{"auth":',
    'null',
    [[]],
    {},
    { auth: null },
    { auth: { identity: {} } },
    { auth: { identity: { methods: [] } } },
    { auth: { identity: { methods: ['password'] } } },
    { auth: { identity: { methods: ['token'] } } },
    { auth: { identity: { methods: ['password'], password: { user: { name: 'demo', password: 'x' } } } } },
    { auth: { identity: { methods: ['password'], password: { user: { ...user, password: 7 } } } } },
    { auth: { identity, scope: 'everything' } },
    { auth: { identity, scope: { project: { name: 'demo' } } } },
  ])('is a 400 of Keystone: %j', async (body) => {
    const answer = await cloud.ask({ method: 'POST', path: tokensPath, body });
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatchObject({ code: 400, title: 'Bad Request' });
  });

  it('with a method nobody knows is a 401', async () => {
    const body = { auth: { identity: { methods: ['oauth1'] } } };
    expect((await cloud.ask({ method: 'POST', path: tokensPath, body })).status).toBe(401);
  });

  it('is never a 500, whatever the body', async () => {
    const path = tokensPath;
    const any = fc.jsonValue();
    const identity = fc.record({ methods: fc.constant(['token']), token: fc.record({ id: fc.string() }) });
    const close = fc.record({ auth: fc.record({ identity: fc.oneof(any, identity), scope: any }) });
    await fc.assert(
      fc.asyncProperty(fc.oneof(any, close), async (body) => {
        const { status } = await cloud.ask({ method: 'POST', path, body: JSON.stringify(body) });
        expect([400, 401]).toContain(status);
      }),
      { numRuns: 150 },
    );
  });

  it('is never a 500, whatever the names', async () => {
    const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.constantFrom('\u0000', '\ud800', '#', ''));
    const wishes = fc.oneof(
      fc.record({ id: text, password: text }),
      fc.record({ name: text, domain: fc.record({ id: text }), password: text }),
    );
    await fc.assert(
      fc.asyncProperty(wishes, async (wish) => {
        const { status } = await cloud.ask({ method: 'POST', path: tokensPath, body: passwordLogin(wish) });
        expect([400, 401]).toContain(status);
      }),
      { numRuns: 10 },
    );
  });
});

describe('seeding', () => {
  beforeEach(seed);

  it('twice changes nothing, and ids are those of every seeded cloud', async () => {
    const token = await demoToken();
    const again = await seedCloud(cloud.services, { adminPassword, demoPassword });
    expect(again).toEqual(cloud.ids);
    expect((await seededCloud()).ids).toEqual(cloud.ids);
    for (const id of Object.values(again)) expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect((await cloud.ask({ path: tokensPath, token, headers: subject(token) })).status).toBe(200);
  });

  it('with another password changes it and ends the tokens of the old one', async () => {
    const token = await demoToken();
    cloud.services.clock.turn(1_000);
    await seedCloud(cloud.services, { adminPassword, demoPassword: 'a new one', region: 'eu-west-1' });
    expect((await cloud.login('demo', demoPassword)).status).toBe(401);
    const { status, body } = await cloud.login('demo', 'a new one', onProject('demo'));
    expect(status).toBe(201);
    expect(body.token.catalog[0].endpoints[0].region_id).toBe('eu-west-1');
    const shown = await cloud.ask({ path: tokensPath, token: await adminToken(), headers: subject(token) });
    expect(shown.status).toBe(404);
  });
});
