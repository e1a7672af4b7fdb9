// What is told of statuses and failovers: by the writes themselves, in their order, until it is taken.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { DynamoDBStreamEvent } from 'aws-lambda';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isToldOf, tellStatusNews } from '../../lambdas/controller/status-news.ts';
import { NoopEventDriver, type OctaviaEvent } from '../../lambdas/drivers/events/event-driver.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import type { TableChange } from '../../lambdas/drivers/table/stream.ts';
import { changeLoadBalancer, newLoadBalancerItem } from '../../lambdas/repositories/load-balancers.ts';
import { newId } from '../../lambdas/runtime/ids.ts';
import { relayOutboxHandler } from '../../lambdas/worker/relay-outbox.ts';
import { TableStream } from '../../local/table-stream.ts';
import { aLoadBalancer } from '../support/builders.ts';
import { eventually } from '../support/eventually.ts';
import { FlowWorld } from '../support/flow-world.ts';
import { TurnableClock, testServices } from '../support/services.ts';

/** A bus that is away for as many calls as it is told. */
class Bus extends NoopEventDriver {
  outages = 0;
  override async deliver(events: OctaviaEvent[]): Promise<void> {
    if (this.outages > 0) {
      this.outages -= 1;
      throw new Error('the bus is away');
    }
    await super.deliver(events);
  }
}

const clock = new TurnableClock();
const store = (table: SqliteTable) => ({ table, clock, newId });
const silent = { warn() {} };
const statusesOf = (events: OctaviaEvent[]) => events.map(({ detail: { from, to } }) => [from, to]);

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'status-news-'));
  path = join(directory, 'table.sqlite');
});
afterEach(() => rmSync(directory, { recursive: true }));

const aRow = (id: string = newId()) =>
  aLoadBalancer({ id, load_balancer_id: id, name: 'web', provisioning_status: 'ACTIVE' });
const setTo = (table: SqliteTable, id: string, provisioning_status: 'ACTIVE' | 'ERROR' | 'PENDING_UPDATE', more = {}) =>
  changeLoadBalancer(store(table), id, () => ({ provisioning_status, ...more }));

describe('a table on one machine', () => {
  it('has every change told once the bus is back, in the order of the writes', async () => {
    const [table, bus] = [new SqliteTable({ path }), new Bus()];
    const stream = new TableStream({ table, events: bus, clock, logger: silent });
    const row = aRow();
    bus.outages = 2;
    await table.transact([{ kind: 'put', item: newLoadBalancerItem(row) }]);
    await stream.drained();
    await setTo(table, row.id, 'PENDING_UPDATE');
    await stream.drained();
    expect(bus.published).toEqual([]);
    await setTo(table, row.id, 'ERROR', { reason: 'no room' });
    await stream.drained();
    expect(statusesOf(bus.published)).toEqual([
      [null, 'ACTIVE'],
      ['ACTIVE', 'PENDING_UPDATE'],
      ['PENDING_UPDATE', 'ERROR'],
    ]);
    expect(bus.published.at(-1)!.detail).toMatchObject({ reason: 'no room', load_balancer_name: 'web' });
    const sequences = bus.published.map(({ sequence }) => sequence);
    expect(sequences).toEqual(sequences.toSorted());
    await table.close();
  });

  it('tells after a restart what a killed process wrote and did not tell, and again under the same id what it did not note as told', async () => {
    const [killed, lost] = [new SqliteTable({ path }), new NoopEventDriver()];
    const changes = killed.watch({ concerns: isToldOf, clock, onChanged() {} });
    const row = aRow();
    await killed.transact([{ kind: 'put', item: newLoadBalancerItem(row) }]);
    const told = new NoopEventDriver();
    await relayOf(killed, told)(changes.read(10));
    await setTo(killed, row.id, 'PENDING_UPDATE');
    await killed.close();

    const [table, bus] = [new SqliteTable({ path }), new Bus()];
    await new TableStream({ table, events: bus, clock, logger: silent }).drained();
    expect(lost.published).toEqual([]);
    expect(statusesOf(bus.published)).toEqual([
      [null, 'ACTIVE'],
      ['ACTIVE', 'PENDING_UPDATE'],
    ]);
    expect(bus.published[0]).toEqual(told.published[0]);
    await table.close();
    const again = new SqliteTable({ path });
    const nothing = new Bus();
    await new TableStream({ table: again, events: nothing, clock, logger: silent }).drained();
    expect(nothing.published).toEqual([]);
    await again.close();
  });

  it('tells nothing of a transaction that was refused', async () => {
    const [table, bus] = [new SqliteTable({ path }), new Bus()];
    const stream = new TableStream({ table, events: bus, clock, logger: silent });
    const item = newLoadBalancerItem(aRow());
    await table.transact([{ kind: 'put', item }]);
    const other = newLoadBalancerItem(aRow());
    const refused = table.transact([
      { kind: 'put', item: other },
      { kind: 'put', item, when: { exists: false } },
    ]);
    await expect(refused).rejects.toThrow();
    await stream.drained();
    expect(bus.published.map(({ resource_id }) => resource_id)).toEqual([item['id']]);
    await table.close();
  });

  it('has the writes of two processes told in one order, each once', async () => {
    const [mine, others, bus] = [new SqliteTable({ path }), new SqliteTable({ path }), new Bus()];
    const stream = new TableStream({ table: mine, events: bus, clock, logger: silent });
    others.watch({ concerns: isToldOf, clock, onChanged() {} });
    const row = aRow();
    await mine.transact([{ kind: 'put', item: newLoadBalancerItem(row) }]);
    await Promise.all(
      [mine, others, mine, others].map((table, index) => setTo(table, row.id, index % 2 ? 'ACTIVE' : 'PENDING_UPDATE')),
    );
    stream.tell();
    await stream.drained();
    const chain = bus.published.map(({ detail: { from, to } }) => ({ from, to }));
    // Each begins where the one before ended: none is missing, none out of its place.
    for (const [index, { from }] of chain.entries()) expect(from).toBe(index === 0 ? null : chain[index - 1]!.to);
    expect(new Set(bus.published.map(({ id }) => id)).size).toBe(bus.published.length);
    await Promise.all([mine.close(), others.close()]);
  });
});

/** What the worker's relay is given on AWS for these changes. */
const streamEvent = (changes: TableChange[]): DynamoDBStreamEvent => ({
  Records: changes.map(({ id, sequence, at, key, before, after }) => ({
    eventID: `record-${id}`,
    eventName: before === undefined ? 'INSERT' : after === undefined ? 'REMOVE' : 'MODIFY',
    dynamodb: {
      Keys: marshall(key) as never,
      SequenceNumber: sequence.replace(/^0+/, ''),
      ApproximateCreationDateTime: at / 1_000,
      ...(before && { OldImage: marshall(before, { removeUndefinedValues: true }) as never }),
      ...(after && { NewImage: marshall(after, { removeUndefinedValues: true }) as never }),
    },
  })),
});
const relayOf = (table: SqliteTable, events: NoopEventDriver) => async (changes: TableChange[]) => {
  await tellStatusNews({ table, events }, changes);
};

describe("the relay of the table's stream", () => {
  async function written(): Promise<{ table: SqliteTable; changes: TableChange[] }> {
    const table = new SqliteTable({ path });
    const log = table.watch({ concerns: isToldOf, clock, onChanged() {} });
    const [one, two] = [aRow(), aRow()];
    for (const row of [one, two]) await table.transact([{ kind: 'put', item: newLoadBalancerItem(row) }]);
    for (const status of ['PENDING_UPDATE', 'ACTIVE'] as const)
      for (const { id } of [one, two]) await setTo(table, id, status);
    const changes = log.read(100);
    // Told by the relay alone.
    log.drop(changes.at(-1)!);
    return { table, changes };
  }

  it('publishes the same ids and bytes when the stream gives a batch twice', async () => {
    const { table, changes } = await written();
    const events = new Bus();
    const services = testServices({ table, events });
    await relayOutboxHandler(services)(streamEvent(changes));
    const once = events.published.splice(0);
    await relayOutboxHandler(services)(streamEvent(changes));
    expect(once).toHaveLength(6);
    expect(events.published).toEqual(once);
    expect(new Set(once.map(({ id }) => id)).size).toBe(6);
    await table.close();
  });

  it('fails when the bus takes nothing, so that the batch comes again', async () => {
    const { table, changes } = await written();
    const events = new Bus();
    events.outages = 1;
    const services = testServices({ table, events });
    await expect(relayOutboxHandler(services)(streamEvent(changes))).rejects.toThrow('the bus is away');
    await relayOutboxHandler(services)(streamEvent(changes));
    for (const id of new Set(events.published.map(({ load_balancer_id }) => load_balancer_id)))
      expect(statusesOf(events.published.filter(({ load_balancer_id }) => load_balancer_id === id))).toEqual([
        [null, 'ACTIVE'],
        ['ACTIVE', 'PENDING_UPDATE'],
        ['PENDING_UPDATE', 'ACTIVE'],
      ]);
    await table.close();
  });
});

it('a failover is told of by its phases, before the statuses they lead to', async () => {
  const world = new FlowWorld();
  const id = await world.createActive();
  world.outside.events.published.length = 0;
  await world.failover(id);
  await world.settle();
  await eventually('all is told', () =>
    world.outside.events.published.some(({ type }) => type === 'failover_completed'),
  );
  const told = world.outside.events.published.filter(({ resource_id }) => resource_id === id);
  expect(told.map(({ type, detail }) => detail['to'] ?? type)).toEqual([
    'PENDING_UPDATE',
    'failover_started',
    'failover_completed',
    'ACTIVE',
  ]);
  await world.close();
});
