// conflict_policy=strict: the 409s of Octavia, by what is written and in which state the load balancer and its parent are.
import { describe, expect, it } from 'vitest';
import type { ProvisioningStatus } from '../../lambdas/domain/statuses.ts';
import { admin, InProcessApi } from '../support/in-process-api.ts';

type Shown = Record<string, any>;
interface Site {
  lb: Shown;
  listener: Shown;
  pool: Shown;
  bare: Shown;
  member: Shown;
  monitor: Shown;
  policy: Shown;
  rule: Shown;
}

async function siteOf(api: InProcessApi): Promise<Site> {
  const lb = await api.createLoadBalancer({}, { caller: { project_id: 'a'.repeat(32), roles: ['admin'] } });
  const next = async (make: Promise<Shown>) => {
    const made = await make;
    await api.settle(lb);
    return made;
  };
  await api.settle(lb);
  const listener = await next(api.createListener(lb));
  const pool = await next(api.createPool(lb));
  const bare = await next(api.createPool(lb));
  const member = await next(api.createMember(pool, '198.51.100.1'));
  const monitor = await next(api.createMonitor(pool));
  const policy = await next(api.createPolicy(listener));
  const rule = await next(api.createRule(policy));
  return { lb, listener, pool, bare, member, monitor, policy, rule };
}

type Write = [string, (site: Site) => [string, string, unknown?], number];

const ofLoadBalancer: Write[] = [
  ['its update', ({ lb }) => ['PUT', `loadbalancers/${lb['id']}`, { loadbalancer: { name: 'x' } }], 200],
];
const ofWhole: Write[] = [
  ['its deletion', ({ lb }) => ['DELETE', `loadbalancers/${lb['id']}?cascade=true`], 204],
  ['its failover', ({ lb }) => ['PUT', `loadbalancers/${lb['id']}/failover`], 202],
];
const ofChildren: Write[] = [
  [
    'a new listener',
    ({ lb }) => ['POST', 'listeners', { listener: { loadbalancer_id: lb['id'], protocol: 'TCP', protocol_port: 99 } }],
    201,
  ],
  [
    'a change of a listener',
    ({ listener }) => ['PUT', `listeners/${listener['id']}`, { listener: { name: 'x' } }],
    200,
  ],
  ['the deletion of a listener', ({ listener }) => ['DELETE', `listeners/${listener['id']}`], 204],
  [
    'a new pool',
    ({ lb }) => ['POST', 'pools', { pool: { loadbalancer_id: lb['id'], protocol: 'TCP', lb_algorithm: 'SOURCE_IP' } }],
    201,
  ],
  ['a change of a pool', ({ pool }) => ['PUT', `pools/${pool['id']}`, { pool: { name: 'x' } }], 200],
  ['the deletion of a pool', ({ pool }) => ['DELETE', `pools/${pool['id']}`], 204],
  [
    'a new policy',
    ({ listener }) => ['POST', 'l7policies', { l7policy: { listener_id: listener['id'], action: 'REJECT' } }],
    201,
  ],
  ['a change of a policy', ({ policy }) => ['PUT', `l7policies/${policy['id']}`, { l7policy: { name: 'x' } }], 200],
  ['the deletion of a policy', ({ policy }) => ['DELETE', `l7policies/${policy['id']}`], 204],
];
const address = { address: '198.51.100.9', protocol_port: 80 };
const ofPools: Write[] = [
  ['a new member', ({ pool }) => ['POST', `pools/${pool['id']}/members`, { member: address }], 201],
  [
    'a change of a member',
    ({ pool, member }) => ['PUT', `pools/${pool['id']}/members/${member['id']}`, { member: { weight: 9 } }],
    200,
  ],
  ['the deletion of a member', ({ pool, member }) => ['DELETE', `pools/${pool['id']}/members/${member['id']}`], 204],
  ['a batch of members', ({ pool }) => ['PUT', `pools/${pool['id']}/members`, { members: [address] }], 202],
  [
    'a change of a monitor',
    ({ monitor }) => ['PUT', `healthmonitors/${monitor['id']}`, { healthmonitor: { delay: 9 } }],
    200,
  ],
  ['the deletion of a monitor', ({ monitor }) => ['DELETE', `healthmonitors/${monitor['id']}`], 204],
];
const newMonitor: Write[] = [
  [
    'a new monitor',
    ({ bare }) => [
      'POST',
      'healthmonitors',
      { healthmonitor: { pool_id: bare['id'], type: 'TCP', delay: 5, timeout: 3, max_retries: 2 } },
    ],
    201,
  ],
];
const newRule = { type: 'PATH', compare_type: 'EQUAL_TO', value: '/x' };
const ofPolicies: Write[] = [
  ['a new rule', ({ policy }) => ['POST', `l7policies/${policy['id']}/rules`, { rule: newRule }], 201],
  [
    'a change of a rule',
    ({ policy, rule }) => ['PUT', `l7policies/${policy['id']}/rules/${rule['id']}`, { rule: { value: '/y' } }],
    200,
  ],
  ['the deletion of a rule', ({ policy, rule }) => ['DELETE', `l7policies/${policy['id']}/rules/${rule['id']}`], 204],
];

const pending: ProvisioningStatus[] = ['PENDING_CREATE', 'PENDING_UPDATE', 'PENDING_DELETE'];
const busy: ProvisioningStatus[] = [...pending, 'ERROR'];

const asked = (api: InProcessApi, site: Site, [, wish]: Write) => {
  const [method, path, body] = wish(site);
  return api.ask(method, path, body, { caller: { ...admin, project_id: 'a'.repeat(32) } });
};
const strict = () => new InProcessApi({ config: { conflict_policy: 'strict' } });
const invalidState = (status: string, { lb }: Site) => `Invalid state ${status} of loadbalancer resource ${lb['id']}`;
const immutable = (what: string, { id }: Shown) => `${what} ${id} is immutable and cannot be updated.`;

describe('a strict load balancer', () => {
  it.each([...ofLoadBalancer, ...ofWhole, ...ofChildren, ...ofPools, ...newMonitor, ...ofPolicies])(
    'that is ACTIVE takes %s',
    async (...write) => {
      const api = strict();
      const site = await siteOf(api);
      expect((await asked(api, site, write)).status).toBe(write[2]);
    },
  );

  it.each(ofLoadBalancer)('that is not ACTIVE refuses %s', async (...write) => {
    const api = strict();
    const site = await siteOf(api);
    for (const status of busy) {
      await api.settle(site.lb, status);
      const { status: code, body } = await asked(api, site, write);
      expect([status, code, body.faultstring]).toEqual([status, 409, invalidState(status, site)]);
    }
  });

  it.each(ofWhole)('that is PENDING refuses %s, and one in ERROR takes it', async (...write) => {
    const api = strict();
    const site = await siteOf(api);
    for (const status of pending) {
      await api.settle(site.lb, status);
      const { status: code, body } = await asked(api, site, write);
      expect([status, code, body.faultstring]).toEqual([status, 409, invalidState(status, site)]);
    }
    await api.settle(site.lb, 'ERROR');
    expect((await asked(api, site, write)).status).toBe(write[2]);
  });

  it.each([...ofChildren, ...ofPools, ...newMonitor, ...ofPolicies])(
    'that is not ACTIVE refuses %s',
    async (...write) => {
      const api = strict();
      const site = await siteOf(api);
      for (const status of busy) {
        await api.settle(site.lb, status);
        const { status: code, body } = await asked(api, site, write);
        expect([status, code, body.faultstring]).toEqual([status, 409, immutable('Load Balancer', site.lb)]);
      }
    },
  );

  it.each(ofPools)('refuses %s of a pool that is not ACTIVE, in the words of the pool', async (...write) => {
    const api = strict();
    const site = await siteOf(api);
    await api.setStatus(site.lb, 'POOL', site.pool, 'ERROR');
    const { status, body } = await asked(api, site, write);
    expect([status, body.faultstring]).toEqual([409, immutable('Pool', site.pool)]);
  });

  it.each(newMonitor)('refuses %s on a pool that is not ACTIVE', async (...write) => {
    const api = strict();
    const site = await siteOf(api);
    await api.setStatus(site.lb, 'POOL', site.bare, 'PENDING_UPDATE');
    const { status, body } = await asked(api, site, write);
    expect([status, body.faultstring]).toEqual([409, immutable('Pool', site.bare)]);
  });

  it.each(ofPolicies)('refuses %s of a policy that is not ACTIVE', async (...write) => {
    const api = strict();
    const site = await siteOf(api);
    await api.setStatus(site.lb, 'L7POLICY', site.policy, 'ERROR');
    const { status, body } = await asked(api, site, write);
    expect([status, body.faultstring]).toEqual([409, immutable('L7Policy', site.policy)]);
  });

  it('tells a met quota before it tells that it is busy', async () => {
    const api = strict();
    const site = await siteOf(api);
    await api.ask('PUT', `quotas/${'a'.repeat(32)}`, { quota: { listener: 1 } }, { caller: admin });
    await api.settle(site.lb, 'PENDING_UPDATE');
    expect((await asked(api, site, ofChildren[0]!)).body.faultstring).toBe(
      'Quota has been met for resources: Listener',
    );
  });
});

describe('by default', () => {
  it.each([...ofLoadBalancer, ...ofChildren, ...ofPools, ...newMonitor, ...ofPolicies])(
    'a load balancer that is busy or in ERROR takes %s',
    async (...write) => {
      for (const status of ['PENDING_CREATE', 'PENDING_UPDATE', 'ERROR'] as const) {
        const api = new InProcessApi();
        const site = await siteOf(api);
        await api.settle(site.lb, status);
        expect([status, (await asked(api, site, write)).status]).toEqual([status, write[2]]);
      }
    },
  );
});
