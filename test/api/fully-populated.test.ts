// Load balancers created with everything below them in one call.
import { describe, expect, it } from 'vitest';
import { type Attributes, memberAt, type Shown } from '../support/octavia-api.ts';
import { projects } from '../support/personas.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

const pool = (name: string, more: Attributes = {}) => ({
  name,
  protocol: 'HTTP',
  lb_algorithm: 'ROUND_ROBIN',
  ...more,
});
const listener = (protocol_port: number, more: Attributes = {}) => ({ protocol: 'HTTP', protocol_port, ...more });
const healthmonitor = { type: 'HTTP', delay: 5, timeout: 3, max_retries: 2 };
const someMembers = (count: number) => Array.from({ length: count }, (_, number) => memberAt(number));

describe.each(tables)('on $name', ({ make }) => {
  const given = usePlane(make);
  const create = (attributes: Attributes) => given.api.post('loadbalancers', given.api.loadBalancer(attributes));

  it('a load balancer of more than a hundred rows is there whole, and counted', async () => {
    const members = someMembers(60);
    const lb = await given.api.createLoadBalancer({
      name: 'large',
      listeners: [
        listener(80, { default_pool: { name: 'one' } }),
        listener(81, { default_pool: pool('two', { members }) }),
      ],
      pools: [pool('one', { members, healthmonitor })],
    });
    const [first, second] = lb['listeners'] as Shown[];
    expect(lb['pools'].map((one: Shown) => [one['name'], one['members'].length])).toEqual([
      ['one', 60],
      ['two', 60],
    ]);
    expect(first!['default_pool']).toMatchObject({ name: 'one', healthmonitor: { type: 'HTTP', url_path: '/' } });
    expect(second!['default_pool_id']).toBe(lb['pools'][1].id);
    for (const shape of [first!, lb['pools'][0]]) expect(shape).not.toHaveProperty('loadbalancers');
    expect(lb['pools'][0]).not.toHaveProperty('healthmonitor_id');
    expect(lb['pools'][0].members[0]).toMatchObject({
      address: '198.51.100.1',
      protocol_port: 8080,
      provisioning_status: 'PENDING_CREATE',
    });

    await given.plane.settle();
    const shown = await given.api.show(`loadbalancers/${lb['id']}`);
    expect(shown).toMatchObject({
      provisioning_status: 'ACTIVE',
      listeners: [{ id: first!['id'] }, { id: second!['id'] }],
    });
    for (const one of lb['pools'] as Shown[]) {
      const there = await given.api.membersOf(one);
      expect(there.map((each) => each['provisioning_status'])).toEqual(Array(60).fill('ACTIVE'));
    }
    const all = { loadbalancer: 1, listener: 2, pool: 2, member: 120, healthmonitor: 1 };
    expect(await given.plane.inUse(projects.own)).toEqual(all);
    expect((await given.api.delete(`loadbalancers/${lb['id']}?cascade=true`)).status).toBe(204);
    await given.plane.settle();
    expect(await given.plane.inUse(projects.own)).toEqual({});
  });

  it('two listeners may name one pool', async () => {
    const lb = await given.api.createLoadBalancer({
      listeners: [80, 81].map((port) => listener(port, { default_pool: { name: 'shared' } })),
      pools: [pool('shared', { members: someMembers(1) })],
    });
    expect(lb['pools'][0].listeners).toEqual((lb['listeners'] as Shown[]).map(({ id }) => ({ id })));
    await given.plane.settle();
    const tree = (await given.api.show(`loadbalancers/${lb['id']}/status`))['loadbalancer'];
    const pools = tree.listeners.map((one: Shown) => one['pools'].map((each: Shown) => each['name']));
    expect(pools).toEqual([['shared'], ['shared']]);
  });

  const long = 'x'.repeat(256);
  it.each<[string, Attributes, number, string]>([
    [
      'a pool that is named and nowhere described',
      { listeners: [listener(80, { default_pool: { name: 'lost' } })] },
      400,
      "Validation failure: Pool 'lost' was referenced but no full definition was found.",
    ],
    [
      'two pools of one name',
      { pools: [pool('twin'), pool('twin')] },
      400,
      'Validation failure: Pool names must be unique when creating a fully populated loadbalancer.',
    ],
    [
      'a pool without a name',
      { pools: [{ protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' }] },
      400,
      'Validation failure: Pools must be named when creating a fully populated loadbalancer.',
    ],
    [
      'a pool without protocol',
      { pools: [{ name: 'p', lb_algorithm: 'ROUND_ROBIN' }] },
      400,
      "Validation failure: Pool definition for 'p' missing required attribute: protocol",
    ],
    [
      'a pool without algorithm',
      { pools: [{ name: 'p', protocol: 'HTTP' }] },
      400,
      "Validation failure: Pool definition for 'p' missing required attribute: lb_algorithm",
    ],
    [
      'two listeners of one port',
      { listeners: [listener(80), listener(80)] },
      409,
      'Another Listener on this Load Balancer is already using protocol HTTP and protocol_port 80',
    ],
    [
      'one member twice',
      { pools: [pool('p', { members: [memberAt(1), memberAt(1)] })] },
      409,
      'Another member on this pool is already using ip 198.51.100.2 on protocol_port 8080',
    ],
    [
      'a pool that does not fit its listener',
      { listeners: [listener(80, { default_pool: pool('p', { protocol: 'TCP' }) })] },
      400,
      "Validation failure: The pool protocol 'TCP' is invalid while the listener protocol is 'HTTP'.",
    ],
    [
      'a listener with an attribute nobody knows',
      { listeners: [listener(80, { colour: 'red' })] },
      400,
      'Unknown attribute for argument listener_.listener: colour',
    ],
    [
      'a member with a name too long',
      { pools: [pool('p', { members: [memberAt(1, { name: long })] })] },
      400,
      `Invalid input for field/attribute name. Value: '${long.slice(0, 255)}'. Value should have a maximum character requirement of 255`,
    ],
    [
      "a listener with another load balancer's pool",
      { listeners: [listener(80, { default_pool_id: '11111111-2222-4333-8444-555555555555' })] },
      404,
      'Pool 11111111-2222-4333-8444-555555555555 not found.',
    ],
  ])('%s is refused and leaves nothing behind', async (_what, attributes, status, faultstring) => {
    const answer = await create(attributes);
    expect([answer.status, answer.body.faultstring]).toEqual([status, faultstring]);
    expect((await given.api.get('loadbalancers')).body.loadbalancers).toEqual([]);
    expect(await given.plane.inUse(projects.own)).toEqual({});
    expect(await given.plane.services.network.listVips()).toEqual([]);
  });

  it.each([
    ['pools', { pools: [{ name: { toString: 1 } }] }],
    ['default_pool', { listeners: [listener(80, { default_pool: { name: { toString: 1 } } })] }],
    ['default_pool', { listeners: [listener(80, { default_pool: 5 })] }],
    ['members', { pools: [pool('p', { members: [null] })] }],
    ['healthmonitor', { pools: [pool('p', { healthmonitor: [] })] }],
  ])('%s of the wrong kind are refused with 400', async (_what, attributes) => {
    const answer = await create(attributes);
    expect([answer.status, answer.body.faultcode]).toEqual([400, 'Client']);
  });

  it('a quota that is met by any of the children refuses the whole', async () => {
    await given.plane.limit(projects.own, { member: 10, healthmonitor: 0 });
    const refused = await create({ pools: [pool('p', { members: someMembers(11), healthmonitor })] });
    expect(refused.status).toBe(403);
    expect(refused.body.faultstring).toMatch(/^Quota has been met for resources: .*Member/);
    expect(await given.plane.inUse(projects.own)).toEqual({});
    expect((await create({ pools: [pool('p', { members: someMembers(10) })] })).status).toBe(201);
    await given.plane.settle();
  });
});
