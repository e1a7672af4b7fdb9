import type { SQSEvent } from 'aws-lambda';
import { beforeEach, expect, test } from 'vitest';
import type { Table } from '../../lambdas/drivers/table/table.ts';
import { scanChainHandler } from '../../lambdas/health-manager/scan-chain.ts';
import { healthKey } from '../../lambdas/repositories/keys.ts';
import type { Link } from '../../lambdas/repositories/scan-chains.ts';
import { FailingTable } from '../support/failing-table.ts';
import { type TestServices, testServices } from '../support/services.ts';

const readScannedAt = async (table: Table) => (await table.get({ pk: 'HEALTH#watch', sk: 'WATCH' }))?.['scanned_at'];

const amphoraId = '0b6a8d7e-2f0a-4b65-8a1b-6a6f5a2f7c10';
let services: TestServices;
let handle: ReturnType<typeof scanChainHandler>;
let table: FailingTable;
beforeEach(() => {
  table = new FailingTable();
  services = testServices({ table });
  handle = scanChainHandler(services);
});

const haveAmphora = () =>
  services.table.transact([
    {
      kind: 'put',
      item: { ...healthKey(amphoraId), amphora_id: amphoraId, last_seen: services.clock.now(), active: {} },
    },
  ]);
const loseAmphora = () => services.table.transact([{ kind: 'delete', key: healthKey(amphoraId) }]);
const everyMinute = () => handle({} as Parameters<typeof handle>[0]);
/** What was sent since it was asked last, each with the pause before it. */
const sent = () => {
  const scans = services.queue.sent.splice(0).filter(({ queue }) => queue === 'scans');
  return scans.map(({ message }) => ({ link: message.body as unknown as Link, delay: message.delaySeconds }));
};
const arrives = (link: Link) =>
  handle({ Records: [{ messageId: 'one', body: JSON.stringify(link) }] } as unknown as SQSEvent);
const pause = () => services.clock.turn(10_000);

test('with amphorae there, each look leads to the next, ten seconds later', async () => {
  await haveAmphora();
  await everyMinute();
  const [first, ...others] = sent();
  expect([first!.delay, first!.link.number, others]).toEqual([10, 1, []]);
  pause();
  expect(await arrives(first!.link)).toEqual({ batchItemFailures: [] });
  expect(await readScannedAt(services.table)).toBe(services.clock.now());
  expect(sent()).toEqual([{ link: { chain: first!.link.chain, number: 2 }, delay: 10 }]);
});

test('without amphorae nothing is sent, and a chain ends with the last of them', async () => {
  await everyMinute();
  expect(sent()).toEqual([]);
  await haveAmphora();
  await everyMinute();
  const [first] = sent();
  await loseAmphora();
  pause();
  await arrives(first!.link);
  expect(sent()).toEqual([]);
});

test('a message that comes twice leads on once', async () => {
  await haveAmphora();
  await everyMinute();
  const [first] = sent();
  await arrives(first!.link);
  expect(sent()).toHaveLength(1);
  const scannedAt = await readScannedAt(services.table);
  pause();
  await arrives(first!.link);
  expect(sent()).toEqual([]);
  expect(await readScannedAt(services.table)).toBe(scannedAt);
});

test('the schedule leaves a chain that moves alone, and begins another when one broke', async () => {
  await haveAmphora();
  await everyMinute();
  const [first] = sent();
  pause();
  await everyMinute();
  expect(sent()).toEqual([]);
  services.clock.turn(60_000);
  await everyMinute();
  const [second] = sent();
  expect(second!.link).toMatchObject({ number: 1 });
  expect(second!.link.chain).not.toBe(first!.link.chain);
  // The lost message turns up after all.
  await arrives(first!.link);
  expect(sent()).toEqual([]);
});

test('a look that fails leads on all the same', async () => {
  await haveAmphora();
  await everyMinute();
  const [first] = sent();
  // The link is taken, and then the table is away.
  table.fail(['lost before'], table.transactions + 2);
  const answer = await arrives(first!.link);
  expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 'one' }] });
  expect(sent().map(({ link }) => link.number)).toEqual([2]);
});
