// Quotas are exact, however many ask at the same time.
import { describe, expect, it } from 'vitest';
import { memberAt } from '../support/octavia-api.ts';
import { projects } from '../support/personas.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

describe.each(tables)('on $name', ({ make }) => {
  const given = usePlane(make);
  const inUse = async (resource: string) => (await given.plane.inUse(projects.own))[resource];
  const met = (resource: string) => `Quota has been met for resources: ${resource}`;

  it('thirty load balancers at once against a quota of ten are ten', async () => {
    await given.plane.limit(projects.own, { loadbalancer: 10 });
    const asked = Array.from({ length: 30 }, () => given.api.post('loadbalancers', given.api.loadBalancer()));
    const answers = await Promise.all(asked);
    const accepted = answers.filter(({ status }) => status === 201);
    const refused = answers.filter(({ status }) => status !== 201);
    expect(accepted).toHaveLength(10);
    expect(new Set(refused.map(({ status, body }) => `${status} ${body.faultstring}`))).toEqual(
      new Set([`403 ${met('Load Balancer')}`]),
    );
    expect(await inUse('loadbalancer')).toBe(10);
    expect(await given.plane.services.network.listVips()).toHaveLength(10);
    await given.plane.settle();
  });

  it('thirty members at once against a quota of ten are ten', async () => {
    await given.plane.limit(projects.own, { member: 10 });
    const lb = await given.api.createLoadBalancer();
    const pool = await given.api.createPool({ loadbalancer_id: lb['id'] });
    const asked = Array.from({ length: 30 }, (_, number) =>
      given.api.post(`pools/${pool['id']}/members`, { member: memberAt(number) }),
    );
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([...Array(10).fill(201), ...Array(20).fill(403)]);
    expect(await given.api.membersOf(pool)).toHaveLength(10);
    expect(await inUse('member')).toBe(10);
    await given.plane.settle();
  });

  it('a quota that is met is told before a load balancer that is busy', async () => {
    await given.plane.limit(projects.own, { listener: 0, pool: 0, healthmonitor: 0 });
    const lb = await given.api.createLoadBalancer();
    await given.plane.settle();
    given.plane.queue.isHeld = true;
    await given.api.delete(`loadbalancers/${lb['id']}`);
    const listener = { loadbalancer_id: lb['id'], protocol: 'TCP', protocol_port: 1 };
    const answer = await given.api.post('listeners', { listener });
    expect([answer.status, answer.body.faultstring]).toEqual([403, met('Listener')]);
    const pool = { loadbalancer_id: lb['id'], protocol: 'TCP', lb_algorithm: 'ROUND_ROBIN' };
    const second = await given.api.post('pools', { pool });
    expect([second.status, second.body.faultstring]).toEqual([403, met('Pool')]);
  });

  it('what is given back can be taken again', async () => {
    await given.plane.limit(projects.own, { loadbalancer: 1 });
    const lb = await given.api.createLoadBalancer();
    await given.plane.settle();
    expect((await given.api.post('loadbalancers', given.api.loadBalancer())).status).toBe(403);
    await given.api.delete(`loadbalancers/${lb['id']}`);
    await given.plane.settle();
    expect((await given.api.post('loadbalancers', given.api.loadBalancer())).status).toBe(201);
    await given.plane.settle();
  });

  it('limits are shown in both spellings, with defaults where a project has none', async () => {
    await given.plane.limit(projects.own, { loadbalancer: 3, healthmonitor: 4 });
    expect(await given.api.show(`quotas/${projects.own}`)).toEqual({
      loadbalancer: 3,
      load_balancer: 3,
      listener: -1,
      member: -1,
      pool: -1,
      healthmonitor: 4,
      health_monitor: 4,
      l7policy: -1,
      l7rule: -1,
      project_id: projects.own,
      tenant_id: projects.own,
    });
    expect(await given.api.show(`quotas/${projects.own}/default`)).toMatchObject({ loadbalancer: -1 });
  });
});
