// Members in batches, and many at once.
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { report, timed } from '../support/eventually.ts';
import { type Attributes, memberAt, type Shown } from '../support/octavia-api.ts';
import { projects } from '../support/personas.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index);

describe.each(tables)('on $name', ({ name, make }) => {
  const given = usePlane(make);

  async function pooled(count = 0) {
    const lb = await given.api.createLoadBalancer();
    const listener = await given.api.createListener(lb);
    const pool = await given.api.createPool({ listener_id: listener['id'] });
    if (count > 0)
      await replace(
        pool,
        numbers(count).map((number) => memberAt(number)),
      );
    await given.plane.settle();
    return { lb, listener, pool };
  }
  const replace = (pool: Shown, members: Attributes[], query = '') =>
    given.api.put(`pools/${pool['id']}/members${query}`, { members });
  const membersInUse = async () => (await given.plane.inUse(projects.own))['member'] ?? 0;
  const addresses = async (pool: Shown) => (await given.api.membersOf(pool)).map((one) => one['address']).toSorted();

  it('a batch adds, updates and removes members, and gives the quota back exactly', async () => {
    const { pool, lb } = await pooled(3);
    const [kept] = (await given.api.membersOf(pool)).filter((one) => one['address'] === '198.51.100.2');
    given.plane.queue.isHeld = true;
    const answer = await replace(pool, [memberAt(1, { weight: 7 }), memberAt(5), memberAt(6), memberAt(7)]);
    expect([answer.status, answer.body]).toEqual([202, undefined]);
    const pending = await given.api.membersOf(pool);
    const statuses = pending.map((one) => [one['address'].split('.').at(-1), one['provisioning_status']]);
    expect(Object.fromEntries(statuses)).toEqual({
      1: 'PENDING_DELETE',
      2: 'PENDING_UPDATE',
      3: 'PENDING_DELETE',
      6: 'PENDING_CREATE',
      7: 'PENDING_CREATE',
      8: 'PENDING_CREATE',
    });
    given.plane.queue.release();
    await given.plane.settle();
    const after = await given.api.membersOf(pool);
    expect(after.map((one) => one['provisioning_status'])).toEqual(Array(4).fill('ACTIVE'));
    expect(after.find((one) => one['id'] === kept!['id'])).toMatchObject({ weight: 7 });
    expect(await membersInUse()).toBe(4);
    expect((await given.api.show(`loadbalancers/${lb['id']}`))['provisioning_status']).toBe('ACTIVE');
  });

  it('a batch of none removes all, and the counter is at nothing', async () => {
    const { pool } = await pooled(40);
    expect(await membersInUse()).toBe(40);
    expect((await replace(pool, [])).status).toBe(202);
    await given.plane.settle();
    expect(await given.api.membersOf(pool)).toEqual([]);
    expect(await membersInUse()).toBe(0);
  });

  it('a batch that replaces as many as it removes is within the quota, and counted', async () => {
    const { pool } = await pooled(5);
    await given.plane.limit(projects.own, { member: 5 });
    expect(
      (
        await replace(
          pool,
          numbers(5, 20).map((one) => memberAt(one)),
        )
      ).status,
    ).toBe(202);
    await given.plane.settle();
    expect(await membersInUse()).toBe(5);
    const sixth = await replace(pool, [memberAt(99)], '?additive_only=true');
    expect([sixth.status, sixth.body.faultstring]).toEqual([403, 'Quota has been met for resources: Member']);
    expect(await addresses(pool)).toHaveLength(5);
  });

  it('an additive batch removes nobody', async () => {
    const { pool } = await pooled(2);
    expect((await replace(pool, [memberAt(1, { weight: 3 }), memberAt(9)], '?additive_only=True')).status).toBe(202);
    await given.plane.settle();
    expect(await addresses(pool)).toEqual(['198.51.100.1', '198.51.100.10', '198.51.100.2']);
    expect(await membersInUse()).toBe(3);
  });

  it('a batch with nothing to do is accepted and changes no status', async () => {
    const { lb, pool } = await pooled(2);
    given.plane.queue.isHeld = true;
    expect((await replace(pool, [memberAt(0), memberAt(1)])).status).toBe(202);
    expect((await given.api.show(`loadbalancers/${lb['id']}`))['provisioning_status']).toBe('ACTIVE');
    expect(given.plane.queue.held).toEqual([]);
  });

  it.each([
    ['the same member twice', [memberAt(1), memberAt(7), memberAt(1)]],
    ['one member without an address', [memberAt(7), { protocol_port: 80 }]],
    ['one member that is no object', [memberAt(7), 'member']],
    ['one unknown attribute', [memberAt(7), memberAt(8, { colour: 'red' })]],
    ['one weight out of range', [memberAt(7), memberAt(8, { weight: 257 })]],
    ['one unknown subnet', [memberAt(7), memberAt(8, { subnet_id: '11111111-2222-4333-8444-555555555555' })]],
  ])('a batch with %s is refused as a whole', async (_what, members) => {
    const { lb, pool } = await pooled(2);
    const answer = await replace(pool, members as Attributes[]);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ faultcode: 'Client', debuginfo: null });
    expect(await addresses(pool)).toEqual(['198.51.100.1', '198.51.100.2']);
    expect((await given.api.show(`loadbalancers/${lb['id']}`))['provisioning_status']).toBe('ACTIVE');
    expect(await membersInUse()).toBe(2);
  });

  it('a batch beyond the quota is refused as a whole', async () => {
    const { pool } = await pooled(2);
    await given.plane.limit(projects.own, { member: 100 });
    const answer = await replace(
      pool,
      numbers(101).map((one) => memberAt(one)),
    );
    expect([answer.status, answer.body.faultstring]).toEqual([403, 'Quota has been met for resources: Member']);
    expect(await addresses(pool)).toHaveLength(2);
    expect(await membersInUse()).toBe(2);
  });

  it('a batch of 1,000 members is accepted at once and in force soon', async () => {
    const { lb, pool } = await pooled();
    const members = numbers(1000).map((one) => memberAt(one));
    const ms = await timed(async () => expect((await replace(pool, members)).status).toBe(202));
    report(`${name}: a batch of 1,000 members is accepted in`, ms);
    report(`${name}: and in force after another`, await timed(() => given.plane.settle()));
    const shown = await given.api.membersOf(pool);
    expect(shown).toHaveLength(1000);
    expect(new Set(shown.map((one) => one['provisioning_status']))).toEqual(new Set(['ACTIVE']));
    expect(await membersInUse()).toBe(1000);
    expect(given.plane.amphorae.textOf(lb['id']).match(/198\.51\.\d+\.\d+:8080/g)).toHaveLength(1000);
    expect((await replace(pool, members.slice(0, 10))).status).toBe(202);
    await given.plane.settle();
    expect(await addresses(pool)).toHaveLength(10);
    expect(await membersInUse()).toBe(10);
  });

  it('a batch of members with long names and tags in any script is in force as well', async () => {
    const { pool } = await pooled();
    const long = '界'.repeat(255);
    const members = numbers(200).map((one) => memberAt(one, { name: long, tags: Array(4).fill(long) }));
    expect((await replace(pool, members)).status).toBe(202);
    await given.plane.settle();
    const shown = await given.api.membersOf(pool);
    expect(shown.map((one) => one['provisioning_status'])).toEqual(Array(200).fill('ACTIVE'));
  });

  it('100 members created at once are all accepted, all ACTIVE, and pushed together', async () => {
    const { lb, pool } = await pooled();
    const before = given.plane.amphorae.pushesOf(lb['id']).length;
    // What HAProxy needs at least to take new members.
    given.plane.amphorae.beforePush = () => setTimeout(20);
    const asked = numbers(100).map((one) => given.api.post(`pools/${pool['id']}/members`, { member: memberAt(one) }));
    const statuses = (await Promise.all(asked)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([201]));
    await given.plane.settle();
    const shown = await given.api.membersOf(pool);
    expect(shown.map((one) => one['provisioning_status'])).toEqual(Array(100).fill('ACTIVE'));
    expect(await membersInUse()).toBe(100);
    const pushes = given.plane.amphorae.pushesOf(lb['id']).slice(before);
    process.stdout.write(`  ${name}: 100 members took ${pushes.length} pushes\n`);
    expect(pushes.length).toBeLessThan(50);
    const generations = pushes.map(({ generation }) => generation);
    expect(generations).toEqual(generations.toSorted((a, b) => a - b));
  });
});
