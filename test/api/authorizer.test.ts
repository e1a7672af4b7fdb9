// Who the authorizer says is asking, and every token it must not believe.
import { generateKeyPair, SignJWT } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import { authorizerHandler } from '../../lambdas/authorizer/handler.ts';
import { listRoles } from '../../lambdas/repositories/identities.ts';
import { revokeRole } from '../../lambdas/repositories/role-assignments.ts';
import { callerOf } from '../../lambdas/runtime/http/stack.ts';
import { rotateSigningKey } from '../../lambdas/runtime/tokens/signing-keys.ts';
import { tokensOf } from '../../lambdas/runtime/tokens/tokens.ts';
import { adminPassword, type Cloud, demoPassword, onProject, seededCloud, tokensPath } from '../support/cloud.ts';
import { httpEvent } from '../support/http.ts';

let cloud: Cloud;
let token: string;
beforeEach(async () => {
  cloud = await seededCloud();
  token = (await cloud.login('demo', demoPassword, onProject('demo'))).headers['x-subject-token']!;
});

const nobody = { isAuthorized: true, context: {} };
const ask = (text?: string, services = cloud.services) =>
  authorizerHandler(services)(
    httpEvent({ path: '/v2/lbaas/loadbalancers', headers: text ? { 'X-Auth-Token': text } : {} }),
  );
/** Another Lambda: the same table, none of the memory. */
const elsewhere = () => ({ ...cloud.services });

const textOf = (part: string): string => Buffer.from(part, 'base64url').toString();
const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('the authorizer', () => {
  it('tells who asks, on which project and with which roles, in the shape the API reads', async () => {
    const { isAuthorized, context } = await ask(token);
    expect(isAuthorized).toBe(true);
    expect(context).toEqual({
      user_id: cloud.ids.demo_user_id,
      user_name: 'demo',
      project_id: cloud.ids.demo_project_id,
      roles: expect.stringMatching(/^(member,reader|reader,member)$/),
    });
    const event = httpEvent({ path: '/' });
    const caller = callerOf({
      ...event,
      requestContext: { ...event.requestContext, authorizer: { lambda: { ...context } } },
    });
    expect(caller).toMatchObject({ user_name: 'demo', project_id: cloud.ids.demo_project_id });
  });

  it('tells no project for an unscoped token', async () => {
    const unscoped = await cloud.login('admin', adminPassword);
    const { context } = await ask(unscoped.headers['x-subject-token']);
    expect(context).toEqual({ user_id: cloud.ids.admin_user_id, user_name: 'admin', roles: '' });
  });

  it.each([undefined, 'x', 'a.b.c', '..', 'x'.repeat(100_000)])('lets in without a caller: %.20s', async (text) => {
    expect(await ask(text)).toEqual(nobody);
  });

  it('knows no caller once the token has expired, remembered or not', async () => {
    await ask(token);
    cloud.services.clock.turn(3_590_000);
    expect((await ask(token)).context).toHaveProperty('user_id');
    cloud.services.clock.turn(10_000);
    expect(await ask(token)).toEqual(nobody);
    expect(await ask(token, elsewhere())).toEqual(nobody);
  });

  it('knows no caller when anything in the token was changed', async () => {
    const [header, payload, signature] = token.split('.') as [string, string, string];
    const claims = JSON.parse(textOf(payload));
    const asAdmin = encoded({ ...claims, sub: cloud.ids.admin_user_id });
    const flipped = (signature[0] === 'A' ? 'B' : 'A') + signature.slice(1);
    const forged = [
      `${header}.${asAdmin}.${signature}`,
      `${header}.${payload}.${flipped}`,
      `${header}.${payload}.`,
      `${encoded({ alg: 'none' })}.${asAdmin}.`,
      `${encoded({ ...JSON.parse(textOf(header)), alg: 'none' })}.${payload}.`,
      `${encoded({ ...JSON.parse(textOf(header)), kid: '000002' })}.${payload}.${signature}`,
      `${encoded({ ...JSON.parse(textOf(header)), kid: { a: 1 } })}.${payload}.${signature}`,
    ];
    for (const text of forged) expect(await ask(text)).toEqual(nobody);
  });

  it('knows no caller for a token signed with a key of somebody else', async () => {
    const claims = JSON.parse(textOf(token.split('.')[1]!));
    const { privateKey } = await generateKeyPair('EdDSA');
    const forged = (kid: string) => new SignJWT(claims).setProtectedHeader({ alg: 'EdDSA', kid }).sign(privateKey);
    const shared = new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: '000001' }).sign(Buffer.alloc(32, 1));
    for (const text of [await forged('000001'), await forged('000009'), await shared])
      expect(await ask(text)).toEqual(nobody);
  });

  it('honours a revocation at once where it was made, and elsewhere when the memory of the token ends', async () => {
    const other = elsewhere();
    await ask(token);
    await ask(token, other);
    await cloud.ask({ method: 'DELETE', path: tokensPath, token, headers: { 'X-Subject-Token': token } });
    expect(await ask(token)).toEqual(nobody);
    cloud.services.clock.turn(30_000);
    expect(await ask(token, other)).toEqual(nobody);
  });

  it('drops a caller whose role was taken away, after 30 seconds at the latest', async () => {
    await ask(token);
    const role = (await listRoles(cloud.services.table)).find(({ name }) => name === 'member')!;
    const { demo_user_id: user_id, demo_project_id: project_id } = cloud.ids;
    await revokeRole(cloud.services.table, { user_id, project_id, role_id: role.id });
    cloud.services.clock.turn(30_000);
    expect(await ask(token)).toEqual(nobody);
  });

  it('takes tokens of the old key and of the new one when keys are rotated', async () => {
    const other = elsewhere();
    await ask(token, other);
    await rotateSigningKey(cloud.services);
    cloud.services.clock.turn(301_000);
    const fresh = (await cloud.login('demo', demoPassword)).headers['x-subject-token']!;
    expect(JSON.parse(textOf(fresh.split('.')[0]!)).kid).toBe('000002');
    for (const text of [token, fresh]) expect((await ask(text, other)).context).toHaveProperty('user_id');
  });

  it('asks the table again only when what it remembers is old', async () => {
    let reads = 0;
    const { table } = cloud.services;
    const counting = Object.assign(Object.create(table), {
      get: (key: never) => {
        reads++;
        return table.get(key);
      },
      query: (query: never) => table.query(query),
    });
    const services = { ...cloud.services, table: counting };
    await ask(token, services);
    const first = reads;
    for (let i = 0; i < 10; i++) await ask(token, services);
    expect(reads).toBe(first);
    cloud.services.clock.turn(30_000);
    await ask(token, services);
    expect(reads).toBeGreaterThan(first);
  });

  it('has the first key made once, however many start at once', async () => {
    const services = [elsewhere(), elsewhere(), elsewhere()];
    const { claims } = (await tokensOf(cloud.services).validate(token))!;
    const tokens = await Promise.all(services.map((each) => tokensOf(each).sign(claims)));
    for (const text of tokens) expect((await ask(text)).context).toHaveProperty('user_id');
  });
});
