// The queue between API and worker may lose, double and reorder: what is wanted stands in the table, and is done in the end.
import { describe, expect, it } from 'vitest';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import { ControlPlane } from '../support/control-plane.ts';
import { memberAt, type Shown } from '../support/octavia-api.ts';
import { projects } from '../support/personas.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

describe.each(tables)('on $name', ({ make }) => {
  const given = usePlane(make);
  const statusOf = async ({ id }: Shown): Promise<string> =>
    (await given.api.show(`loadbalancers/${id}`))['provisioning_status'];
  const generations = ({ id }: Shown) => given.plane.amphorae.pushesOf(id).map(({ generation }) => generation);

  async function pooled() {
    const lb = await given.api.createLoadBalancer();
    const listener = await given.api.createListener(lb);
    const pool = await given.api.createPool({ listener_id: listener['id'] });
    await given.plane.settle();
    given.plane.queue.isHeld = true;
    return { lb, pool };
  }

  /** Turns the clock past the deadline of what is PENDING and lets housekeeping look. */
  async function reconcile() {
    given.plane.services.clock.turn(given.plane.services.config.operation_timeout_ms + 1_000);
    return (await given.plane.runHousekeeping()).reconciled;
  }

  it('a lost message of a change is found by its deadline', async () => {
    const { lb, pool } = await pooled();
    await given.api.createMember(pool, memberAt(1));
    given.plane.queue.take();
    expect((await given.plane.runHousekeeping()).reconciled).toBe(0);
    expect(await reconcile()).toBe(1);
    given.plane.queue.release();
    await given.plane.settle();
    expect(await statusOf(lb)).toBe('ACTIVE');
    expect(given.plane.amphorae.textOf(lb['id'])).toContain('198.51.100.2:8080');
    expect(await reconcile()).toBe(0);
  });

  it('a lost message of a create or a delete is found as well', async () => {
    given.plane.queue.isHeld = true;
    const lb = await given.api.createLoadBalancer();
    given.plane.queue.take();
    await reconcile();
    given.plane.queue.release();
    await given.plane.settle();
    expect(await statusOf(lb)).toBe('ACTIVE');
    given.plane.queue.isHeld = true;
    await given.api.delete(`loadbalancers/${lb['id']}`);
    given.plane.queue.take();
    await reconcile();
    given.plane.queue.release();
    await given.plane.settle();
    expect((await given.api.get(`loadbalancers/${lb['id']}`)).status).toBe(404);
    expect(await given.plane.inUse(projects.own)).toEqual({});
  });

  it('what is lost again and again ends in ERROR with a reason, and the next write heals it', async () => {
    const { lb, pool } = await pooled();
    await given.api.createMember(pool, memberAt(1));
    for (let attempt = 0; attempt < 3; attempt++) {
      given.plane.queue.take();
      expect(await statusOf(lb)).toBe('PENDING_UPDATE');
      await reconcile();
    }
    expect(await statusOf(lb)).toBe('ERROR');
    const expired = given.plane.services.events.published.filter(({ type }) => type === 'operation_expired');
    expect(expired.map(({ resource_id }) => resource_id)).toEqual([lb['id']]);
    given.plane.queue.take();
    given.plane.queue.isHeld = false;
    await given.api.createMember(pool, memberAt(2));
    await given.plane.settle();
    expect(await statusOf(lb)).toBe('ACTIVE');
    const members = await given.api.membersOf(pool);
    expect(members.map((one) => one['provisioning_status'])).toEqual(['ACTIVE', 'ACTIVE']);
  });

  it('a message that comes many times, one after the other or at once, is done once', async () => {
    const { lb, pool } = await pooled();
    const member = await given.api.createMember(pool, memberAt(1));
    const [message] = given.plane.queue.take();
    await Promise.all(Array.from({ length: 5 }, () => given.plane.queue.deliver(message!)));
    expect(await statusOf(lb)).toBe('ACTIVE');
    const before = generations(lb).length;
    expect(await given.plane.queue.deliver(message!, message!)).toBe(0);
    expect(generations(lb)).toHaveLength(before);
    await given.api.delete(`pools/${pool['id']}/members/${member['id']}`);
    const [deletion] = given.plane.queue.take();
    await Promise.all(Array.from({ length: 5 }, () => given.plane.queue.deliver(deletion!)));
    await given.plane.queue.deliver(message!);
    expect(await statusOf(lb)).toBe('ACTIVE');
    expect((await given.plane.inUse(projects.own))['member'] ?? 0).toBe(0);
  });

  it('messages in the wrong order never take a generation back', async () => {
    const { lb, pool } = await pooled();
    for (const number of [1, 2, 3]) await given.api.createMember(pool, memberAt(number));
    const messages = given.plane.queue.take();
    await given.plane.queue.deliver(messages[2]!);
    expect(await statusOf(lb)).toBe('ACTIVE');
    const pushed = generations(lb);
    for (const message of [messages[0]!, messages[1]!]) expect(await given.plane.queue.deliver(message)).toBe(0);
    expect(generations(lb)).toEqual(pushed);
  });

  it('a worker that is overtaken while it pushes leaves the newer configuration in force', async () => {
    const { lb, pool } = await pooled();
    await given.api.createMember(pool, memberAt(1));
    const [first] = given.plane.queue.take();
    given.plane.amphorae.beforePush = async () => {
      given.plane.amphorae.beforePush = undefined;
      await given.api.createMember(pool, memberAt(2));
      await given.plane.queue.deliver(...given.plane.queue.take());
      expect(await statusOf(lb)).toBe('ACTIVE');
    };
    expect(await given.plane.queue.deliver(first!)).toBe(0);
    expect(await statusOf(lb)).toBe('ACTIVE');
    expect(generations(lb)).toEqual(generations(lb).toSorted((a, b) => a - b));
    expect(given.plane.amphorae.textOf(lb['id'])).toContain('198.51.100.3:8080');
    const members = await given.api.membersOf(pool);
    expect(members.map((one) => one['provisioning_status'])).toEqual(['ACTIVE', 'ACTIVE']);
  });

  it('a write that comes while the worker pushes is in force in the end', async () => {
    const { lb, pool } = await pooled();
    await given.api.createMember(pool, memberAt(1));
    given.plane.amphorae.beforePush = async () => {
      given.plane.amphorae.beforePush = undefined;
      await given.api.createMember(pool, memberAt(2));
    };
    await given.plane.queue.deliver(...given.plane.queue.take());
    expect(await statusOf(lb)).toBe('PENDING_UPDATE');
    await given.plane.queue.deliver(...given.plane.queue.take());
    expect(await statusOf(lb)).toBe('ACTIVE');
    expect(given.plane.amphorae.textOf(lb['id'])).toContain('198.51.100.3:8080');
  });
});

describe('a process that dies after a large change was accepted', () => {
  /** A table that takes no large transaction while it is told not to: the change is accepted, and not written out. */
  class InterruptedTable extends SqliteTable {
    isInterrupted = false;
    override async transact(...given: Parameters<SqliteTable['transact']>): Promise<void> {
      if (this.isInterrupted && given[0].length > 50) throw new Error('the process died here');
      return super.transact(...given);
    }
  }
  const members = Array.from({ length: 60 }, (_, number) => memberAt(number));

  async function interrupted(work: (plane: ControlPlane) => Promise<Shown>) {
    const table = new InterruptedTable({ path: ':memory:' });
    const plane = await ControlPlane.start({ table });
    plane.queue.isHeld = true;
    table.isInterrupted = true;
    const made = await work(plane);
    table.isInterrupted = false;
    return { plane, made };
  }
  const pools = ['one', 'two'].map((name) => ({ name, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', members }));
  const createLarge = async (plane: ControlPlane): Promise<Shown> => {
    const lb = await plane.as().createLoadBalancer({ pools });
    expect((await plane.as().get('pools')).body.pools).toEqual([]);
    return lb;
  };

  it('loses nothing: whoever comes next writes it out', async () => {
    const { plane, made } = await interrupted(createLarge);
    await using _ = plane;
    plane.services.clock.turn(plane.services.config.orphan_age_ms + 1_000);
    await plane.runHousekeeping();
    plane.queue.release();
    await plane.settle();
    const shown = await plane.as().show(`loadbalancers/${made['id']}`);
    expect(shown['provisioning_status']).toBe('ACTIVE');
    expect(shown['pools']).toHaveLength(2);
    for (const pool of shown['pools'] as Shown[]) {
      const there = await plane.as().membersOf(pool);
      expect(there.map((one) => one['provisioning_status'])).toEqual(Array(60).fill('ACTIVE'));
    }
    await plane.as().delete(`loadbalancers/${made['id']}?cascade=true`);
    await plane.settle();
    expect(await plane.inUse(projects.own)).toEqual({});
  });

  it('gives the quota back when the load balancer is deleted right after', async () => {
    const { plane, made } = await interrupted(createLarge);
    await using _ = plane;
    expect((await plane.as().delete(`loadbalancers/${made['id']}?cascade=true`)).status).toBe(204);
    plane.queue.release();
    await plane.settle();
    expect((await plane.as().get(`loadbalancers/${made['id']}`)).status).toBe(404);
    expect(await plane.inUse(projects.own)).toEqual({});
  });
});
