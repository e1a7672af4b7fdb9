// What every table answers, with DynamoDB's limits: SQLite for one machine, DynamoDB through the real SDK.
import { beforeEach, describe, expect, it } from 'vitest';
import { type Item, queryAll } from '../../lambdas/drivers/table/table.ts';
import { kilobytes, lb, member, put, sortKeys, tables, useTable } from '../support/tables.ts';

describe.each(tables)('table in $name', ({ make }) => {
  const given = useTable(make);

  describe('values', () => {
    it('gives back every JSON value as it was put', async () => {
      const item: Item = {
        ...lb,
        name: '',
        description: null,
        status: 'ONLINE',
        type: 'SOURCE_IP',
        position: 1,
        weight: 0,
        since_ms: 1_789_000_000_123,
        negative: -7.25,
        fraction: 0.1,
        small: 1.5e-9,
        largest: Number.MAX_SAFE_INTEGER,
        admin_state_up: true,
        backup: false,
        tags: ['a', '', 'ü', '負荷分散', '🐙', '"quoted"\n\u0000'],
        nested: { lists: [[], [null, { deep: [1, 'two', false] }], {}], empty: {} },
        'dotted.name-with spaces': 'kept',
      };
      await given.table.transact([put(item)]);
      expect(await given.table.get(lb)).toStrictEqual(item);
    });

    it('leaves out undefined attributes, at the top and below', async () => {
      await given.table.transact([put({ ...lb, name: undefined, nested: { a: 1, b: undefined } })]);
      expect(await given.table.get(lb)).toStrictEqual({ ...lb, nested: { a: 1 } });
    });

    it.each([
      ['not a number', Number.NaN],
      ['an integer beyond 2^53', 2 ** 60],
      ['a date', new Date(0)],
      ['undefined in a list', [undefined]],
      ['a function', () => 1],
      ['a set', new Set([1])],
    ])('refuses %s', async (_name, value) => {
      await expect(given.table.transact([put({ ...lb, value })])).rejects.toThrow(TypeError);
      await expect(given.table.transact([{ kind: 'update', key: lb, set: { value } }])).rejects.toThrow(TypeError);
      expect(await given.table.get(lb)).toBeUndefined();
    });

    it('refuses keys that are empty, too long or no strings', async () => {
      for (const key of [
        { pk: '', sk: 'LB' },
        { pk: 'LB', sk: '' },
        { pk: 'LB', sk: 'ü'.repeat(600) },
      ]) {
        await expect(given.table.get(key)).rejects.toThrow(TypeError);
        await expect(given.table.transact([put(key)])).rejects.toThrow(TypeError);
      }
      await expect(given.table.transact([put({ ...lb, type_pk: '', type_sk: 'x' })])).rejects.toThrow(TypeError);
      await expect(given.table.transact([{ kind: 'update', key: lb, set: { type_pk: null } }])).rejects.toThrow(
        TypeError,
      );
    });

    it('keeps keys apart whatever characters they have', async () => {
      const keys = ['a', 'A', 'ä', 'a ', '%', "a'b", '🐙', '～'].map((sk) => ({ pk: 'LB#ü🐙', sk }));
      await given.putAll(keys.map((key, number) => ({ ...key, number })));
      for (const [number, key] of keys.entries()) expect(await given.table.get(key)).toStrictEqual({ ...key, number });
    });
  });

  describe('get', () => {
    it('answers undefined for an item that does not exist', async () => {
      expect(await given.table.get(lb)).toBeUndefined();
    });

    it('gets 250 keys at once, without those missing and without repetition', async () => {
      const items = Array.from({ length: 240 }, (_, number) => member(number, { number }));
      await given.putAll(items);
      const keys = [...items, ...items.slice(0, 5), member(900), member(901)].map(({ pk, sk }) => ({ pk, sk }));
      const found = await given.table.batchGet(keys);
      expect(sortKeys(found).sort()).toEqual(sortKeys(items));
      expect(await given.table.batchGet([])).toEqual([]);
    });

    it('gets items of more bytes than one answer takes', async () => {
      const items = Array.from({ length: 8 }, (_, number) => member(number, { filler: kilobytes(350) }));
      await given.putAll(items);
      expect(sortKeys(await given.table.batchGet(items)).sort()).toEqual(sortKeys(items));
    });
  });

  describe('query', () => {
    const listeners = ['LISTENER#a', 'LISTENER#b', 'LISTENER#c', 'LISTENER', 'LISTENERS', 'LB', 'POOL#a'].map((sk) => ({
      pk: 'LB#1',
      sk,
    }));
    beforeEach(() => given.putAll([...listeners, { pk: 'LB#10', sk: 'LB' }]));

    it('reads one partition in sort key order, either way', async () => {
      const sorted = ['LB', 'LISTENER', 'LISTENER#a', 'LISTENER#b', 'LISTENER#c', 'LISTENERS', 'POOL#a'];
      expect(sortKeys((await given.table.query({ pk: 'LB#1' })).items)).toEqual(sorted);
      expect(sortKeys((await given.table.query({ pk: 'LB#1', reverse: true })).items)).toEqual(sorted.toReversed());
      expect(await given.table.query({ pk: 'LB#2' })).toEqual({ items: [] });
    });

    it('reads the sort keys with a prefix, either way', async () => {
      const prefixed = ['LISTENER#a', 'LISTENER#b', 'LISTENER#c'];
      expect(sortKeys((await given.table.query({ pk: 'LB#1', prefix: 'LISTENER#' })).items)).toEqual(prefixed);
      const reversed = await given.table.query({ pk: 'LB#1', prefix: 'LISTENER#', reverse: true, limit: 2 });
      expect(sortKeys(reversed.items)).toEqual(['LISTENER#c', 'LISTENER#b']);
      expect(sortKeys((await given.table.query({ pk: 'LB#1', prefix: '' })).items)).toHaveLength(7);
    });

    it('reads the sort keys between two, both included', async () => {
      const { items } = await given.table.query({ pk: 'LB#1', between: ['LISTENER#a', 'LISTENER#b'] });
      expect(sortKeys(items)).toEqual(['LISTENER#a', 'LISTENER#b']);
    });

    it('orders sort keys by their UTF-8 bytes', async () => {
      const keys = ['a', 'ä', '～', '🐙'];
      await given.putAll(keys.toReversed().map((sk) => ({ pk: 'LB#3', sk })));
      expect(sortKeys((await given.table.query({ pk: 'LB#3' })).items)).toEqual(keys);
    });

    it.each([
      { limit: 0 },
      { limit: 1.5 },
      { prefix: 'a', between: ['a', 'b'] as [string, string] },
      { between: ['b', 'a'] as [string, string] },
      { between: ['', 'a'] as [string, string] },
      { after: 'no cursor' },
      { after: '' },
    ])('refuses %o', async (bounds) => {
      await expect(given.table.query({ pk: 'LB#1', ...bounds })).rejects.toThrow(TypeError);
      await expect(given.table.queryIndex({ index: 'by_type', pk: 'LB', ...bounds })).rejects.toThrow(TypeError);
    });

    it.each([false, true])('goes on after a page, with every item once (reverse: %s)', async (reverse) => {
      const items = await queryAll(given.table, { pk: 'LB#1', prefix: 'LISTENER#', limit: 2, reverse });
      expect(sortKeys(items)).toEqual(
        reverse ? ['LISTENER#c', 'LISTENER#b', 'LISTENER#a'] : ['LISTENER#a', 'LISTENER#b', 'LISTENER#c'],
      );
      expect(
        sortKeys(await queryAll(given.table, { pk: 'LB#1', limit: 1, between: ['LB', 'LISTENER#a'], reverse })),
      ).toHaveLength(3);
    });

    it('goes on at the same place when items before it and the last one read are deleted', async () => {
      const first = await given.table.query({ pk: 'LB#1', limit: 3 });
      await given.table.transact([
        { kind: 'delete', key: { pk: 'LB#1', sk: 'LB' } },
        { kind: 'delete', key: { pk: 'LB#1', sk: 'LISTENER#a' } },
        put({ pk: 'LB#1', sk: 'AMPHORA' }),
      ]);
      const rest = await given.table.query({ pk: 'LB#1', after: first.next });
      expect(sortKeys(rest.items)).toEqual(['LISTENER#b', 'LISTENER#c', 'LISTENERS', 'POOL#a']);
      expect(rest.next).toBeUndefined();
    });

    it('refuses the cursor of another query', async () => {
      const { next } = await given.table.query({ pk: 'LB#1', limit: 1 });
      await expect(given.table.query({ pk: 'LB#1', prefix: 'POOL#', after: next })).rejects.toThrow(TypeError);
      await expect(given.table.queryIndex({ index: 'by_type', pk: 'LB', after: next })).rejects.toThrow(TypeError);
    });

    it('ends a page at 1 MB', async () => {
      const items = Array.from({ length: 11 }, (_, number) => member(number, { filler: kilobytes(300) }));
      await given.putAll(items);
      const page = await given.table.query({ pk: 'LB#1', prefix: 'MEMBER#' });
      expect(page.next).toBeDefined();
      // DynamoDB ends a page with the item that crosses 1 MB, SQLite with the one before.
      expect([3, 4]).toContain(page.items.length);
      expect(sortKeys(await queryAll(given.table, { pk: 'LB#1', prefix: 'MEMBER#' }))).toEqual(sortKeys(items));
    });
  });

  describe('indexes', () => {
    const indexed = (number: number, more: Partial<Item> = {}) =>
      member(number, {
        project_pk: 'project-1#MEMBER',
        project_sk: `2026-01-0${number}#${number}`,
        type_pk: 'MEMBER',
        type_sk: `2026-01-0${9 - number}#${number}`,
        ...more,
      });
    beforeEach(() => given.putAll([3, 1, 2, 4].map((number) => indexed(number, { name: `member-${number}` }))));

    it('reads whole items in the order of the index', async () => {
      const { items } = await given.table.queryIndex({ index: 'by_project', pk: 'project-1#MEMBER' });
      expect(items).toStrictEqual([1, 2, 3, 4].map((number) => indexed(number, { name: `member-${number}` })));
      const byType = await given.table.queryIndex({ index: 'by_type', pk: 'MEMBER', limit: 2 });
      expect(sortKeys(byType.items)).toEqual(['MEMBER#004', 'MEMBER#003']);
      const bounds = { prefix: '2026-01-02', reverse: true };
      expect(
        (await given.table.queryIndex({ index: 'by_project', pk: 'project-1#MEMBER', ...bounds })).items,
      ).toHaveLength(1);
    });

    it.each([false, true])('pages through items with one index sort key (reverse: %s)', async (reverse) => {
      const items = Array.from({ length: 7 }, (_, number) =>
        member(number, { pending_pk: 'PENDING', pending_sk: 'noon' }),
      );
      await given.putAll(items);
      const found = await queryAll(given.table, { index: 'pending', pk: 'PENDING', limit: 2, reverse });
      expect(sortKeys(found).sort()).toEqual(sortKeys(items));
    });

    it('has an item only while it has both keys of the index', async () => {
      const pending = async () => {
        const between: [string, string] = ['2026-01-01T00:00:00Z', '2026-01-01T00:05:00Z'];
        return sortKeys((await given.table.queryIndex({ index: 'pending', pk: 'PENDING', between })).items);
      };
      const key = { pk: 'LB#1', sk: 'MEMBER#001' };
      expect(await pending()).toEqual([]);
      await given.table.transact([{ kind: 'update', key, set: { pending_pk: 'PENDING' } }]);
      expect(await pending()).toEqual([]);
      await given.table.transact([{ kind: 'update', key, set: { pending_sk: '2026-01-01T00:05:00Z' } }]);
      expect(await pending()).toEqual(['MEMBER#001']);
      await given.table.transact([{ kind: 'update', key, set: { pending_sk: '2026-01-01T00:06:00Z' } }]);
      expect(await pending()).toEqual([]);
      await given.table.transact([{ kind: 'update', key, set: { pending_sk: '2026-01-01T00:01:00Z' } }]);
      expect(await pending()).toEqual(['MEMBER#001']);
      await given.table.transact([{ kind: 'update', key, remove: ['pending_pk', 'pending_sk'] }]);
      expect(await pending()).toEqual([]);
    });

    it('has no item that was deleted', async () => {
      await given.table.transact([{ kind: 'delete', key: { pk: 'LB#1', sk: 'MEMBER#002' } }]);
      const { items } = await given.table.queryIndex({ index: 'by_project', pk: 'project-1#MEMBER' });
      expect(sortKeys(items)).toEqual(['MEMBER#001', 'MEMBER#003', 'MEMBER#004']);
    });
  });
});
