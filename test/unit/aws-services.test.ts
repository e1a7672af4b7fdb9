import { EventBridgeClient, type PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { marshall } from '@aws-sdk/util-dynamodb';
import { describe, expect, it } from 'vitest';
import type { OctaviaEvent } from '../../lambdas/drivers/events/event-driver.ts';
import { EventBridgeEventDriver } from '../../lambdas/drivers/events/eventbridge.ts';
import { outboxPrefix, TableOutbox } from '../../lambdas/drivers/queue/outbox.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import type { Item, Operation, Table } from '../../lambdas/drivers/table/table.ts';
import { awsServices } from '../../lambdas/runtime/aws-services.ts';
import { defaultConfig } from '../../lambdas/runtime/config.ts';
import { jsonLogger } from '../../lambdas/runtime/json-logger.ts';
import { lazily } from '../../lambdas/runtime/lazily.ts';
import { silentLogger } from '../../lambdas/runtime/logger.ts';
import { relayOutboxHandler } from '../../lambdas/worker/relay-outbox.ts';
import { testServices } from '../support/services.ts';

const anEvent = (number: number): OctaviaEvent => ({
  id: `event-${number}`,
  type: 'provisioning_status_changed',
  time: '2026-03-10T12:00:00.000Z',
  project_id: 'project',
  load_balancer_id: 'lb',
  resource: 'loadbalancer',
  resource_id: 'lb',
  detail: { from: 'ACTIVE', to: 'PENDING_UPDATE', load_balancer_name: 'web' },
});

describe('a lazy driver', () => {
  it('is made by its first call, once', async () => {
    let made = 0;
    const driver = lazily(async () => {
      made += 1;
      return { double: async (value: number) => value * 2 };
    });
    expect(made).toBe(0);
    expect(await Promise.all([driver.double(1), driver.double(2)])).toEqual([2, 4]);
    expect(made).toBe(1);
  });

  it('is made anew after it could not be', async () => {
    let attempts = 0;
    const driver = lazily(async () => {
      attempts += 1;
      if (attempts === 1) throw new Error('not yet');
      return { answer: async () => 42 };
    });
    await expect(driver.answer()).rejects.toThrow('not yet');
    expect(await driver.answer()).toBe(42);
  });

  it('may be handed on by an asynchronous function', async () => {
    const driver = lazily(async () => ({ answer: async () => 42 }));
    expect(await (await Promise.resolve(driver)).answer()).toBe(42);
  });
});

describe('services on AWS', () => {
  it('need nothing until they are used', () => {
    expect(Object.keys(awsServices('test', defaultConfig)).sort()).toEqual(Object.keys(testServices()).sort());
  });

  it('say which setting is missing when a function without the sealing key has something sealed', () => {
    const { sealer } = awsServices('test', defaultConfig);
    expect(() => sealer.seal('text', 'purpose')).toThrow('setting sealing_key');
  });

  it('open what was sealed with the same secret', () => {
    const services = () => awsServices('test', { ...defaultConfig, sealing_key: 'the secret' });
    expect(services().sealer.open(services().sealer.seal('text', 'purpose'), 'purpose')).toBe('text');
  });
});

describe('the logger', () => {
  it('leaves out what is secret, however deep it lies', () => {
    const written: string[] = [];
    const write = process.stdout.write;
    process.stdout.write = ((text: string) => written.push(String(text)) > 0) as typeof write;
    try {
      jsonLogger('test').info('login', {
        headers: { 'X-Auth-Token': 'secret-1' },
        user: { password: 'secret-2', name: 'demo' },
        row: { heartbeat_key: 'secret-3', sealed_private_key: 'secret-4' },
      });
    } finally {
      process.stdout.write = write;
    }
    expect(written.join('')).toContain('"demo"');
    expect(written.join('')).not.toContain('secret-');
  });
});

describe('events on EventBridge', () => {
  const driverWith = (send: (command: PutEventsCommand) => Promise<unknown>, warnings: string[] = []) => {
    const client = Object.assign(new EventBridgeClient({ region: 'eu-central-1' }), { send });
    const logger = { warn: (message: string) => warnings.push(message) };
    return new EventBridgeEventDriver({ busName: 'octavia', client: () => client as EventBridgeClient, logger });
  };

  it('go in tens, in their order, each under its type', async () => {
    const sizes: number[] = [];
    const ids: string[] = [];
    const driver = driverWith(async ({ input: { Entries = [] } }) => {
      sizes.push(Entries.length);
      ids.push(...Entries.map(({ Detail }) => JSON.parse(Detail!).id));
      expect(Entries[0]).toMatchObject({
        EventBusName: 'octavia',
        Source: 'octavia',
        DetailType: 'provisioning_status_changed',
      });
      return { FailedEntryCount: 0 };
    });
    const events = Array.from({ length: 25 }, (_, number) => anEvent(number));
    await driver.publish(events);
    expect(sizes).toEqual([10, 10, 5]);
    expect(ids).toEqual(events.map(({ id }) => id));
  });

  it('are dropped with a warning when the bus is away or refuses some', async () => {
    const warnings: string[] = [];
    await driverWith(() => Promise.reject(new Error('away')), warnings).publish([anEvent(1)]);
    await driverWith(async () => ({ FailedEntryCount: 1 }), warnings).publish([anEvent(1)]);
    expect(warnings).toHaveLength(2);
  });

  it('are refused with the reason to whoever comes again until all are taken', async () => {
    const refusing = driverWith(async () => ({ FailedEntryCount: 1, Entries: [{ ErrorCode: 'ThrottlingException' }] }));
    await expect(refusing.deliver([anEvent(1)])).rejects.toThrow('refused 1 of 1 events: ThrottlingException');
    await expect(driverWith(() => Promise.reject(new Error('away'))).deliver([anEvent(1)])).rejects.toThrow('away');
  });
});

describe('the outbox of functions inside the VPC', () => {
  /** A table that notes what is put, as its stream would tell it. */
  function tableWithStream() {
    const put: Item[] = [];
    const table = new SqliteTable({ path: ':memory:' });
    const transact = async (operations: Operation[]) => {
      await table.transact(operations);
      put.push(...operations.flatMap((one) => (one.kind === 'put' ? one.item : [])));
    };
    const noted: Pick<Table, 'transact'> = { transact };
    const stream = () => ({
      Records: put.map((item) => ({ eventName: 'INSERT', dynamodb: { NewImage: marshall(item) } })) as any,
    });
    return { table: Object.assign(Object.create(table) as Table, noted), put, stream };
  }

  it('hands messages and events to the function outside as they were given', async () => {
    const { table, put, stream } = tableWithStream();
    const services = testServices();
    const outbox = new TableOutbox({ ...services, table });
    const message = { group: 'lb', deduplication: 'lb-1', body: { load_balancer_id: 'lb', generation: 1 } };
    const events = Array.from({ length: 150 }, (_, number) => anEvent(number));
    await outbox.send('operations', message);
    await outbox.publish(events);
    expect(put.every(({ pk }) => pk.startsWith(outboxPrefix))).toBe(true);
    expect(await relayOutboxHandler(services)(stream())).toEqual({ relayed: 3 });
    expect(services.queue.sent).toEqual([{ queue: 'operations', message }]);
    expect(services.events.published).toEqual(events);
  });

  it('loses events rather than the work they tell of when the table is away', async () => {
    const transact = () => Promise.reject(new Error('away'));
    const { table } = tableWithStream();
    const outbox = new TableOutbox({
      ...testServices(),
      logger: silentLogger,
      table: Object.assign(table, { transact }),
    });
    await expect(outbox.publish([anEvent(1)])).resolves.toBeUndefined();
    await expect(outbox.send('work', { group: 'lb', deduplication: '1', body: {} })).rejects.toThrow('away');
  });
});
