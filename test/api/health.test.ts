// The health manager: heartbeats in, operating statuses and statistics out, and failovers of amphorae that fell silent.
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { computeEventHandler } from '../../lambdas/health-manager/compute-event.ts';
import { scanHealth } from '../../lambdas/health-manager/scan.ts';
import { setAmphora } from '../../lambdas/repositories/amphorae.ts';
import { readHealth } from '../../lambdas/repositories/health.ts';
import { readMemberStatistics } from '../../lambdas/repositories/member-statistics.ts';
import { amphoraOf, BeatingAmphora, noTraffic } from '../support/heartbeats.ts';
import { memberAt, type Shown } from '../support/octavia-api.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

describe.each(tables)('on $name', ({ make }) => {
  const given = usePlane(make);
  const scan = () => scanHealth(given.plane.services);

  async function site() {
    const lb = await given.api.createLoadBalancer();
    const listener = await given.api.createListener(lb, { protocol_port: 80 });
    const pool = await given.api.createPool({ listener_id: listener['id'] });
    await given.api.createMonitor(pool);
    const members = [await given.api.createMember(pool, memberAt(1)), await given.api.createMember(pool, memberAt(2))];
    await given.plane.settle();
    return { lb, listener, pool, members, amphora: await BeatingAmphora.of(given.plane, lb['id']) };
  }
  type Site = Awaited<ReturnType<typeof site>>;

  const report = ({ listener, pool, members }: Site, words: string[], status: 'UP' | 'DOWN' = 'UP') => ({
    listeners: { [listener['id']]: { status: 'OPEN' as const, stats: noTraffic } },
    pools: {
      [`${pool['id']}:${listener['id']}`]: {
        status,
        members: Object.fromEntries(members.map(({ id }, index) => [id, words[index]!])),
      },
    },
  });
  const statusOf = async (path: string): Promise<string> => (await given.api.show(path))['operating_status'];
  const statuses = async ({ lb, listener, pool, members }: Site) => ({
    lb: await statusOf(`loadbalancers/${lb['id']}`),
    listener: await statusOf(`listeners/${listener['id']}`),
    pool: await statusOf(`pools/${pool['id']}`),
    members: await Promise.all(members.map(({ id }) => statusOf(`pools/${pool['id']}/members/${id}`))),
  });

  /** Scans every so often, as the schedule does, while nobody but the given amphorae is heard. */
  async function pass(ms: number, beating: BeatingAmphora[] = []) {
    let failedOver = 0;
    for (let passed = 0; passed < ms; passed += 20_000) {
      given.plane.services.clock.turn(20_000);
      for (const amphora of beating) await amphora.send();
      failedOver += (await scan()).failed_over;
    }
    return failedOver;
  }

  describe('a heartbeat', () => {
    it('rolls up to members, pool, listener and load balancer', async () => {
      const own = await site();
      expect(await statuses(own)).toEqual({
        lb: 'OFFLINE',
        listener: 'OFFLINE',
        pool: 'OFFLINE',
        members: ['OFFLINE', 'OFFLINE'],
      });
      await own.amphora.send(report(own, ['UP', 'UP']));
      const online = { lb: 'ONLINE', listener: 'ONLINE', pool: 'ONLINE', members: ['ONLINE', 'ONLINE'] };
      expect(await statuses(own)).toEqual(online);
      await own.amphora.send(report(own, ['UP', 'DOWN']));
      expect(await statuses(own)).toMatchObject({ lb: 'DEGRADED', pool: 'DEGRADED', members: ['ONLINE', 'ERROR'] });
      await own.amphora.send(report(own, ['DOWN', 'DOWN'], 'DOWN'));
      expect(await statuses(own)).toMatchObject({ lb: 'ERROR', pool: 'ERROR', members: ['ERROR', 'ERROR'] });
      await own.amphora.send(report(own, ['UP 1/2', 'DRAIN']));
      expect(await statuses(own)).toMatchObject({ lb: 'ONLINE', pool: 'ONLINE', members: ['ONLINE', 'DRAINING'] });

      const { published } = given.plane.services.events;
      const changes = published.filter(({ type }) => type === 'operating_status_changed');
      const ofFirst = changes.filter(({ resource_id }) => resource_id === own.members[0]!['id']);
      expect(ofFirst.map(({ detail }) => [detail['from'], detail['to']])).toEqual([
        ['OFFLINE', 'ONLINE'],
        ['ONLINE', 'ERROR'],
        ['ERROR', 'ONLINE'],
      ]);
    });

    it('with a wrong signature, or of another amphora, counts for nothing', async () => {
      const own = await site();
      const other = await site();
      const { amphora } = own;
      await amphora.deliver(amphora.signed(amphora.beat(report(own, ['UP', 'UP'])), 'another key'));
      await amphora.deliver({ ...amphora.signed(amphora.beat(report(own, ['UP', 'UP']))), hmac: 'zz' });
      await amphora.deliver({ ...amphora.signed(amphora.beat()), payload: '{}' });
      await amphora.deliver({ ...other.amphora.signed(other.amphora.beat()), amphora_id: amphora.id });
      await amphora.deliver(amphora.signed(other.amphora.beat(report(other, ['UP', 'UP']))));
      expect((await statuses(own)).lb).toBe('OFFLINE');
      expect((await statuses(other)).lb).toBe('OFFLINE');
      await amphora.deliver({ ...amphora.signed(amphora.beat()), amphora_id: 'ffffffff-unknown' });
    });

    it('that comes twice or late is counted once', async () => {
      const own = await site();
      const { amphora, listener, lb } = own;
      let sent = 0;
      const count = (rx: number) => {
        sent += 1;
        const stats = { rx, tx: 2 * rx, totconns: 3 * sent, ereq: sent, conns: 5 };
        return amphora.signed(amphora.beat({ listeners: { [listener['id']]: { status: 'OPEN', stats } } }));
      };
      const [first, second, third] = [count(10), count(110), count(1110)];
      await amphora.deliver(first!, second!);
      await amphora.deliver(second!);
      await amphora.deliver(first!, third!, third!);
      await amphora.deliver(first!);
      const counted = {
        bytes_in: 1110,
        bytes_out: 2220,
        total_connections: 9,
        request_errors: 3,
        active_connections: 5,
      };
      expect(await given.api.show(`listeners/${listener['id']}/stats`)).toEqual(counted);
      expect(await given.api.show(`loadbalancers/${lb['id']}/stats`)).toEqual(counted);

      await given.plane.as('admin').put(`loadbalancers/${lb['id']}/failover`);
      await given.plane.settle();
      const after = await given.api.show(`loadbalancers/${lb['id']}/stats`);
      expect(after).toEqual({ ...counted, active_connections: 0 });
    });

    it.each([1, null])(
      'that tells of an older configuration (%s) has the one in force pushed again',
      async (generation) => {
        const { lb, amphora } = await site();
        const before = given.plane.amphorae.pushesOf(lb['id']).length;
        await amphora.send({ generation });
        await given.plane.settle();
        expect(given.plane.amphorae.pushesOf(lb['id'])).toHaveLength(before + 1);
        const shown = await given.api.show(`loadbalancers/${lb['id']}`);
        expect(shown['provisioning_status']).toBe('ACTIVE');
        await amphora.send({ generation });
        await given.plane.settle();
        expect(given.plane.amphorae.pushesOf(lb['id'])).toHaveLength(before + 2);
      },
    );

    it('that waited with others tells of more members with them than one write holds', async () => {
      const { members, lb, amphora } = await site();
      const counts = (rx: number): [number, number, number, number, number] => [rx, 2, 3, 0, 0];
      // A page in each of 120: the first and the last have members that there are.
      const ids = [members[0]!['id'], ...Array.from({ length: 118 }, () => randomUUID()), members[1]!['id']];
      const pages = ids.map((id, page) => [page, { [id]: counts(page + 1) }] as const);
      const beats = Array.from({ length: 8 }, (_, beat) =>
        amphora.signed(amphora.beat({ member_pages: Object.fromEntries(pages.slice(beat * 15, beat * 15 + 15)) })),
      );
      await amphora.deliver(...beats);
      const { services } = given.plane;
      const read = (id: string) => readMemberStatistics(services.table, lb['id'], id, [amphora.id]);
      expect([(await read(ids[0]!)).bytes_in, (await read(ids[119]!)).bytes_in]).toEqual([1, 120]);
    });

    it('of a standby that lost its configuration has it pushed again: it may take over any time', async () => {
      const own = await site();
      const { lb, amphora } = own;
      await amphora.send(report(own, ['UP', 'UP']));
      const before = [await statuses(own), given.plane.amphorae.pushesOf(lb['id']).length] as const;
      await setAmphora(given.plane.services, amphora.id, { role: 'BACKUP' });
      await amphora.send({ generation: null });
      await given.plane.settle();
      expect(given.plane.amphorae.pushesOf(lb['id'])).toHaveLength(before[1] + 1);
      expect(await statuses(own)).toEqual(before[0]);
    });
  });

  describe('an amphora', () => {
    const compute = async (lb: Shown) => (await amphoraOf(given.plane, lb['id'])).id;

    it('that falls silent is failed over, once', async () => {
      const { lb, amphora } = await site();
      await amphora.send();
      await scan();
      given.plane.queue.isHeld = true;
      expect(await pass(120_000)).toBe(1);
      given.plane.queue.release();
      await given.plane.settle();
      expect(await compute(lb)).not.toBe(amphora.id);
      expect((await given.api.show(`loadbalancers/${lb['id']}`))['provisioning_status']).toBe('ACTIVE');
      const { published } = given.plane.services.events;
      const phases = published.map(({ type }) => type).filter((type) => type.startsWith('failover'));
      expect(phases).toEqual(['failover_started', 'failover_completed']);
      await amphora.send().catch(() => {});
      expect((await scan()).amphorae).toBe(1);
    });

    it('that never spoke is failed over as well', async () => {
      const { lb, amphora } = await site();
      await scan();
      expect(await pass(80_000)).toBe(1);
      await given.plane.settle();
      expect(await compute(lb)).not.toBe(amphora.id);
    });

    it('that is heard stays', async () => {
      const { lb, amphora } = await site();
      await scan();
      expect(await pass(200_000, [amphora])).toBe(0);
      expect(await compute(lb)).toBe(amphora.id);
    });

    it('is not failed over by a control plane that was away itself', async () => {
      const { lb, amphora } = await site();
      await amphora.send();
      await scan();
      given.plane.services.clock.turn(3_600_000);
      expect((await scan()).failed_over).toBe(0);
      expect(await pass(40_000)).toBe(0);
      expect(await compute(lb)).toBe(amphora.id);
      expect(await pass(40_000)).toBe(1);
      await given.plane.settle();
    });

    it('is failed over at once when its machine is terminated', async () => {
      const { lb, amphora } = await site();
      const handle = computeEventHandler(given.plane.services);
      const { compute_id } = await amphoraOf(given.plane, lb['id']);
      const news = (state: string) => handle({ detail: { 'instance-id': compute_id!, state } });
      expect(await news('running')).toEqual({ failed_over: 0 });
      expect(await news('terminated')).toEqual({ failed_over: 1 });
      await given.plane.settle();
      expect(await compute(lb)).not.toBe(amphora.id);
      expect(await news('terminated')).toEqual({ failed_over: 0 });
    });
  });

  describe('an amphora whose machine ended while its load balancer was busy', () => {
    async function endedWhileBusy() {
      const { lb, amphora } = await site();
      await amphora.send();
      const late = amphora.signed(amphora.beat());
      await scan();
      await given.plane.as('admin').put(`loadbalancers/${lb['id']}/failover`);
      const detail = { 'instance-id': (await amphoraOf(given.plane, lb['id'])).compute_id!, state: 'terminated' };
      given.plane.queue.isHeld = true;
      expect(await computeEventHandler(given.plane.services)({ detail })).toEqual({ failed_over: 0 });
      return { amphora, late };
    }
    const health = async (id: string) => (await readHealth(given.plane.services.table, [id])).get(id)!;

    it('is known to be gone whatever it said before, and is not waited for', async () => {
      const { amphora, late } = await endedWhileBusy();
      await amphora.deliver(late);
      expect(await scan()).toMatchObject({ silent: 1 });
      given.plane.queue.release();
      await given.plane.settle();
    });

    it('is there when another agent on it speaks', async () => {
      const { amphora } = await endedWhileBusy();
      await amphora.send({ boot: randomUUID() });
      expect([(await health(amphora.id)).ended_at, (await scan()).silent]).toEqual([null, 0]);
      given.plane.queue.release();
      await given.plane.settle();
    });
  });

  it('when most amphorae fall silent nothing is failed over, until most are heard again', async () => {
    const lbs = await Promise.all(Array.from({ length: 6 }, () => given.api.createLoadBalancer()));
    await given.plane.settle();
    const amphorae = await Promise.all(lbs.map((lb) => BeatingAmphora.of(given.plane, lb['id'])));
    for (const amphora of amphorae) await amphora.send();
    await scan();
    expect(await pass(100_000, amphorae.slice(0, 1))).toBe(0);
    expect(await scan()).toEqual({ amphorae: 6, silent: 5, failed_over: 0, is_storm: true });
    const { published } = given.plane.services.events;
    const guard = () => published.map(({ type }) => type).filter((type) => type.startsWith('storm'));
    expect(guard()).toEqual(['storm_guard_engaged']);
    for (const amphora of amphorae.slice(0, 5)) await amphora.send();
    expect(await scan()).toEqual({ amphorae: 6, silent: 1, failed_over: 1, is_storm: false });
    expect(guard()).toEqual(['storm_guard_engaged', 'storm_guard_released']);
    await given.plane.settle();
    expect((await amphoraOf(given.plane, lbs[5]!['id'])).id).not.toBe(amphorae[5]!.id);
  });
});
