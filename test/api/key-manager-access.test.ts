// Who may keep secrets with the built-in key manager, and who may read them.
import { beforeEach, describe, expect, it } from 'vitest';
import { routes } from '../../lambdas/key-manager/handler.ts';
import type { Caller } from '../../lambdas/runtime/http/request.ts';
import { projectId } from '../support/in-process-api.ts';
import { fault, KeyManagerApi, member, note, stranger, whoever } from '../support/key-manager-api.ts';

let ask: KeyManagerApi['ask'];
let stored: KeyManagerApi['stored'];
let contained: KeyManagerApi['contained'];
beforeEach(() => {
  const keyManager = new KeyManagerApi();
  ({ ask, stored, contained } = keyManager);
});

describe('who may', () => {
  const as = (roles: string[], user = 'another') => ({ caller: whoever(roles, projectId, user) });

  it('keep secrets is a member or creator; to audit is to see no payload', async () => {
    const reference = await stored(note);
    for (const roles of [['member'], ['creator'], ['admin']])
      expect([roles, (await ask('POST', '/v1/secrets', note, as(roles))).status]).toEqual([roles, 201]);
    for (const roles of [['reader'], ['audit'], ['observer'], []]) {
      const text = 'Secret creation attempt not allowed - please review your user/project privileges';
      expect(await ask('POST', '/v1/secrets', note, as(roles))).toMatchObject(fault(403, text));
      expect((await ask('DELETE', reference, undefined, as(roles))).status).toBe(403);
    }
    expect((await ask('GET', reference, undefined, as(['audit']))).status).toBe(200);
    expect((await ask('GET', `${reference}/payload`, undefined, as(['audit']))).status).toBe(403);
    expect((await ask('GET', `${reference}/payload`, undefined, as(['observer']))).status).toBe(200);
    expect((await ask('GET', reference, undefined, as([]))).status).toBe(403);
  });

  it('ask is nobody of another project, an administrator neither', async () => {
    const [secret, container] = [await stored(note), await contained({ type: 'generic' })];
    for (const route of Object.keys(routes).filter((one) => one.includes('{id}'))) {
      const [method, path] = route.split(' ') as [string, string];
      const reference = path.includes('/secrets') ? secret : container;
      const body = method === 'GET' ? undefined : { read: {}, service: 's', resource_type: 't', resource_id: 'i' };
      const asked = path.replace('/key-manager', '').replace('{id}', reference.slice(-36));
      expect([route, (await ask(method, asked, body, { caller: stranger })).status]).toEqual([route, 403]);
    }
    expect((await ask('POST', '/v1/secrets', note, { caller: whoever(['member'], null) })).status).toBe(403);
  });

  it.each(['secrets', 'containers'])('read %s is for their ACL to say as well', async (kind) => {
    const reference = kind === 'secrets' ? await stored(note) : await contained({ type: 'generic' });
    const acl = `${reference}/acl`;
    const mayRead = async (caller: Partial<Caller>) =>
      (await ask('GET', reference, undefined, { caller })).status === 200;
    expect((await ask('GET', acl)).body).toEqual({ read: { 'project-access': true } });
    expect(await mayRead(stranger)).toBe(false);
    expect((await ask('PUT', acl, { read: { users: ['a-stranger'] } })).body).toEqual({ acl_ref: acl });
    expect(await mayRead(stranger)).toBe(true);
    expect((await ask('DELETE', reference, undefined, { caller: stranger })).status).toBe(403);
    await ask('PATCH', acl, { read: { 'project-access': false } });
    expect((await ask('GET', acl)).body.read).toMatchObject({ users: ['a-stranger'], 'project-access': false });
    expect(await mayRead(as(['member']).caller)).toBe(false);
    expect(await mayRead(member)).toBe(true);
    await ask('POST', acl, { read: {} });
    expect(await mayRead(stranger)).toBe(false);
    expect((await ask('PUT', acl, { write: {} })).status).toBe(400);
    expect(await ask('DELETE', acl)).toMatchObject({ status: 200, body: undefined });
    expect((await ask('GET', acl)).body).toEqual({ read: { 'project-access': true } });
  });
});
