// Who may do what, on every route there is, by default and by a deployment's own policy file.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { octaviaService } from '../../lambdas/api/handler.ts';
import { authorizeRoute, defaultPolicies, policyOfRoute } from '../../lambdas/api/http/policy.ts';
import { enforcerOf } from '../../lambdas/api/http/policy-rules.ts';
import { defaultConfig } from '../../lambdas/runtime/config.ts';
import type { ApiRequest, Caller } from '../../lambdas/runtime/http/request.ts';
import { InProcessApi, member, projectId, stranger } from '../support/in-process-api.ts';

const own = projectId;
const caller = (project_id: string, ...roles: string[]): Caller => ({
  user_id: 'u',
  user_name: 'u',
  project_id,
  roles,
});
const personas = {
  admin: caller('c', 'admin', 'member', 'reader'),
  'load balancer admin': caller('c', 'load-balancer_admin'),
  member: caller(own, 'member', 'reader'),
  'load balancer member': caller(own, 'load-balancer_member'),
  reader: caller(own, 'reader'),
  observer: caller(own, 'load-balancer_observer'),
  'global observer': caller('c', 'load-balancer_global_observer'),
  'quota admin': caller('c', 'load-balancer_quota_admin'),
  service: caller('c', 'service'),
  stranger: caller('b', 'member', 'reader'),
  'without a role': caller(own),
};
type Persona = keyof typeof personas;

const admins: Persona[] = ['admin', 'load balancer admin'];
const writers: Persona[] = [...admins, 'member', 'load balancer member'];
const readers: Persona[] = [...writers, 'reader', 'observer', 'global observer'];

/** Octavia's defaults, in words of its documentation: who passes for what belongs to the project of the tests. */
function allowedBy(route: string): Persona[] {
  const [method, path] = route.split(' ') as [string, string];
  const isRead = method === 'GET';
  if (/octavia\/(amphorae|rollouts)|profiles|_capabilities/.test(path)) return admins;
  if (path.endsWith('/failover')) return admins;
  if (path.includes('/quotas')) return isRead ? [...readers, 'quota admin'] : [...admins, 'quota admin'];
  if (/\/(flavors|availabilityzones|providers)/.test(path)) return isRead ? readers : admins;
  if (isRead && path.endsWith('/members')) return [...readers, 'service'];
  return isRead ? readers : writers;
}

const unguarded = new Set([
  'GET /',
  'GET /v2.0',
  'GET /v2.0/lbaas',
  'GET /v2.0/octavia',
  'GET /healthcheck',
  'HEAD /healthcheck',
  'GET /openapi.json',
  'GET /docs',
]);
const routes = Object.keys(octaviaService.routes).filter((route) => !unguarded.has(route));

function passes(route: string, who: Caller, config = defaultConfig): boolean {
  const request = { route, query: new URLSearchParams(), services: { config } } as unknown as ApiRequest;
  try {
    authorizeRoute(request, who, own);
    return true;
  } catch {
    return false;
  }
}

describe('by default', () => {
  it.each(routes)('%s', (route) => {
    expect(defaultPolicies.has(policyOfRoute(route))).toBe(true);
    const passing = (Object.keys(personas) as Persona[]).filter((persona) => passes(route, personas[persona]));
    expect(passing.toSorted()).toEqual(allowedBy(route).toSorted());
  });

  it('routes ask for the policies of Octavia', () => {
    const names = [
      ['GET /v2.0/lbaas/loadbalancers', 'loadbalancer:get_all'],
      ['PUT /v2.0/lbaas/loadbalancers/{loadbalancer_id}/failover', 'loadbalancer:put_failover'],
      ['GET /v2.0/lbaas/loadbalancers/{loadbalancer_id}/statuses', 'loadbalancer:get_status'],
      ['GET /v2.0/lbaas/listeners/{listener_id}/stats', 'listener:get_stats'],
      ['POST /v2.0/lbaas/pools/{pool_id}/members', 'member:post'],
      ['GET /v2.0/lbaas/l7policies/{l7policy_id}/rules/{rule_id}', 'l7rule:get_one'],
      ['GET /v2.0/lbaas/quotas/{project_id}/default', 'quota:get_defaults'],
      ['GET /v2.0/lbaas/availabilityzoneprofiles/{id}', 'availability-zone-profile:get_one'],
      ['GET /v2.0/lbaas/providers/{provider}/flavor_capabilities', 'provider-flavor:get_all'],
      ['PUT /v2.0/octavia/amphorae/{amphora_id}/config', 'amphora:put_config'],
    ];
    for (const [route, name] of names) expect(policyOfRoute(route!)).toBe(`os_load-balancer_api:${name}`);
  });

  it('a resource of another project is refused to read and to write, over the API', async () => {
    const api = new InProcessApi();
    const lb = await api.createLoadBalancer();
    const pool = await api.createPool(lb);
    const forbidden = 'Policy does not allow this request to be performed.';
    for (const [method, path, body] of [
      ['GET', `loadbalancers/${lb['id']}`],
      ['PUT', `loadbalancers/${lb['id']}`, { loadbalancer: { name: 'x' } }],
      ['DELETE', `loadbalancers/${lb['id']}`],
      ['PUT', `loadbalancers/${lb['id']}/failover`],
      ['GET', `pools/${pool['id']}/members`],
      ['PUT', `pools/${pool['id']}/members`, { members: [] }],
    ] as const) {
      const answer = await api.ask(method, path, body, { caller: stranger });
      expect([method, path, answer.status, answer.body.faultstring]).toEqual([method, path, 403, forbidden]);
    }
    const failover = await api.ask('PUT', `loadbalancers/${lb['id']}/failover`, undefined, { caller: member });
    expect(failover.status).toBe(403);
  });
});

describe('a policy file', () => {
  const withPolicy = (policy: Record<string, unknown> | string) =>
    new InProcessApi({ config: { policy_file: typeof policy === 'string' ? policy : JSON.stringify(policy) } });

  it('gives an action to a role', async () => {
    const api = withPolicy({ 'os_load-balancer_api:loadbalancer:put_failover': 'rule:load-balancer:write' });
    const lb = await api.createLoadBalancer();
    await api.settle(lb);
    expect((await api.ask('PUT', `loadbalancers/${lb['id']}/failover`)).status).toBe(202);
    expect((await api.ask('PUT', `loadbalancers/${lb['id']}/failover`, undefined, { caller: stranger })).status).toBe(
      403,
    );
  });

  it('restates a rule for every action that refers to it', async () => {
    const api = withPolicy({ 'load-balancer:member_and_owner': 'role:operator and rule:load-balancer:owner' });
    expect((await api.ask('POST', 'loadbalancers', { loadbalancer: {} })).status).toBe(403);
    const operator = { project_id: projectId, roles: ['operator'] };
    expect(await api.createLoadBalancer({}, { caller: operator })).toMatchObject({ project_id: projectId });
  });

  it('opens lists of every project', async () => {
    const api = withPolicy({ 'os_load-balancer_api:loadbalancer:get_all-global': 'role:auditor' });
    await api.createLoadBalancer();
    expect((await api.get('loadbalancers', { project_id: 'x', roles: ['auditor'] })).body.loadbalancers).toHaveLength(
      1,
    );
  });

  it('may deny a part of a batch of members', async () => {
    const api = withPolicy({ 'os_load-balancer_api:member:delete': '!' });
    const pool = await api.createPool(await api.createLoadBalancer());
    expect((await api.ask('PUT', `pools/${pool['id']}/members`, { members: [] })).status).toBe(403);
    expect((await api.ask('PUT', `pools/${pool['id']}/members?additive_only=true`, { members: [] })).status).toBe(202);
  });

  it('is read from a path', () => {
    const directory = mkdtempSync(join(tmpdir(), 'policy-'));
    const path = join(directory, 'policy.json');
    writeFileSync(path, '{"os_load-balancer_api:listener:get_one": "@"}');
    const config = { ...defaultConfig, policy_file: path };
    expect(passes('GET /v2.0/lbaas/listeners/{listener_id}', personas.stranger, config)).toBe(true);
    rmSync(directory, { recursive: true });
  });

  it.each([
    ['{"a": "role:x and"}', 'policy rule "role:x and" cannot be read at "its end"'],
    ['{"a": "(role:x"}', 'cannot be read at "its end"'],
    ['{"a": "role:x role:y"}', 'cannot be read at "role:y"'],
    ['{"a": "colour:red"}', 'cannot be read at "colour:red"'],
    ['{"a": "rule:nobody"}', 'policy rule "nobody" is not there'],
    ['{"a": "rule:b", "b": "rule:a"}', 'policy rule "a" refers to itself'],
    ['{"a": 1}', 'policy "a" must be a text'],
    ['{', /JSON/],
    ['/nowhere/policy.json', 'ENOENT'],
  ])('%s stops the start', (policy, message) => {
    expect(() => withPolicy(policy)).toThrow(message);
  });
});

describe('an expression', () => {
  it.each([
    ['', true],
    ['@', true],
    ['!', false],
    ['role:reader', true],
    ['role:READER', true],
    ['role:admin', false],
    ['not role:admin', true],
    ['role:admin or role:member', true],
    ['role:admin and role:member', false],
    ['role:admin or role:member and role:reader', true],
    ['(role:admin or role:member) and not role:reader', false],
    ['project_id:%(project_id)s', true],
    ['(role:member and project_id:%(project_id)s)', true],
    ['project_id:other', false],
    ['user_id:u', true],
  ])('"%s" is %s for a member of the project', (text, expected) => {
    expect(enforcerOf(new Map([['rule', text]]))('rule', personas.member, { project_id: own })).toBe(expected);
  });
});
