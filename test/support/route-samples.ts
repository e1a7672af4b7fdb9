// One request for every route of the API, against a load balancer with one of each below it; what succeeds, and who may ask.
import { administrationSamples } from './administration-samples.ts';
import { memberAt, type OctaviaApi, type Shown } from './octavia-api.ts';
import { projects } from './personas.ts';

/** A load balancer with one of each below it. */
export interface Site {
  lb: Shown;
  listener: Shown;
  pool: Shown;
  member: Shown;
  monitor: Shown;
  policy: Shown;
  rule: Shown;
  /** Of what administrators made, by the names in routes. */
  ids: Record<string, string>;
}

export async function createSite(api: OctaviaApi): Promise<Site> {
  const lb = await api.createLoadBalancer({ name: 'site' });
  const listener = await api.createListener(lb, { protocol_port: 80 });
  const pool = await api.createPool({ listener_id: listener['id'] });
  const member = await api.createMember(pool, memberAt(1));
  const monitor = await api.createMonitor(pool);
  const policy = await api.createL7Policy(listener);
  const rule = await api.createL7Rule(policy);
  return { lb, listener, pool, member, monitor, policy, rule, ids: {} };
}

/** Octavia's rules, by the groups of people who satisfy them. */
export type Rule =
  | 'read'
  | 'read own'
  | 'read members'
  | 'list'
  | 'write'
  | 'admin'
  | 'read quota'
  | 'list quotas'
  | 'write quota';

export interface Sample {
  success: number;
  rule: Rule;
  /** Key of the answer's body; absent: no body. */
  root?: string;
  query?: string;
  /** Other names under which ids of the route are found. */
  as?: Record<string, string>;
  body?: (site: Site, api: OctaviaApi) => unknown;
}

const read = (root: string): Sample => ({ success: 200, rule: 'read', root });
const list = (root: string): Sample => ({ success: 200, rule: 'list', root });
const create = (root: string, body: (site: Site) => object): Sample => ({
  success: 201,
  rule: 'write',
  root,
  body: (site) => ({ [root]: body(site) }),
});
const update = (root: string): Sample => ({
  success: 200,
  rule: 'write',
  root,
  body: () => ({ [root]: { name: 'changed' } }),
});
const remove: Sample = { success: 204, rule: 'write' };

export const samples: Record<string, Sample> = {
  ...administrationSamples,
  'GET /v2.0/lbaas/loadbalancers': list('loadbalancers'),
  'POST /v2.0/lbaas/loadbalancers': {
    success: 201,
    rule: 'write',
    root: 'loadbalancer',
    body: (_site, api) => api.loadBalancer({ project_id: projects.own }),
  },
  'GET /v2.0/lbaas/loadbalancers/{loadbalancer_id}': read('loadbalancer'),
  'PUT /v2.0/lbaas/loadbalancers/{loadbalancer_id}': update('loadbalancer'),
  'GET /v2.0/lbaas/loadbalancers/{loadbalancer_id}/status': read('statuses'),
  'GET /v2.0/lbaas/loadbalancers/{loadbalancer_id}/statuses': read('statuses'),
  'GET /v2.0/lbaas/loadbalancers/{loadbalancer_id}/stats': read('stats'),
  'GET /v2.0/lbaas/loadbalancers/{loadbalancer_id}/explain': read('explanation'),
  'GET /v2.0/lbaas/listeners': list('listeners'),
  'POST /v2.0/lbaas/listeners': create('listener', ({ lb }) => ({
    loadbalancer_id: lb['id'],
    protocol: 'TCP',
    protocol_port: 9999,
  })),
  'GET /v2.0/lbaas/listeners/{listener_id}': read('listener'),
  'PUT /v2.0/lbaas/listeners/{listener_id}': update('listener'),
  'GET /v2.0/lbaas/listeners/{listener_id}/stats': read('stats'),
  'GET /v2.0/lbaas/pools': list('pools'),
  'POST /v2.0/lbaas/pools': create('pool', ({ lb }) => ({
    loadbalancer_id: lb['id'],
    protocol: 'TCP',
    lb_algorithm: 'SOURCE_IP',
  })),
  'GET /v2.0/lbaas/pools/{pool_id}': read('pool'),
  'PUT /v2.0/lbaas/pools/{pool_id}': update('pool'),
  'GET /v2.0/lbaas/pools/{pool_id}/members': { ...read('members'), rule: 'read members' },
  'POST /v2.0/lbaas/pools/{pool_id}/members': create('member', () => memberAt(77)),
  'PUT /v2.0/lbaas/pools/{pool_id}/members': {
    success: 202,
    rule: 'write',
    body: () => ({ members: [memberAt(1), memberAt(2)] }),
  },
  'GET /v2.0/lbaas/pools/{pool_id}/members/{member_id}': read('member'),
  'GET /v2.0/lbaas/pools/{pool_id}/members/{member_id}/stats': read('stats'),
  'PUT /v2.0/lbaas/pools/{pool_id}/members/{member_id}': update('member'),
  'GET /v2.0/lbaas/healthmonitors': list('healthmonitors'),
  'GET /v2.0/lbaas/healthmonitors/{healthmonitor_id}': read('healthmonitor'),
  'PUT /v2.0/lbaas/healthmonitors/{healthmonitor_id}': update('healthmonitor'),
  'GET /v2.0/lbaas/l7policies': list('l7policies'),
  'POST /v2.0/lbaas/l7policies': create('l7policy', ({ listener }) => ({
    listener_id: listener['id'],
    action: 'REJECT',
  })),
  'GET /v2.0/lbaas/l7policies/{l7policy_id}': read('l7policy'),
  'PUT /v2.0/lbaas/l7policies/{l7policy_id}': update('l7policy'),
  'GET /v2.0/lbaas/l7policies/{l7policy_id}/rules': read('rules'),
  'POST /v2.0/lbaas/l7policies/{l7policy_id}/rules': create('rule', () => ({
    type: 'PATH',
    compare_type: 'STARTS_WITH',
    value: '/static',
  })),
  'GET /v2.0/lbaas/l7policies/{l7policy_id}/rules/{rule_id}': read('rule'),
  'PUT /v2.0/lbaas/l7policies/{l7policy_id}/rules/{rule_id}': {
    success: 200,
    rule: 'write',
    root: 'rule',
    body: () => ({ rule: { value: '/other' } }),
  },
  'GET /v2.0/lbaas/quotas': { success: 200, rule: 'list quotas', root: 'quotas' },
  'GET /v2.0/lbaas/quotas/{project_id}': { success: 200, rule: 'read quota', root: 'quota' },
  'GET /v2.0/lbaas/quotas/{project_id}/default': { success: 200, rule: 'read quota', root: 'quota' },
  'PUT /v2.0/lbaas/quotas/{project_id}': {
    success: 202,
    rule: 'write quota',
    root: 'quota',
    body: () => ({ quota: { listener: 100 } }),
  },
  'DELETE /v2.0/lbaas/quotas/{project_id}': { success: 202, rule: 'write quota' },
  'PUT /v2.0/lbaas/loadbalancers/{loadbalancer_id}/failover': { success: 202, rule: 'admin' },
  // In this order everything there is to be deleted is still there.
  'DELETE /v2.0/lbaas/l7policies/{l7policy_id}/rules/{rule_id}': remove,
  'DELETE /v2.0/lbaas/l7policies/{l7policy_id}': remove,
  'DELETE /v2.0/lbaas/healthmonitors/{healthmonitor_id}': remove,
  'POST /v2.0/lbaas/healthmonitors': create('healthmonitor', ({ pool }) => ({
    pool_id: pool['id'],
    type: 'TCP',
    delay: 5,
    timeout: 5,
    max_retries: 3,
  })),
  'DELETE /v2.0/lbaas/pools/{pool_id}/members/{member_id}': remove,
  'DELETE /v2.0/lbaas/pools/{pool_id}': remove,
  'DELETE /v2.0/lbaas/listeners/{listener_id}': remove,
  'DELETE /v2.0/lbaas/loadbalancers/{loadbalancer_id}': { ...remove, query: '?cascade=true' },
};

/** The route with the ids of the site, and the query of its sample. */
export function pathOf(route: string, site: Site): string {
  const path = route.split(' ')[1]! + (samples[route]?.query ?? '');
  const ids: Record<string, string> = {
    loadbalancer_id: site.lb['id'],
    listener_id: site.listener['id'],
    pool_id: site.pool['id'],
    member_id: site.member['id'],
    healthmonitor_id: site.monitor['id'],
    l7policy_id: site.policy['id'],
    rule_id: site.rule['id'],
    project_id: projects.own,
    ...site.ids,
  };
  const as = samples[route]?.as ?? {};
  return path.replace(/\{(\w+)\}/g, (_all, name: string) => ids[as[name] ?? name] ?? '');
}

export const methodOf = (route: string): string => route.split(' ')[0]!;
