// The life of resources through the API, the worker and the flows, on either table.
import { describe, expect, it } from 'vitest';
import { memberAt, type OctaviaApi, type Shown } from '../support/octavia-api.ts';
import { projects } from '../support/personas.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

/** A load balancer with one of each below it, all ACTIVE. */
interface Site {
  lb: Shown;
  listener: Shown;
  pool: Shown;
  member: Shown;
  monitor: Shown;
}

describe.each(tables)('on $name', ({ make }) => {
  const given = usePlane(make);

  async function site(api: OctaviaApi = given.api): Promise<Site> {
    const lb = await api.createLoadBalancer();
    const listener = await api.createListener(lb, { protocol_port: 80 });
    const pool = await api.createPool({ listener_id: listener['id'] });
    const member = await api.createMember(pool, memberAt(1));
    const monitor = await api.createMonitor(pool);
    await given.plane.settle();
    return { lb, listener, pool, member, monitor };
  }

  /** provisioning_status of everything of a site, by name; `gone` for what is not there any more. */
  async function statusesOf({ lb, listener, pool, member, monitor }: Site): Promise<Record<string, string>> {
    const paths = {
      lb: `loadbalancers/${lb['id']}`,
      listener: `listeners/${listener['id']}`,
      pool: `pools/${pool['id']}`,
      member: `pools/${pool['id']}/members/${member['id']}`,
      monitor: `healthmonitors/${monitor['id']}`,
    };
    const seen = Object.entries(paths).map(async ([name, path]) => {
      const { status, body } = await given.api.get(path);
      return [name, status === 404 ? 'gone' : (Object.values(body)[0] as Shown)['provisioning_status']];
    });
    return Object.fromEntries(await Promise.all(seen));
  }

  const allActive = { lb: 'ACTIVE', listener: 'ACTIVE', pool: 'ACTIVE', member: 'ACTIVE', monitor: 'ACTIVE' };

  describe('a load balancer', () => {
    it('is PENDING_CREATE and OFFLINE when created, and ACTIVE after its flow', async () => {
      const lb = await given.api.createLoadBalancer({ name: 'web' });
      expect(lb).toMatchObject({ provisioning_status: 'PENDING_CREATE', operating_status: 'OFFLINE', name: 'web' });
      await given.plane.settle();
      const shown = await given.api.show(`loadbalancers/${lb['id']}`);
      expect(shown).toMatchObject({ provisioning_status: 'ACTIVE', updated_at: expect.any(String) });
    });

    it('vanishes when deleted, and its quota comes back', async () => {
      const lb = await given.api.createLoadBalancer();
      await given.plane.settle();
      given.plane.queue.isHeld = true;
      expect((await given.api.delete(`loadbalancers/${lb['id']}`)).status).toBe(204);
      expect(await given.api.show(`loadbalancers/${lb['id']}`)).toMatchObject({
        provisioning_status: 'PENDING_DELETE',
      });
      given.plane.queue.release();
      await given.plane.settle();
      expect((await given.api.get(`loadbalancers/${lb['id']}`)).status).toBe(404);
      expect(await given.plane.inUse(projects.own)).toEqual({});
      expect(await given.plane.services.network.listVips()).toEqual([]);
    });

    it('is not deleted while it has children, unless by cascade', async () => {
      const { lb } = await site();
      const refused = await given.api.delete(`loadbalancers/${lb['id']}`);
      expect(refused.status).toBe(400);
      expect(refused.body.faultstring).toBe(
        `Validation failure: Cannot delete Load Balancer ${lb['id']} - it has children`,
      );
      expect((await given.api.delete(`loadbalancers/${lb['id']}?cascade=true`)).status).toBe(204);
      await given.plane.settle();
      expect(await given.plane.inUse(projects.own)).toEqual({});
      for (const kind of ['loadbalancers', 'listeners', 'pools', 'healthmonitors'])
        expect((await given.api.get(kind)).body[kind]).toEqual([]);
    });

    it('ends DELETED when deleted while PENDING_CREATE', async () => {
      given.plane.queue.isHeld = true;
      const lb = await given.api.createLoadBalancer();
      expect((await given.api.delete(`loadbalancers/${lb['id']}`)).status).toBe(204);
      given.plane.queue.release();
      await given.plane.settle();
      expect((await given.api.get(`loadbalancers/${lb['id']}`)).status).toBe(404);
      expect(await given.plane.inUse(projects.own)).toEqual({});
      expect(await given.plane.services.compute.list()).toEqual([]);
    });

    it('ends DELETED when deleted while its amphora is built', async () => {
      const lb = await given.api.createLoadBalancer();
      given.plane.amphorae.beforePush = async () => {
        given.plane.amphorae.beforePush = undefined;
        expect((await given.api.delete(`loadbalancers/${lb['id']}`)).status).toBe(204);
      };
      await given.plane.settle();
      expect((await given.api.get(`loadbalancers/${lb['id']}`)).status).toBe(404);
      expect(await given.plane.services.compute.list()).toEqual([]);
      expect(await given.plane.inUse(projects.own)).toEqual({});
    });

    it('refuses every write while PENDING_DELETE with 409', async () => {
      const { lb, listener, pool, member } = await site();
      given.plane.queue.isHeld = true;
      await given.api.delete(`loadbalancers/${lb['id']}?cascade=true`);
      const immutable = `Load Balancer ${lb['id']} is immutable and cannot be updated.`;
      const busy = `Invalid state PENDING_DELETE of loadbalancer resource ${lb['id']}`;
      const faults = [
        [given.api.delete(`loadbalancers/${lb['id']}?cascade=true`), busy],
        [given.api.put(`listeners/${listener['id']}`, { listener: { name: 'x' } }), immutable],
        [given.api.delete(`pools/${pool['id']}`), immutable],
        [given.api.post(`pools/${pool['id']}/members`, { member: memberAt(9) }), immutable],
        [given.api.delete(`pools/${pool['id']}/members/${member['id']}`), immutable],
      ] as const;
      for (const [asked, fault] of faults) {
        const { status, body } = await asked;
        expect([status, body.faultstring]).toEqual([409, fault]);
      }
      given.plane.queue.release();
      await given.plane.settle();
    });

    it('is served by another amphora after a failover', async () => {
      const { lb, ...rest } = await site();
      const before = await given.plane.services.compute.list();
      given.plane.queue.isHeld = true;
      expect((await given.plane.as('admin').put(`loadbalancers/${lb['id']}/failover`)).status).toBe(202);
      expect((await given.api.show(`loadbalancers/${lb['id']}`))['provisioning_status']).toBe('PENDING_UPDATE');
      given.plane.queue.release();
      await given.plane.settle();
      const after = await given.plane.services.compute.list();
      expect(after).toHaveLength(1);
      expect(after[0]!.compute_id).not.toBe(before[0]!.compute_id);
      expect(await statusesOf({ lb, ...rest })).toEqual(allActive);
    });

    it('takes writes during a failover, and they are in force after it', async () => {
      const { lb, pool } = await site();
      given.plane.amphorae.beforePush = async () => {
        given.plane.amphorae.beforePush = undefined;
        await given.api.createMember(pool, { address: '203.0.113.77', protocol_port: 7777 });
      };
      await given.plane.as('admin').put(`loadbalancers/${lb['id']}/failover`);
      await given.plane.settle();
      expect(given.plane.amphorae.textOf(lb['id'])).toContain('203.0.113.77:7777');
      const members = await given.api.membersOf(pool);
      expect(members.map((one) => one['provisioning_status'])).toEqual(['ACTIVE', 'ACTIVE']);
    });
  });

  describe('a write to a child', () => {
    it.each([
      ['listener', (s: Site) => given.api.put(`listeners/${s.listener['id']}`, { listener: { name: 'x' } }), []],
      ['pool', (s: Site) => given.api.put(`pools/${s.pool['id']}`, { pool: { name: 'x' } }), ['listener']],
      [
        'member',
        (s: Site) => given.api.put(`pools/${s.pool['id']}/members/${s.member['id']}`, { member: { weight: 5 } }),
        ['listener', 'pool'],
      ],
      [
        'monitor',
        (s: Site) => given.api.put(`healthmonitors/${s.monitor['id']}`, { healthmonitor: { delay: 9 } }),
        ['listener', 'pool'],
      ],
    ] as const)('of a %s makes it and its parents PENDING_UPDATE, and then ACTIVE', async (name, write, parents) => {
      const own = await site();
      given.plane.queue.isHeld = true;
      expect((await write(own)).status).toBe(200);
      const pending = Object.fromEntries(['lb', name, ...parents].map((one) => [one, 'PENDING_UPDATE']));
      expect(await statusesOf(own)).toEqual({ ...allActive, ...pending });
      given.plane.queue.release();
      await given.plane.settle();
      expect(await statusesOf(own)).toEqual(allActive);
    });

    it.each([
      ['listener', (s: Site) => `listeners/${s.listener['id']}`, [], []],
      ['pool', (s: Site) => `pools/${s.pool['id']}`, ['listener'], ['member', 'monitor']],
      ['member', (s: Site) => `pools/${s.pool['id']}/members/${s.member['id']}`, ['listener', 'pool'], []],
      ['monitor', (s: Site) => `healthmonitors/${s.monitor['id']}`, ['listener', 'pool'], []],
    ] as const)('of a %s that deletes it ends with it gone', async (name, path, parents, below) => {
      const own = await site();
      given.plane.queue.isHeld = true;
      expect((await given.api.delete(path(own))).status).toBe(204);
      const pending = Object.fromEntries(['lb', ...parents].map((one) => [one, 'PENDING_UPDATE']));
      expect(await statusesOf(own)).toEqual({ ...allActive, ...pending, [name]: 'PENDING_DELETE' });
      given.plane.queue.release();
      await given.plane.settle();
      const gone = Object.fromEntries([name, ...below].map((one) => [one, 'gone']));
      expect(await statusesOf(own)).toEqual({ ...allActive, ...gone });
    });

    it('and its deletion give the quota back exactly', async () => {
      const { lb, listener, pool, member, monitor } = await site();
      const all = { loadbalancer: 1, listener: 1, pool: 1, member: 1, healthmonitor: 1 };
      expect(await given.plane.inUse(projects.own)).toEqual(all);
      await given.api.delete(`healthmonitors/${monitor['id']}`);
      await given.api.delete(`pools/${pool['id']}/members/${member['id']}`);
      await given.plane.settle();
      expect(await given.plane.inUse(projects.own)).toEqual({ loadbalancer: 1, listener: 1, pool: 1 });
      await given.api.delete(`pools/${pool['id']}`);
      await given.api.delete(`listeners/${listener['id']}`);
      await given.plane.settle();
      expect(await given.plane.inUse(projects.own)).toEqual({ loadbalancer: 1 });
      await given.api.delete(`loadbalancers/${lb['id']}`);
      await given.plane.settle();
      expect(await given.plane.inUse(projects.own)).toEqual({});
    });

    it('of a load balancer without a listener touches nobody else', async () => {
      const lb = await given.api.createLoadBalancer();
      const pool = await given.api.createPool({ loadbalancer_id: lb['id'] });
      await given.plane.settle();
      const shown = await given.api.show(`pools/${pool['id']}`);
      expect(shown).toMatchObject({ provisioning_status: 'ACTIVE', listeners: [], loadbalancers: [{ id: lb['id'] }] });
    });
  });

  describe('an address', () => {
    it('of a VIP belongs to one load balancer, whoever asks at the same time', async () => {
      const asked = Array.from({ length: 20 }, () =>
        given.api.post('loadbalancers', given.api.loadBalancer({ vip_address: '198.18.7.7' })),
      );
      const statuses = (await Promise.all(asked)).map(({ status }) => status);
      expect(statuses.toSorted()).toEqual([201, ...Array(19).fill(409)]);
      await given.plane.settle();
      expect(await given.plane.inUse(projects.own)).toEqual({ loadbalancer: 1 });
    });

    it('and port belong to one member of a pool, whoever asks at the same time', async () => {
      const { pool } = await site();
      const asked = Array.from({ length: 20 }, () =>
        given.api.post(`pools/${pool['id']}/members`, { member: memberAt(50) }),
      );
      const answers = await Promise.all(asked);
      expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array(19).fill(409)]);
      expect(answers.find(({ status }) => status === 409)!.body.faultstring).toBe(
        'Another member on this pool is already using ip 198.51.100.51 on protocol_port 8080',
      );
      expect((await given.plane.inUse(projects.own))['member']).toBe(2);
      await given.plane.settle();
    });

    it('is free again the moment its member is deleted', async () => {
      const { pool, member } = await site();
      await given.api.delete(`pools/${pool['id']}/members/${member['id']}`);
      const again = await given.api.createMember(pool, memberAt(1));
      await given.plane.settle();
      const members = await given.api.membersOf(pool);
      expect(members.map(({ id, provisioning_status }) => [id, provisioning_status])).toEqual([
        [again['id'], 'ACTIVE'],
      ]);
      const twin = await given.api.post(`pools/${pool['id']}/members`, { member: memberAt(1) });
      expect(twin.status).toBe(409);
      expect((await given.plane.inUse(projects.own))['member']).toBe(1);
    });
  });

  it('a port belongs to one listener of a load balancer, whoever asks at the same time', async () => {
    const { lb } = await site();
    const listener = { loadbalancer_id: lb['id'], protocol: 'TCP', protocol_port: 443 };
    const asked = Array.from({ length: 20 }, () => given.api.post('listeners', { listener }));
    const answers = await Promise.all(asked);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array(19).fill(409)]);
    expect(answers.find(({ status }) => status === 409)!.body.faultstring).toBe(
      'Another Listener on this Load Balancer is already using protocol TCP and protocol_port 443',
    );
    await given.plane.settle();
  });

  it('a pool takes one health monitor and a listener one default pool', async () => {
    const { listener, pool } = await site();
    const monitor = { pool_id: pool['id'], type: 'TCP', delay: 1, timeout: 1, max_retries: 1 };
    const second = await given.api.post('healthmonitors', { healthmonitor: monitor });
    expect([second.status, second.body.faultstring]).toEqual([409, 'This pool already has a health monitor']);
    const another = { listener_id: listener['id'], protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' };
    const refused = await given.api.post('pools', { pool: another });
    expect([refused.status, refused.body.faultstring]).toEqual([409, 'This listener already has a default pool']);
  });

  it('writes are accepted while the load balancer is PENDING_CREATE, and all are in force in the end', async () => {
    given.plane.queue.isHeld = true;
    const lb = await given.api.createLoadBalancer();
    const listener = await given.api.createListener(lb, { protocol_port: 8081 });
    const pool = await given.api.createPool({ listener_id: listener['id'] });
    await given.api.createMember(pool, memberAt(3));
    await given.api.expect(200, given.api.put(`loadbalancers/${lb['id']}`, { loadbalancer: { name: 'late' } }));
    expect((await given.api.show(`loadbalancers/${lb['id']}`))['provisioning_status']).toBe('PENDING_CREATE');
    given.plane.queue.release();
    await given.plane.settle();
    const shown = await given.api.show(`loadbalancers/${lb['id']}`);
    expect(shown).toMatchObject({ provisioning_status: 'ACTIVE', name: 'late' });
    expect(given.plane.amphorae.textOf(lb['id'])).toContain('198.51.100.4:8080');
  });
});
