// Statistics: what amphorae have counted, told once, whatever happens to heartbeats, HAProxy, agents and amphorae.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MemberPage } from '../../amphora/agent-api.ts';
import { itemBytes } from '../../lambdas/drivers/table/item-size.ts';
import { queryAll } from '../../lambdas/drivers/table/table.ts';
import { purgePartition } from '../../lambdas/repositories/purge.ts';
import { ControlPlane } from '../support/control-plane.ts';
import { CountingAmphora, fates, repeatedAfter } from '../support/counting-amphora.ts';
import { BeatingAmphora } from '../support/heartbeats.ts';
import { memberAt, type OctaviaApi, type Shown } from '../support/octavia-api.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

async function site(plane: ControlPlane, api: OctaviaApi) {
  const lb = await api.createLoadBalancer();
  const listener = await api.createListener(lb, { protocol_port: 80 });
  const pool = await api.createPool({ listener_id: listener['id'] });
  const members = [await api.createMember(pool, memberAt(1)), await api.createMember(pool, memberAt(2))];
  await plane.settle();
  const [one, two] = members.map(({ id }) => id) as [string, string];
  const statsOf = (memberId: string) => api.show(`pools/${pool['id']}/members/${memberId}/stats`);
  return { lb: lb['id'], listener: listener['id'], pool: pool['id'], one, two, statsOf };
}

describe.each(tables)('on $name', ({ make }) => {
  const given = usePlane(make);
  const here = () => site(given.plane, given.api);
  const pageOf = (id: string, connections: number, open = 0): MemberPage => ({ [id]: [10, 20, connections, 1, open] });
  const itemsOf = (lb: string) => queryAll(given.plane.services.table, { pk: `STATISTICS#${lb}`, prefix: 'MEMBERS#' });

  it('a member’s are shown as a listener’s are, zeros before it has counted anything', async () => {
    const { lb, one, two, statsOf } = await here();
    const amphora = await BeatingAmphora.of(given.plane, lb);
    await amphora.send({ member_pages: { 0: pageOf(one, 3, 2) } });
    const counted = { bytes_in: 10, bytes_out: 20, total_connections: 3, request_errors: 1, active_connections: 2 };
    expect(await statsOf(one)).toEqual(counted);
    expect(await statsOf(two)).toEqual({
      ...counted,
      bytes_in: 0,
      bytes_out: 0,
      total_connections: 0,
      request_errors: 0,
      active_connections: 0,
    });
  });

  it('a page that comes after a newer heartbeat counts, unless that page was newer too', async () => {
    const { lb, one, two, statsOf } = await here();
    const amphora = await BeatingAmphora.of(given.plane, lb);
    const beats = [pageOf(one, 1), pageOf(one, 2), pageOf(two, 7)].map((page, index) =>
      amphora.signed(amphora.beat({ sent_at: index + 1, member_pages: { [index === 2 ? 1 : 0]: page } })),
    );
    for (const beat of beats.reverse()) await amphora.deliver(beat);
    const counted = async () => [(await statsOf(one))['total_connections'], (await statsOf(two))['total_connections']];
    expect(await counted()).toEqual([2, 7]);
    for (const beat of beats) await amphora.deliver(beat, beat);
    expect(await counted()).toEqual([2, 7]);
  });

  it('stay over failovers, and members that are gone are not kept', async () => {
    const { lb, pool, one, two, statsOf } = await here();
    const late = await BeatingAmphora.of(given.plane, lb);
    for (const connections of [5, 6]) {
      const amphora = await BeatingAmphora.of(given.plane, lb);
      await amphora.send({ member_pages: { 0: { ...pageOf(one, connections, 1), ...pageOf(two, 1) } } });
      await given.plane.as('admin').put(`loadbalancers/${lb}/failover`);
      await given.plane.settle();
      expect((await statsOf(one))['active_connections']).toBe(0);
    }
    expect((await statsOf(one))['total_connections']).toBe(11);
    expect(await itemsOf(lb)).toHaveLength(1);
    await late.send({ member_pages: { 0: pageOf(one, 100) } }).catch(() => {});
    expect((await statsOf(one))['total_connections']).toBe(11);
    await given.api.delete(`pools/${pool}/members/${two}`);
    await given.plane.settle();
    const amphora = await BeatingAmphora.of(given.plane, lb);
    await amphora.send({ member_pages: { 0: pageOf(one, 1) } });
    await given.plane.as('admin').put(`loadbalancers/${lb}/failover`);
    await given.plane.settle();
    expect((await itemsOf(lb)).map(({ members }) => Object.keys(members as object))).toEqual([[one]]);
    expect((await statsOf(one))['total_connections']).toBe(12);
    await purgePartition(given.plane.services.table, lb);
    expect(await itemsOf(lb)).toEqual([]);
  });

  it('of an amphora count while it is being replaced', async () => {
    const { lb, listener } = await here();
    const old = await BeatingAmphora.of(given.plane, lb);
    const stats = { rx: 1, tx: 1, totconns: 9, ereq: 0, conns: 4 };
    await old.send({ listeners: { [listener]: { status: 'OPEN', stats } } });
    const { table } = given.plane.services;
    const row = (await table.get({ pk: `LB#${lb}`, sk: 'LB' }))!;
    await table.transact([{ kind: 'put', item: { ...row, amphora_ids: [] } }]);
    const shown = await given.api.show(`loadbalancers/${lb}/stats`);
    expect(shown).toMatchObject({ total_connections: 9, active_connections: 0 });
    await table.transact([{ kind: 'put', item: row }]);
  });

  it('of listeners that were deleted stay in their load balancer’s, as one sum, and never count twice', async () => {
    const { lb, listener } = await here();
    const { table } = given.plane.services;
    const counting = (ids: string[], totconns: number) => ({
      generation: 1_000_000,
      listeners: Object.fromEntries(
        ids.map((id) => [id, { status: 'OPEN' as const, stats: { rx: 1, tx: 2, totconns, ereq: 0, conns: 0 } }]),
      ),
    });
    const gone: string[] = [];
    for (let round = 1; round <= 25; round++) {
      const made = await given.api.createListener({ id: lb } as Shown, { protocol_port: 1_000 + round });
      gone.push(made['id']);
    }
    await given.plane.settle();
    const amphora = await BeatingAmphora.of(given.plane, lb);
    const generation = async () => Number((await table.get({ pk: `LB#${lb}`, sk: 'LB' }))!['generation']);
    const before = await generation();
    await amphora.send({ ...counting([listener, ...gone], 4), generation: before });
    const late = amphora.beat({ ...counting([listener, ...gone], 9), generation: before });
    for (const id of gone) await given.api.delete(`listeners/${id}`);
    await given.plane.settle();
    await amphora.send({ ...counting([listener], 5), generation: await generation() });
    const total = async () => (await given.api.show(`loadbalancers/${lb}/stats`))['total_connections'];
    expect(await total()).toBe(25 * 4 + 5);
    const health = (await table.get({ pk: `HEALTH#${amphora.id[0]}`, sk: amphora.id }))!;
    const counters = Object.keys(health).filter((name) => name.startsWith('total_connections#'));
    expect(counters).toEqual([`total_connections#${listener}`]);
    await amphora.deliver(amphora.signed({ ...late, sent_at: late.sent_at + 60_000 }));
    expect(await total()).toBe(25 * 4 + 9);
    await given.plane.as('admin').put(`loadbalancers/${lb}/failover`);
    await given.plane.settle();
    const next = await BeatingAmphora.of(given.plane, lb);
    await next.send({ ...counting([listener], 3), generation: await generation() });
    expect(await total()).toBe(25 * 4 + 9 + 3);
    expect((await given.api.show(`listeners/${listener}/stats`))['total_connections']).toBe(12);
    const retired = (await table.get({ pk: `LB#${lb}`, sk: 'STATS' }))!;
    const kept = Object.keys(retired).filter((name) => name.startsWith('total_connections#'));
    expect(kept.toSorted()).toEqual([`total_connections#${listener}`, 'total_connections#deleted'].toSorted());
  });

  it('of a full page are an item of 4 KB, and a heartbeat without news is one write', async () => {
    const { lb } = await here();
    const amphora = await BeatingAmphora.of(given.plane, lb);
    const page = Object.fromEntries(
      Array.from({ length: 64 }, () => [crypto.randomUUID(), [123_456_789, 1_234_567_890, 123_456, 12, 34]]),
    ) as MemberPage;
    const { table } = given.plane.services;
    // Once its statuses are known they are not looked at again.
    const { generation } = (await table.get({ pk: `LB#${lb}`, sk: 'LB' })) as unknown as { generation: number };
    await amphora.send({ generation });
    const transact = table.transact.bind(table);
    const written: number[] = [];
    table.transact = (operations) => {
      written.push(operations.length);
      return transact(operations);
    };
    await amphora.send({ generation });
    expect(written).toEqual([1]);
    await amphora.send({ generation, member_pages: { 0: page } });
    expect(written).toEqual([1, 2]);
    const [item] = await itemsOf(lb);
    expect(itemBytes(item!)).toBeLessThan(5 * 1024);
  });
});

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('count' as const),
      place: fc.nat(4),
      connections: fc.integer({ min: 1, max: 9 }),
      isOld: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('beat' as const), fate: fc.constantFrom(...fates) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('look' as const, 'reload' as const, 'restart' as const, 'late' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('add again' as const), place: fc.integer({ min: 1, max: 4 }) }),
  },
);

it('never go back, and end as counted when all was delivered', { timeout: 300_000 }, async () => {
  await using plane = await ControlPlane.start({});
  const api = plane.as();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 50, size: 'max' }), async (steps) => {
      const { lb, listener, pool, one, two, statsOf } = await site(plane, api);
      const other = 'another-listener';
      const servers = [listener, other].flatMap((id) => [one, two].map((part) => ({ proxy: `${pool}:${id}`, part })));
      const places = [{ proxy: listener, part: 'FRONTEND' }, ...servers];
      const amphora = new CountingAmphora(await BeatingAmphora.of(plane, lb), places);
      const truth: Record<string, number> = { FRONTEND: 0, [one]: 0, [two]: 0 };
      const told = async (): Promise<Record<string, number>> => ({
        FRONTEND: (await api.show(`listeners/${listener}/stats`))['total_connections'],
        [one]: (await statsOf(one))['total_connections'],
        [two]: (await statsOf(two))['total_connections'],
      });
      let last: Record<string, number> = { ...truth };
      for (const each of steps) {
        if (each.kind === 'count') {
          amphora.count(each.place, each.connections, each.isOld);
          truth[places[each.place]!.part]! += each.connections;
        } else if (each.kind === 'beat') await amphora.beat(each.fate);
        else if (each.kind === 'add again') amphora.addAgain(each.place);
        else if (each.kind === 'look') amphora.look();
        else if (each.kind === 'reload') amphora.reload();
        else if (each.kind === 'restart') amphora.restartAgent();
        else await amphora.deliverDelayed();
        const now = await told();
        for (const part of Object.keys(now)) {
          expect(now[part]).toBeGreaterThanOrEqual(last[part]!);
          expect(now[part]).toBeLessThanOrEqual(truth[part]!);
        }
        last = now;
      }
      await amphora.deliverDelayed();
      for (let beat = 0; beat < repeatedAfter; beat++) await amphora.beat('arrives');
      expect(await told()).toEqual(truth);
    }),
    { numRuns: Number(process.env['STATISTICS_RUNS'] ?? 25) },
  );
});
