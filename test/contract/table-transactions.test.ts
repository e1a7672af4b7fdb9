// What every table writes: all or nothing, on conditions, with a reason for each operation that failed.
import { describe, expect, it } from 'vitest';
import { type Condition, type Operation, queryAll, TransactionCancelled } from '../../lambdas/drivers/table/table.ts';
import { kilobytes, lb, member, put, sortKeys, tables, useTable } from '../support/tables.ts';

async function cancellationOf(transaction: Promise<void>): Promise<TransactionCancelled> {
  const error = await transaction.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(TransactionCancelled);
  return error as TransactionCancelled;
}

describe.each(tables)('table in $name', ({ make }) => {
  const given = useTable(make);

  describe('conditions', () => {
    const stored = { ...lb, name: 'web', status: 'ACTIVE', position: 3, type: true, description: null };
    const cases: [Condition, boolean][] = [
      [{ exists: true }, true],
      [{ exists: false }, false],
      [{}, true],
      [{ equals: { name: 'web', status: 'ACTIVE', position: 3, type: true, description: null } }, true],
      [{ equals: { name: 'web', status: 'ERROR' } }, false],
      [{ equals: { position: '3' } }, false],
      [{ equals: { absent: null } }, false],
      [{ equals: { name: null } }, false],
      [{ oneOf: { status: ['ERROR', 'ACTIVE'] } }, true],
      [{ oneOf: { status: ['ERROR'] } }, false],
      [{ oneOf: { absent: ['ERROR'] } }, false],
      [{ differs: { status: 'ERROR' } }, true],
      [{ differs: { status: 'ACTIVE' } }, false],
      [{ differs: { absent: 'ACTIVE' } }, true],
      [{ differs: { description: 'x', position: '3' } }, true],
      [{ missing: ['absent'] }, true],
      [{ missing: ['absent', 'description'] }, false],
      [{ atMost: { position: 3 } }, true],
      [{ atMost: { position: 2.5 } }, false],
      [{ atMost: { name: 3 } }, false],
      [{ atMost: { absent: 3 } }, false],
      [{ below: { position: 4 } }, true],
      [{ below: { position: 3 } }, false],
      [{ below: { status: 'B' } }, true],
      [{ below: { status: 'ACTIVE' } }, false],
      [{ below: { position: '4' } }, false],
      [{ below: { absent: 4 } }, false],
      [{ exists: true, equals: { name: 'web' }, atMost: { position: 9 }, missing: ['absent'] }, true],
      [{ exists: true, equals: { name: 'web' }, atMost: { position: 1 }, missing: ['absent'] }, false],
    ];

    it.each(cases)('%j on a stored item: %s', async (when, isMet) => {
      await given.table.transact([put(stored)]);
      const alone = given.table.transact([{ kind: 'update', key: lb, set: { status: 'DONE' }, when }]);
      if (isMet) return expect(await alone).toBeUndefined();
      expect((await cancellationOf(alone)).reasons).toStrictEqual([{ code: 'ConditionalCheckFailed', item: stored }]);
      const together = given.table.transact([put(member(1)), { kind: 'check', key: lb, when }]);
      expect((await cancellationOf(together)).reasons).toStrictEqual([
        { code: 'None' },
        { code: 'ConditionalCheckFailed', item: stored },
      ]);
    });

    it.each<[Condition, boolean]>([
      [{ exists: false }, true],
      [{ exists: true }, false],
      [{ equals: { name: 'web' } }, false],
      [{ differs: { name: 'web' } }, true],
      [{ missing: ['name'] }, true],
      [{ below: { position: 1 } }, false],
    ])('%j where no item is stored: %s', async (when, isMet) => {
      for (const transaction of [[put(lb, when)], [put({ ...lb, sk: 'OTHER' }, when), put(member(1))]]) {
        if (isMet) expect(await given.table.transact(transaction)).toBeUndefined();
        else
          expect((await cancellationOf(given.table.transact(transaction))).reasons[0]).toEqual({
            code: 'ConditionalCheckFailed',
          });
      }
    });

    it('hold for deletes as well', async () => {
      await given.table.transact([put(stored)]);
      await cancellationOf(
        given.table.transact([{ kind: 'delete', key: lb, when: { equals: { status: 'DELETED' } } }]),
      );
      await given.table.transact([{ kind: 'delete', key: lb, when: { equals: { status: 'ACTIVE' } } }]);
      expect(await given.table.get(lb)).toBeUndefined();
    });
  });

  describe('transactions', () => {
    it('put over an item as a whole', async () => {
      await given.table.transact([put({ ...lb, name: 'old', vip_address: '192.0.2.1' })]);
      await given.table.transact([put({ ...lb, name: 'new' })]);
      expect(await given.table.get(lb)).toStrictEqual({ ...lb, name: 'new' });
    });

    it('update what they name and nothing else', async () => {
      await given.table.transact([put({ ...lb, name: 'web', generation: 1, lease: 'a', tags: ['x'] })]);
      const set = { name: null, status: 'ACTIVE', tags: [], ignored: undefined };
      await given.table.transact([
        { kind: 'update', key: lb, set, add: { generation: 2, position: -1.5 }, remove: ['lease', 'absent'] },
      ]);
      const expected = { ...lb, name: null, generation: 3, status: 'ACTIVE', tags: [], position: -1.5 };
      expect(await given.table.get(lb)).toStrictEqual(expected);
    });

    it('create the item an update does not find, alone and among others', async () => {
      await given.table.transact([{ kind: 'update', key: lb, add: { generation: 1 }, set: { name: 'web' } }]);
      await given.table.transact([{ kind: 'update', key: member(1), set: { name: 'web' } }]);
      await given.table.transact([put(member(3)), { kind: 'update', key: member(2), add: { weight: 5 } }]);
      expect(await given.table.get(lb)).toStrictEqual({ ...lb, generation: 1, name: 'web' });
      expect(await given.table.get(member(1))).toStrictEqual(member(1, { name: 'web' }));
      expect(await given.table.get(member(2))).toStrictEqual(member(2, { weight: 5 }));
    });

    it('add decimals as decimals', async () => {
      await given.table.transact([put({ ...lb, load: 0.1 })]);
      await given.table.transact([{ kind: 'update', key: lb, add: { load: 0.2 } }]);
      expect((await given.table.get(lb))?.['load']).toBe(0.3);
    });

    it('delete what is not there', async () => {
      await given.table.transact([{ kind: 'delete', key: lb }]);
      await given.table.transact([{ kind: 'delete', key: lb }, put(member(1))]);
      expect(await given.table.get(member(1))).toBeDefined();
    });

    it('write 100 operations of every kind at once', async () => {
      await given.putAll(Array.from({ length: 60 }, (_, number) => member(number, { weight: 1 })));
      const operations = Array.from({ length: 100 }, (_, number): Operation => {
        if (number < 20) return { kind: 'delete', key: member(number) };
        if (number < 40) return { kind: 'update', key: member(number), add: { weight: 1 } };
        return number < 60 ? { kind: 'check', key: member(number), when: { exists: true } } : put(member(number));
      });
      await given.table.transact(operations);
      const items = await queryAll(given.table, { pk: 'LB#1' });
      expect(items).toHaveLength(80);
      expect(items.filter((item) => item['weight'] === 2)).toHaveLength(20);
    });

    it('write nothing when the last of 100 operations fails, and give each operation its reason', async () => {
      await given.table.transact([put(member(99, { name: 'taken' })), put(member(7, { name: 'taken' }))]);
      const operations = Array.from({ length: 100 }, (_, number) => put(member(number), { exists: false }));
      const { reasons, isConflict } = await cancellationOf(given.table.transact(operations));
      expect(reasons).toHaveLength(100);
      const taken = (number: number) => ({ code: 'ConditionalCheckFailed', item: member(number, { name: 'taken' }) });
      expect(reasons[7]).toStrictEqual(taken(7));
      expect(reasons[99]).toStrictEqual(taken(99));
      expect(reasons.filter(({ code }) => code === 'None')).toHaveLength(98);
      expect(isConflict).toBe(false);
      expect(sortKeys(await queryAll(given.table, { pk: 'LB#1' }))).toEqual(['MEMBER#007', 'MEMBER#099']);
    });

    const update = (change: object): Operation => ({ kind: 'update', key: lb, ...change });
    it.each<[string, Operation[]]>([
      ['no operation', []],
      ['101 operations', Array.from({ length: 101 }, (_, number) => put(member(number)))],
      ['two operations on one item', [put(lb), { kind: 'delete', key: lb }]],
      ['an update of nothing', [update({ set: { name: undefined } })]],
      ['an update that sets and removes an attribute', [update({ set: { name: 'web' }, remove: ['name'] })]],
      ['an update of the key', [update({ set: { sk: 'other' } })]],
      ['a check of nothing', [put(member(1)), { kind: 'check', key: lb, when: {} }]],
      ['one of no values', [put(lb, { oneOf: { name: [] } })]],
      ['more than 4 MB', Array.from({ length: 11 }, (_, number) => put(member(number, { filler: kilobytes(395) })))],
    ])('refuse %s', async (_name, operations) => {
      await expect(given.table.transact(operations)).rejects.toThrow(TypeError);
      expect(await queryAll(given.table, { pk: 'LB#1' })).toEqual([]);
    });

    it('refuse to add to what is no number, writing nothing', async () => {
      await given.table.transact([put({ ...lb, name: 'web', description: null })]);
      const addToText: Operation = { kind: 'update', key: lb, add: { name: 1 } };
      await expect(given.table.transact([addToText])).rejects.toThrow(TypeError);
      await expect(given.table.transact([put(member(1)), addToText])).rejects.toThrow(TypeError);
      await expect(given.table.transact([{ kind: 'update', key: lb, add: { description: 1 } }])).rejects.toThrow(
        TypeError,
      );
      expect(await queryAll(given.table, { pk: 'LB#1' })).toStrictEqual([{ ...lb, name: 'web', description: null }]);
    });

    it('take an item of 400 KB and none above', async () => {
      const item = (bytes: number) => ({ pk: 'LB#1', sk: 'LB', filler: 'x'.repeat(bytes - 'pkLB#1skLBfiller'.length) });
      await given.table.transact([put(item(400 * 1024))]);
      const alone = await cancellationOf(given.table.transact([put(item(400 * 1024 + 1))]));
      expect(alone.reasons).toEqual([{ code: 'ItemTooLarge' }]);
      const together = await cancellationOf(given.table.transact([put(member(1)), put(item(400 * 1024 + 1))]));
      expect(together.reasons).toEqual([{ code: 'None' }, { code: 'ItemTooLarge' }]);
      expect(together.isConflict).toBe(false);
    });

    it('refuse an update that makes an item too large, alone and among others', async () => {
      const before = { ...lb, filler: kilobytes(390) };
      await given.table.transact([put(before)]);
      const grow: Operation = { kind: 'update', key: lb, set: { more: kilobytes(20) } };
      expect((await cancellationOf(given.table.transact([grow]))).reasons).toEqual([{ code: 'ItemTooLarge' }]);
      const { reasons } = await cancellationOf(given.table.transact([put(member(1)), grow]));
      expect(reasons).toEqual([{ code: 'None' }, { code: 'ItemTooLarge' }]);
      expect(await queryAll(given.table, { pk: 'LB#1' })).toStrictEqual([before]);
    });
  });

  describe('concurrent writers', () => {
    const pause = (attempt: number) => new Promise((resolve) => setTimeout(resolve, Math.random() * 2 * attempt));

    it('count all of 50 increments on a generation they read before', async () => {
      await given.table.transact([put({ ...lb, generation: 0 })]);
      const increment = async (writer: number) => {
        for (let attempt = 1; ; attempt++) {
          const generation = (await given.table.get(lb))!['generation'] as number;
          const set = { generation: generation + 1 };
          const operations: Operation[] = [
            { kind: 'update', key: lb, set, when: { equals: { generation } } },
            put(member(writer), { exists: false }),
          ];
          const error = await given.table.transact(operations).catch((error: unknown) => error);
          if (error === undefined) return;
          if (!(error instanceof TransactionCancelled)) throw error;
          await pause(attempt);
        }
      };
      await Promise.all(Array.from({ length: 50 }, (_, writer) => increment(writer)));
      expect((await given.table.get(lb))?.['generation']).toBe(50);
      expect(await queryAll(given.table, { pk: 'LB#1', prefix: 'MEMBER#' })).toHaveLength(50);
    });

    it('count all of 50 additions, trying again only on conflicts', async () => {
      const add = async () => {
        for (let attempt = 1; ; attempt++) {
          const error = await given.table
            .transact([{ kind: 'update', key: lb, add: { in_use: 1 } }])
            .catch((error: unknown) => error);
          if (error === undefined) return;
          if (!(error instanceof TransactionCancelled && error.isConflict)) throw error;
          await pause(attempt);
        }
      };
      await Promise.all(Array.from({ length: 50 }, add));
      expect((await given.table.get(lb))?.['in_use']).toBe(50);
    });

    it('let one of 20 claims of a spare amphora through', async () => {
      const claims = Array.from({ length: 20 }, (_, claim) =>
        given.table.transact([put({ ...lb, claim }, { exists: false })]),
      );
      const outcomes = await Promise.allSettled(claims);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    });
  });
});
