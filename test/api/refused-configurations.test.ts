// What happens when an amphora refuses a configuration: the resource that brought it is in ERROR, everything else is in force.
import { describe, expect, it } from 'vitest';
import { memberAt, type Shown } from '../support/octavia-api.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

describe.each(tables)('on $name', ({ make }) => {
  const given = usePlane(make);

  const statusOf = async (path: string): Promise<string> => (await given.api.show(path))['provisioning_status'];
  const text = (lb: Shown) => given.plane.amphorae.textOf(lb['id']);

  async function site() {
    const lb = await given.api.createLoadBalancer();
    const listener = await given.api.createListener(lb, { protocol_port: 80, timeout_client_data: 11_111 });
    const pool = await given.api.createPool({ listener_id: listener['id'] });
    const member = await given.api.createMember(pool, memberAt(1));
    await given.plane.settle();
    return { lb, listener, pool, member };
  }

  it('a new member whose line is named is in ERROR and left out; the rest of the write is in force', async () => {
    const { lb, listener, pool } = await site();
    given.plane.amphorae.faulty = ':6666';
    const bad = await given.api.createMember(pool, { ...memberAt(2), protocol_port: 6666 });
    const good = await given.api.createMember(pool, memberAt(3));
    await given.plane.settle();
    expect(await statusOf(`pools/${pool['id']}/members/${bad['id']}`)).toBe('ERROR');
    for (const path of [
      `loadbalancers/${lb['id']}`,
      `listeners/${listener['id']}`,
      `pools/${pool['id']}`,
      `pools/${pool['id']}/members/${good['id']}`,
    ])
      expect(await statusOf(path)).toBe('ACTIVE');
    expect(text(lb)).toContain('198.51.100.4:8080');
    expect(text(lb)).not.toContain(':6666');
  });

  it('a new listener of a load balancer that is being created is in ERROR, the load balancer ACTIVE', async () => {
    given.plane.amphorae.faulty = ':6666';
    const listeners = [80, 6666].map((protocol_port) => ({ protocol: 'HTTP', protocol_port }));
    const lb = await given.api.createLoadBalancer({ listeners });
    await given.plane.settle();
    expect(await statusOf(`loadbalancers/${lb['id']}`)).toBe('ACTIVE');
    const shown = (await given.api.get('listeners?sort=protocol_port')).body.listeners as Shown[];
    expect(shown.map((one) => one['provisioning_status'])).toEqual(['ACTIVE', 'ERROR']);
  });

  it('a listener whose update is refused keeps its last good attributes, until an update of its own heals it', async () => {
    const { lb, listener, pool } = await site();
    const path = `listeners/${listener['id']}`;
    given.plane.amphorae.faulty = 'timeout client 66666';
    await given.api.put(path, { listener: { timeout_client_data: 66_666 } });
    await given.plane.settle();
    expect(await given.api.show(path)).toMatchObject({ provisioning_status: 'ERROR', timeout_client_data: 66_666 });
    expect(text(lb)).toContain('timeout client 11111');
    expect(await statusOf(`loadbalancers/${lb['id']}`)).toBe('ACTIVE');

    await given.api.createMember(pool, memberAt(4));
    await given.plane.settle();
    expect(await statusOf(path)).toBe('ERROR');
    expect(text(lb)).toContain('timeout client 11111');
    expect(text(lb)).toContain('198.51.100.5:8080');

    await given.api.put(path, { listener: { timeout_client_data: 22_222 } });
    await given.plane.settle();
    expect(await statusOf(path)).toBe('ACTIVE');
    expect(text(lb)).toContain('timeout client 22222');
  });

  it('a listener that a write beside it had touched keeps its last good attributes as well', async () => {
    const { lb, listener, pool } = await site();
    given.plane.amphorae.faulty = 'timeout client 66666';
    given.plane.queue.isHeld = true;
    await given.api.createMember(pool, memberAt(4));
    await given.api.put(`listeners/${listener['id']}`, { listener: { timeout_client_data: 66_666 } });
    given.plane.queue.release();
    await given.plane.settle();
    expect(await statusOf(`listeners/${listener['id']}`)).toBe('ERROR');
    expect(await statusOf(`loadbalancers/${lb['id']}`)).toBe('ACTIVE');
    expect(text(lb)).toContain('timeout client 11111');
    expect(text(lb)).toContain('198.51.100.5:8080');
  });

  it('of two updates in one go, both are as they were when the second is refused', async () => {
    const { lb, listener } = await site();
    given.plane.amphorae.faulty = 'timeout client 66666';
    given.plane.queue.isHeld = true;
    await given.api.put(`listeners/${listener['id']}`, { listener: { connection_limit: 7 } });
    await given.api.put(`listeners/${listener['id']}`, { listener: { timeout_client_data: 66_666 } });
    given.plane.queue.release();
    await given.plane.settle();
    expect(await statusOf(`listeners/${listener['id']}`)).toBe('ERROR');
    expect(text(lb)).toContain('timeout client 11111');
    expect(text(lb)).not.toContain('maxconn 7\n');
  });

  it('an update of a resource that was never in force may be refused again', async () => {
    const { lb, pool } = await site();
    given.plane.amphorae.faulty = ':6666';
    given.plane.amphorae.namesLines = false;
    const bad = await given.api.createMember(pool, { ...memberAt(2), protocol_port: 6666 });
    await given.plane.settle();
    const path = `pools/${pool['id']}/members/${bad['id']}`;
    expect(await statusOf(path)).toBe('ERROR');
    for (const weight of [2, 3]) {
      await given.api.expect(200, given.api.put(path, { member: { weight } }));
      await given.plane.settle();
      expect(await statusOf(path)).toBe('ERROR');
      expect(await statusOf(`loadbalancers/${lb['id']}`)).toBe('ACTIVE');
    }
    expect(given.plane.queue.dead).toEqual([]);
    expect((await given.api.delete(path)).status).toBe(204);
    await given.plane.settle();
    expect((await given.api.get(path)).status).toBe(404);
  });

  it('everything new is refused when no line is named, and the rest lives', async () => {
    const { lb, listener, pool, member } = await site();
    given.plane.amphorae.faulty = ':6666';
    given.plane.amphorae.namesLines = false;
    given.plane.queue.isHeld = true;
    const fresh = [
      await given.api.createMember(pool, { ...memberAt(2), protocol_port: 6666 }),
      await given.api.createMember(pool, memberAt(3)),
    ];
    await given.api.put(`pools/${pool['id']}/members/${member['id']}`, { member: { weight: 9 } });
    given.plane.queue.release();
    await given.plane.settle();
    for (const { id } of [...fresh, member]) expect(await statusOf(`pools/${pool['id']}/members/${id}`)).toBe('ERROR');
    for (const path of [`loadbalancers/${lb['id']}`, `listeners/${listener['id']}`, `pools/${pool['id']}`])
      expect(await statusOf(path)).toBe('ACTIVE');
    expect(text(lb)).toMatch(/198\.51\.100\.2:8080.* weight 1\b/);
    expect(text(lb)).not.toContain('198.51.100.4:8080');
  });
});
