// Health manager: an amphora whose heartbeat is too large for one message.
import { describe, expect, it } from 'vitest';
import { messagesOf } from '../../amphora/agent/heartbeat-parts.ts';
import type { Heartbeat } from '../../amphora/agent-api.ts';
import { queryAll } from '../../lambdas/drivers/table/table.ts';
import { eraseAmphora } from '../../lambdas/repositories/amphorae.ts';
import { BeatingAmphora, noTraffic } from '../support/heartbeats.ts';
import { memberAt } from '../support/octavia-api.ts';
import { usePlane } from '../support/planes.ts';
import { tables } from '../support/tables.ts';

describe.each(tables)('on $name', ({ make }) => {
  const given = usePlane(make);

  async function site(count: number) {
    const lb = await given.api.createLoadBalancer();
    const listener = await given.api.createListener(lb, { protocol_port: 80 });
    const pool = await given.api.createPool({ listener_id: listener['id'] });
    await given.api.createMonitor(pool);
    const wanted = Array.from({ length: count }, (_, index) => memberAt(index + 1));
    await given.api.expect(202, given.api.put(`pools/${pool['id']}/members`, { members: wanted }));
    await given.plane.settle();
    const members: { id: string }[] = (await given.api.expect(
      200,
      given.api.get(`pools/${pool['id']}/members`),
    )) as never;
    const amphora = await BeatingAmphora.of(given.plane, lb['id']);
    const { table } = given.plane.services;
    const generation = Number((await table.get({ pk: `LB#${lb['id']}`, sk: 'LB' }))!['generation']);
    /** Cut into messages of 1 KB. */
    const beat = (words: (index: number) => string) => {
      const said = Object.fromEntries(members.map(({ id }, index) => [id, words(index)]));
      const pools: Heartbeat['pools'] = { [`${pool['id']}:${listener['id']}`]: { status: 'UP', members: said } };
      const listeners = { [listener['id']]: { status: 'OPEN' as const, stats: noTraffic } };
      return messagesOf(amphora.beat({ generation, listeners, pools }), 1_024).map((one) =>
        amphora.signed(one as Heartbeat),
      );
    };
    const statuses = async (): Promise<string[]> => {
      const rows = await queryAll(table, { pk: `LB#${lb['id']}`, prefix: 'MEMBER#' });
      const byId = new Map(rows.map((row) => [row['id'] as string, row['operating_status'] as string]));
      return members.map(({ id }) => byId.get(id)!);
    };
    const aside = () => queryAll(table, { pk: `STATISTICS#${lb['id']}`, prefix: 'HEARTBEAT#' });
    return { lb: lb['id'], pool: pool['id'], amphora, beat, statuses, aside, count };
  }
  const all = (count: number, status: string) => Array.from({ length: count }, () => status);

  it('is taken in when all of it is there, in any order, doubled, in one batch or several', async () => {
    const { lb, amphora, beat, statuses, aside, count } = await site(120);
    const messages = beat(() => 'UP');
    expect(messages.length).toBeGreaterThan(4);
    const [first, ...parts] = messages;
    await amphora.deliver(...parts.slice(0, 2).reverse(), parts[0]!);
    await amphora.deliver(first!);
    expect(await statuses()).toEqual(all(count, 'OFFLINE'));
    await amphora.deliver(...parts.slice(2));
    expect(await statuses()).toEqual(all(count, 'ONLINE'));
    expect(await aside()).toEqual([]);
    expect(await given.api.show(`loadbalancers/${lb}`)).toMatchObject({ operating_status: 'ONLINE' });
    await amphora.deliver(...beat((index) => (index === 100 ? 'DOWN' : 'UP')));
    expect((await statuses())[100]).toBe('ERROR');
    expect(await given.api.show(`loadbalancers/${lb}`)).toMatchObject({ operating_status: 'DEGRADED' });
  });

  it('that says the same again has nothing written but that it was heard', async () => {
    const { amphora, beat } = await site(60);
    await amphora.deliver(...beat(() => 'UP'));
    const { table } = given.plane.services;
    const transact = table.transact.bind(table);
    let writes = 0;
    table.transact = (operations) => {
      writes++;
      return transact(operations);
    };
    await amphora.deliver(...beat(() => 'UP'));
    expect(writes).toBe(1);
  });

  it('that lost a part, or is completed after a newer one, changes nothing', async () => {
    const { amphora, beat, statuses, count } = await site(60);
    const lossy = beat(() => 'DOWN');
    const late = lossy.splice(2, 1);
    await amphora.deliver(...lossy);
    expect(await statuses()).toEqual(all(count, 'OFFLINE'));
    await amphora.deliver(...beat(() => 'UP'));
    await amphora.deliver(...late);
    expect(await statuses()).toEqual(all(count, 'ONLINE'));
    await amphora.deliver(...lossy);
    expect(await statuses()).toEqual(all(count, 'ONLINE'));
  });

  it('leaves no part behind when its amphora is given up', async () => {
    const { lb, amphora, beat, aside } = await site(60);
    const [first, ...parts] = beat(() => 'UP');
    await amphora.deliver(first!, ...parts.slice(1));
    expect((await aside()).length).toBeGreaterThan(1);
    await eraseAmphora(given.plane.services, amphora.id, lb);
    await amphora.deliver(...parts);
    expect(await aside()).toEqual([]);
  });
});
