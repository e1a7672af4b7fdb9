// Load balancers created with everything below them: policies and rules, pools named and described, and the shape of the answer.
import { beforeEach, describe, expect, it } from 'vitest';
import { applyConfiguration } from '../../lambdas/controller/apply-configuration.ts';
import { inUse, quotaResources } from '../../lambdas/domain/quota.ts';
import { commitApplied } from '../../lambdas/repositories/commits.ts';
import { quotaKey } from '../../lambdas/repositories/keys.ts';
import { readTree } from '../../lambdas/repositories/trees.ts';
import { type Attributes, DirectApi, failure, fault, nowhere, project, type Shown } from '../support/direct-api.ts';
import { containerRef, keepCertificate, makeUserAuthority } from '../support/user-certificates.ts';

let api: DirectApi;
beforeEach(async () => {
  api = await DirectApi.start();
});

const post = (loadbalancer: Attributes) =>
  api.post('loadbalancers', { loadbalancer: { vip_subnet_id: api.subnet('four'), ...loadbalancer } });
const create = (loadbalancer: Attributes) => api.done(post(loadbalancer));
const pool = (name: string, more: Attributes = {}) => ({
  name,
  protocol: 'HTTP',
  lb_algorithm: 'ROUND_ROBIN',
  ...more,
});
const http = (more: Attributes = {}) => ({ protocol: 'HTTP', protocol_port: 80, ...more });
const rule = (more: Attributes = {}) => ({ type: 'PATH', compare_type: 'STARTS_WITH', value: '/a', ...more });
const member = (number: number) => ({ address: `192.0.2.${number}`, protocol_port: 8080 });
const healthmonitor = { type: 'HTTP', delay: 5, timeout: 3, max_retries: 2 };

const used = async () => {
  const row: Attributes = (await api.services.table.get(quotaKey(project))) ?? {};
  const names = Object.keys(quotaResources) as (keyof typeof quotaResources)[];
  return Object.fromEntries(names.map((name) => [name, row[inUse(name)] ?? 0]));
};
/** Neither rows nor addresses nor quota. */
async function nothingLeft() {
  expect((await api.get('loadbalancers')).body.loadbalancers).toEqual([]);
  expect(await api.network.listVips()).toEqual([]);
  expect(Object.values(await used()).filter((count) => count !== 0)).toEqual([]);
}

describe('the whole', () => {
  const everything = () => ({
    listeners: [
      http({
        default_pool: { name: 'web' },
        l7policies: [
          {
            action: 'REDIRECT_TO_POOL',
            name: 'to api',
            redirect_pool: pool('api'),
            rules: [rule(), rule({ value: '/b' })],
          },
          { action: 'REJECT', name: 'first', position: 1, rules: [rule({ value: '/secret' })] },
          { action: 'REDIRECT_TO_URL', name: 'away', redirect_url: 'https://example.com', rules: [] },
        ],
      }),
      http({ protocol_port: 81, default_pool: pool('inline', { members: [member(9)] }) }),
      {
        protocol: 'UDP',
        protocol_port: 80,
        allowed_cidrs: ['192.0.2.0/24'],
        default_pool: pool('dns', { protocol: 'UDP' }),
      },
    ],
    pools: [pool('web', { members: [member(1), member(2)], healthmonitor }), pool('unused')],
  });

  it('is shown in full, with positions and references settled', async () => {
    const lb = await create(everything());
    const [first, second, third] = lb['listeners'] as Shown[];
    const byName = new Map((lb['pools'] as Shown[]).map((one) => [one['name'], one]));
    expect([...byName.keys()]).toEqual(['web', 'unused', 'api', 'inline', 'dns']);
    const policies = first!['l7policies'] as Shown[];
    expect(policies.map((one) => [one['name'], one['position'], one['action']])).toEqual([
      ['first', 1, 'REJECT'],
      ['to api', 2, 'REDIRECT_TO_POOL'],
      ['away', 3, 'REDIRECT_TO_URL'],
    ]);
    expect(policies[1]).toMatchObject({ redirect_pool_id: byName.get('api')!['id'], listener_id: first!['id'] });
    expect((policies[1]!['rules'] as Shown[]).map((one) => one['value'])).toEqual(['/a', '/b']);
    expect(policies[1]!['rules'][0]).toMatchObject({
      type: 'PATH',
      provisioning_status: 'PENDING_CREATE',
      invert: false,
    });
    expect(first!['default_pool_id']).toBe(byName.get('web')!['id']);
    expect(second!['default_pool_id']).toBe(byName.get('inline')!['id']);
    expect(third!['default_pool_id']).toBe(byName.get('dns')!['id']);
    expect(byName.get('api')!['listeners']).toEqual([{ id: first!['id'] }]);
    expect(byName.get('unused')!['listeners']).toEqual([]);
  });

  it('leaves out what is said by the nesting', async () => {
    const lb = await create(everything());
    for (const listener of lb['listeners'] as Shown[]) expect(listener).not.toHaveProperty('loadbalancers');
    for (const one of lb['pools'] as Shown[]) {
      expect(one).not.toHaveProperty('loadbalancers');
      expect(one).not.toHaveProperty('healthmonitor_id');
    }
    const [web, unused] = lb['pools'] as Shown[];
    expect(web!['healthmonitor']).toMatchObject({ type: 'HTTP', url_path: '/' });
    expect(web!['healthmonitor']).not.toHaveProperty('pools');
    expect(unused).not.toHaveProperty('healthmonitor');
    expect((web!['members'] as Shown[]).map((one) => [one['address'], one['operating_status']])).toEqual([
      ['192.0.2.1', 'NO_MONITOR'],
      ['192.0.2.2', 'NO_MONITOR'],
    ]);
    const shown = await api.done(api.get(`loadbalancers/${lb['id']}`));
    expect(shown['listeners']).toEqual((lb['listeners'] as Shown[]).map(({ id }) => ({ id })));
    expect(shown['pools']).toEqual((lb['pools'] as Shown[]).map(({ id }) => ({ id })));
  });

  it('is there piece by piece as if it had been made piece by piece', async () => {
    const lb = await create(everything());
    const [first] = lb['listeners'] as Shown[];
    const ids = (first!['l7policies'] as Shown[]).map(({ id }) => ({ id }));
    expect((await api.done(api.get(`listeners/${first!['id']}`)))['l7policies']).toEqual(ids);
    const rules = await api.get(`l7policies/${ids[1]!.id}/rules`);
    expect(rules.body.rules).toHaveLength(2);
    const policy = await api.done(api.get(`l7policies/${ids[1]!.id}`));
    expect(rules.body.rules.map(({ id }: Shown) => ({ id }))).toEqual(expect.arrayContaining(policy['rules']));
    const [web] = lb['pools'] as Shown[];
    const again = { pool: { protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', listener_id: first!['id'] } };
    expect(await api.post('pools', again)).toMatchObject(fault(409, 'This listener already has a default pool'));
    const twin = fault(409, 'Another member on this pool is already using ip 192.0.2.1 on protocol_port 8080');
    expect(await api.post(`pools/${web!['id']}/members`, { member: member(1) })).toMatchObject(twin);
    const listener = { loadbalancer_id: lb['id'], protocol: 'TCP', protocol_port: 80 };
    const taken = fault(
      409,
      'Another Listener on this Load Balancer is already using protocol HTTP and protocol_port 80',
    );
    expect(await api.post('listeners', { listener })).toMatchObject(taken);
    expect(await used()).toMatchObject({ listener: 3, pool: 5, member: 3, healthmonitor: 1, l7policy: 3, l7rule: 3 });
  });

  it('comes into force but for what amphorae do not serve, which ends in ERROR with the reason', async () => {
    const lb = await create(everything());
    const applied = await applyConfiguration(api.services, lb['id'], async () => [{ id: nowhere, lb_network_ip: '' }]);
    const operation_id = applied!.tree.loadBalancer.operation!.id;
    await commitApplied(api.services, applied!.tree, applied!, { operation_id, operation_timeout_ms: 1_000 });
    const tree = await readTree(api.services.table, lb['id']);
    expect(tree!.loadBalancer.provisioning_status).toBe('ACTIVE');
    const states = new Map(tree!.listeners.map((row) => [row.protocol_port + row.protocol, row]));
    expect(states.get('80UDP')).toMatchObject({ provisioning_status: 'ERROR', reason: expect.stringContaining('UDP') });
    for (const name of ['80HTTP', '81HTTP']) expect(states.get(name)!.provisioning_status).toBe('ACTIVE');
    const others = [...tree!.pools, ...tree!.l7Policies, ...tree!.l7Rules, ...tree!.members, ...tree!.healthMonitors];
    expect(new Set(others.map((row) => row.provisioning_status))).toEqual(new Set(['ACTIVE']));
  });
});

describe('what cannot be is refused and leaves nothing behind', () => {
  const named = 'Pools must be named when creating a fully populated loadbalancer.';
  const policy = (more: Attributes) => ({ listeners: [http({ l7policies: [{ action: 'REJECT', ...more }] })] });
  const childless = fault(400, 'Protocol PROMETHEUS listeners cannot have child objects.');
  const prometheus = { protocol: 'PROMETHEUS', protocol_port: 80 };
  const unsupported = (text: string) => fault(501, `Provider 'amphora' does not support a requested option: ${text}`);

  it.each<[string, () => Attributes, ReturnType<typeof fault>]>([
    ['a default pool without a name', () => ({ listeners: [http({ default_pool: pool('') })] }), failure(named)],
    ['a redirect pool without a name', () => policy({ redirect_pool: { protocol: 'HTTP' } }), failure(named)],
    [
      'two pools of one name',
      () => ({ pools: [pool('a')], listeners: [http({ default_pool: pool('a') })] }),
      failure('Pool names must be unique when creating a fully populated loadbalancer.'),
    ],
    [
      'a redirect pool nobody describes',
      () => policy({ redirect_pool: { name: 'lost' } }),
      failure("Pool 'lost' was referenced but no full definition was found."),
    ],
    [
      'a default pool that says no more than its defaults',
      () => ({ listeners: [http({ default_pool: { name: 'lost', admin_state_up: true, tls_enabled: false } })] }),
      failure("Pool 'lost' was referenced but no full definition was found."),
    ],
    [
      'a pool without protocol',
      () => ({ pools: [{ name: 'p', lb_algorithm: 'ROUND_ROBIN' }] }),
      failure("Pool definition for 'p' missing required attribute: protocol"),
    ],
    [
      'a pool without algorithm',
      () => policy({ redirect_pool: { name: 'p', protocol: 'HTTP' } }),
      failure("Pool definition for 'p' missing required attribute: lb_algorithm"),
    ],
    [
      'a redirect to a pool of another protocol',
      () => policy({ redirect_pool: pool('p', { protocol: 'TCP' }) }),
      failure("The pool protocol 'TCP' is invalid while the listener protocol is 'HTTP'."),
    ],
    [
      'a default pool by an id',
      () => ({ listeners: [http({ default_pool_id: nowhere })] }),
      fault(404, `Pool ${nowhere} not found.`),
    ],
    ['a redirect pool by an id', () => policy({ redirect_pool_id: nowhere }), fault(404, `Pool ${nowhere} not found.`)],
    [
      'a redirect to a pool and away',
      () => policy({ redirect_pool: pool('p'), redirect_url: 'http://example.com' }),
      fault(
        400,
        'Invalid L7 Policy arguments: Cannot specify redirect_pool_id and redirect_url or redirect_prefix at the same time',
      ),
    ],
    [
      'a policy without action',
      () => ({ listeners: [http({ l7policies: [{}] })] }),
      fault(400, "Invalid input for field/attribute action. Value: 'None'. Mandatory field missing."),
    ],
    [
      'a policy with an unknown attribute',
      () => policy({ colour: 1 }),
      fault(400, 'Unknown attribute for argument l7policy_.l7policy: colour'),
    ],
    [
      'a rule without a key',
      () => policy({ rules: [rule({ type: 'HEADER' })] }),
      fault(400, 'Error parsing L7Rule: Must specify a key for rule type HEADER'),
    ],
    [
      'policies of a TCP listener',
      () => ({ listeners: [{ protocol: 'TCP', protocol_port: 1, l7policies: [{ action: 'REJECT' }] }] }),
      unsupported('TCP protocol listeners do not support L7 policies'),
    ],
    ['a pool of a PROMETHEUS listener', () => ({ listeners: [{ ...prometheus, default_pool: pool('p') }] }), childless],
    [
      'policies of a PROMETHEUS listener',
      () => ({ listeners: [{ ...prometheus, l7policies: [{ action: 'REJECT' }] }] }),
      childless,
    ],
    [
      'two listeners of one port and class',
      () => ({ listeners: [http(), { protocol: 'TCP', protocol_port: 80 }] }),
      fault(409, 'Another Listener on this Load Balancer is already using protocol HTTP and protocol_port 80'),
    ],
    [
      'a monitor that does not fit',
      () => ({ pools: [pool('p', { healthmonitor: { ...healthmonitor, type: 'SCTP' } })] }),
      failure('The SCTP type is only supported for pools of type UDP/SCTP.'),
    ],
    [
      'persistence that does not fit',
      () => ({ pools: [pool('p', { session_persistence: { type: 'APP_COOKIE' } })] }),
      failure('Field "cookie_name" must be specified when using the "APP_COOKIE" session persistence type.'),
    ],
    [
      'an algorithm amphorae do not have',
      () => ({ pools: [pool('p', { lb_algorithm: 'SOURCE_IP_PORT' })] }),
      unsupported('Amphora provider does not support SOURCE_IP_PORT algorithm.'),
    ],
    [
      'headers that do not fit',
      () => ({ listeners: [http({ insert_headers: { 'X-Odd': 'true' } })] }),
      fault(400, "['X-Odd'] is not a valid option for insert_headers"),
    ],
    [
      'a certificate that cannot be read',
      () => ({ listeners: [{ protocol: 'TERMINATED_HTTPS', protocol_port: 443, default_tls_container_ref: 'x' }] }),
      fault(400, "Could not retrieve certificate: ['x']"),
    ],
    [
      'a pool’s certificate that cannot be read',
      () => ({ pools: [pool('p', { tls_container_ref: 'y' })] }),
      fault(400, "Could not retrieve certificate: ['y']"),
    ],
    [
      'CIDRs of a family no VIP has',
      () => ({ listeners: [http({ allowed_cidrs: ['2001:db8::/32'] })] }),
      failure("CIDR 2001:db8::/32 IP version incompatible with all VIPs ['198.18.0.1'] IP version."),
    ],
    [
      'UDP members of a family no VIP has',
      () => ({ pools: [pool('p', { protocol: 'UDP', members: [{ address: '2001:db8::1', protocol_port: 1 }] })] }),
      unsupported(
        "This provider doesn't support mixing IPv4 and IPv6 addresses for its VIP and members in UDP load balancers.",
      ),
    ],
    [
      'a member with an SR-IOV port',
      () => ({ pools: [pool('p', { members: [{ ...member(1), request_sriov: true }] })] }),
      fault(400, 'The load balancer flavor does not allow SR-IOV member ports.'),
    ],
  ])('%s', async (_what, attributes, refused) => {
    expect(await post(attributes())).toMatchObject(refused);
    await nothingLeft();
  });

  it('more than fifty rules of one policy', async () => {
    const rules = Array.from({ length: 51 }, (_, number) => rule({ value: `/${number}` }));
    const answer = await post(policy({ rules }));
    expect([answer.status, answer.body.faultstring]).toEqual([
      409,
      expect.stringMatching(/^Too many rules on L7 policy /),
    ]);
    await nothingLeft();
    expect((await post(policy({ rules: rules.slice(1) }))).status).toBe(201);
  });
});

describe('quotas', () => {
  const limit = (limits: Attributes) =>
    api.services.table.transact([{ kind: 'update', key: quotaKey(project), set: limits }]);
  const two = () => ({
    listeners: [
      http({ default_pool: pool('a'), l7policies: [{ action: 'REJECT', rules: [rule()] }] }),
      http({ protocol_port: 81 }),
    ],
    pools: [pool('b', { members: [member(1), member(2)], healthmonitor })],
  });

  it.each([
    ['listener', 'Listener'],
    ['pool', 'Pool'],
    ['member', 'Member'],
  ])('of %s are held against how many there would be', async (name, noun) => {
    await limit({ [name]: 1 });
    expect(await post(two())).toMatchObject(fault(403, `Quota has been met for resources: ${noun}`));
    await nothingLeft();
    await limit({ [name]: 2 });
    expect((await post(two())).status).toBe(201);
  });

  it('of health monitors and load balancers too', async () => {
    await limit({ healthmonitor: 0 });
    expect((await post(two())).status).toBe(403);
    await limit({ healthmonitor: 1, loadbalancer: 0 });
    expect((await post(two())).status).toBe(403);
  });

  it('of policies and rules are not held against them, but they count', async () => {
    await limit({ l7policy: 0, l7rule: 0 });
    expect((await post(two())).status).toBe(201);
    expect(await used()).toMatchObject({ l7policy: 1, l7rule: 1 });
  });
});

it('certificates of listeners are read in the project of the load balancer', async () => {
  await keepCertificate(api.services.certificates, 1, project, await makeUserAuthority('one'));
  const listener = { protocol: 'TERMINATED_HTTPS', protocol_port: 443, sni_container_refs: [containerRef(1)] };
  const lb = await create({ listeners: [listener] });
  expect(lb['listeners'][0]).toMatchObject({ ...listener, tls_versions: ['TLSv1.2', 'TLSv1.3'] });
});
