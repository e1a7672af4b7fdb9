// Places on hosts, taken by writers that know nothing of each other, on each table there is.
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { newAmphora } from '../../lambdas/domain/amphora.ts';
import { amphoraeOn, newHost } from '../../lambdas/domain/host.ts';
import { TransactionCancelled } from '../../lambdas/drivers/table/table.ts';
import { claimOperation, putAmphora, readAmphora, setAmphora } from '../../lambdas/repositories/amphorae.ts';
import { RowChanged } from '../../lambdas/repositories/contention.ts';
import {
  closeEmptyHost,
  forgetHost,
  givePlaceBack,
  makeHost,
  placeClaimed,
  readHost,
  readHosts,
  readHostsMade,
  takePlace,
} from '../../lambdas/repositories/hosts.ts';
import { systemClock } from '../../lambdas/runtime/clock.ts';
import { tables, useTable } from '../support/tables.ts';

const clock = { ...systemClock, now: () => Date.parse('2025-06-01T12:00:00Z') };
const wish = { compute_flavor: null, image_tag: null, availability_zone: null, colocation: 3, image_id: 'one' };
const host = (id: string) => newHost(id, wish, '2025-06-01T12:00:00');
const of = (amphora_id: string, load_balancer_id: string | null = `lb-of-${amphora_id}`) => ({
  amphora_id,
  load_balancer_id,
});

/** Whoever meets another tries again, as everywhere. */
const retried = async <T>(work: () => Promise<T>): Promise<T> => {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries === 50 || !(error instanceof TransactionCancelled && error.isConflict)) throw error;
      await systemClock.sleep(Math.random() * 50);
    }
  }
};

describe.each(tables)('places on hosts: $name', ({ make }) => {
  const given = useTable(make);
  const store = () => ({ table: given.table, clock, newId: randomUUID });
  const born = async (...ids: string[]) => {
    for (const id of ids)
      await putAmphora(store(), newAmphora(id, null, wish, 'key', { now: clock.now(), timeoutMs: 1 }));
  };
  const seen = async (id = 'h1') => (await readHost(given.table, id))!;

  it('go to as many as there may be, of many who saw the same room', async () => {
    const ids = Array.from({ length: 12 }, (_, number) => `a${number}`);
    await born('first', ...ids);
    await makeHost(store(), host('h1'), of('first'), 0);
    const before = await seen();
    const got = await Promise.all(ids.map((id) => retried(() => takePlace(store(), before, of(id)))));
    expect(got.filter(Boolean)).toHaveLength(2);
    expect((await seen()).taken).toBe(3);
    const winners = ids.filter((_, index) => got[index]);
    expect(amphoraeOn(await seen()).toSorted()).toEqual(['first', ...winners].toSorted());
    for (const id of ids)
      expect((await readAmphora(given.table, id))?.host_id).toBe(winners.includes(id) ? 'h1' : undefined);
  });

  it('go to one amphora of a load balancer, of two that ask at once', async () => {
    await born('first', 'master', 'backup');
    await makeHost(store(), host('h1'), of('first'), 0);
    const before = await seen();
    const asked = ['master', 'backup'].map((id) => retried(() => takePlace(store(), before, of(id, 'lb'))));
    expect((await Promise.all(asked)).toSorted()).toEqual([false, true]);
    expect((await seen()).taken).toBe(2);
  });

  it('are one for an amphora, whichever host it asks for, and none for one that is given up', async () => {
    await born('first', 'second', 'twice', 'gone');
    await makeHost(store(), host('h1'), of('first'), 0);
    await makeHost(store(), host('h2'), of('second'), 1);
    const [one, other] = [await seen('h1'), await seen('h2')];
    const asked = [one, other, one].map((host) => retried(() => takePlace(store(), host, of('twice'))));
    expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(1);
    await setAmphora(store(), 'gone', { status: 'PENDING_DELETE' });
    expect(await takePlace(store(), one, of('gone'))).toBe(false);
    expect(await takePlace(store(), one, of('never born'))).toBe(false);
    expect((await readHosts(given.table)).reduce((sum, { taken }) => sum + taken, 0)).toBe(3);
  });

  it('are on one new host, when several would make one', async () => {
    const ids = ['a', 'b', 'c', 'd'];
    await born(...ids);
    const before = await readHostsMade(given.table);
    const made = await Promise.allSettled(
      ids.map((id) => retried(() => makeHost(store(), host(`h-${id}`), of(id), before))),
    );
    const refused = made.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
    expect(refused).toHaveLength(3);
    for (const reason of refused) expect(reason).toBeInstanceOf(RowChanged);
    expect(await readHosts(given.table)).toHaveLength(1);
    expect(await readHostsMade(given.table)).toBe(1);
  });

  it('are given back once', async () => {
    await born('first', 'second');
    await makeHost(store(), host('h1'), of('first'), 0);
    await takePlace(store(), await seen(), of('second'));
    const asked = [1, 2, 3].map(() => retried(() => givePlaceBack(store(), 'h1', 'second')));
    await Promise.all(asked);
    await givePlaceBack(store(), 'no such host', 'second');
    expect(await seen()).toEqual({
      ...host('h1'),
      taken: 1,
      'amphora#first': 'lb-of-first',
      'lb#lb-of-first': 'first',
    });
  });

  it("of a spare become a load balancer's, unless it has one there", async () => {
    await born('own', 'spare', 'another');
    await makeHost(store(), host('h1'), of('own', 'lb-1'), 0);
    for (const id of ['spare', 'another']) {
      await takePlace(store(), await seen(), of(id, null));
      await setAmphora(store(), id, { status: 'READY' });
    }
    const claim = (id: string, owner: string) =>
      given.table.transact([claimOperation(store(), id, owner, 'MASTER'), placeClaimed('h1', id, owner)]);
    await expect(claim('spare', 'lb-1')).rejects.toThrow(TransactionCancelled);
    await claim('spare', 'lb-2');
    await expect(claim('another', 'lb-2')).rejects.toThrow(TransactionCancelled);
    expect((await readAmphora(given.table, 'another'))?.status).toBe('READY');
    await givePlaceBack(store(), 'h1', 'spare');
    await claim('another', 'lb-2');
    expect((await seen()).taken).toBe(2);
  });

  it('are none on a host that is being ended, which is so only when nobody has one', async () => {
    await born('first', 'late');
    await makeHost(store(), host('h1'), of('first'), 0);
    const full = await seen();
    expect(await closeEmptyHost(store(), full)).toBe(false);
    await givePlaceBack(store(), 'h1', 'first');
    const empty = await seen();
    // Somebody comes between the look and the write.
    await takePlace(store(), empty, of('late'));
    expect(await closeEmptyHost(store(), empty)).toBe(false);
    await givePlaceBack(store(), 'h1', 'late');
    expect(await closeEmptyHost(store(), await seen())).toBe(true);
    await born('later');
    expect(await takePlace(store(), empty, of('later'))).toBe(false);
    await forgetHost(store(), 'h1');
    expect(await takePlace(store(), empty, of('later'))).toBe(false);
    expect(await readHosts(given.table)).toEqual([]);
  });
});
