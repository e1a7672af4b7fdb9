// The stream of a table in a test, as DynamoDB and the table on one machine have theirs: changes are told in the order they were written.
import { isToldOf, tellStatusNews } from '../../lambdas/controller/status-news.ts';
import type { EventDriver } from '../../lambdas/drivers/events/event-driver.ts';
import { SqliteTable } from '../../lambdas/drivers/table/sqlite.ts';
import type { TableChange } from '../../lambdas/drivers/table/stream.ts';
import type { Operation, Table } from '../../lambdas/drivers/table/table.ts';
import { TableStream } from '../../local/table-stream.ts';

interface Parts {
  events: EventDriver;
  clock: { now(): number };
  logger: { warn(message: string): void };
}

const keyOf = (operation: Operation) =>
  operation.kind === 'put' ? { pk: operation.item.pk, sk: operation.item.sk } : operation.key;

/** One write at a time, as what lay there before has to be read for it: the engines for tests have no streams. */
function watched(table: Table, { events, clock }: Parts): Table {
  let turn: Promise<unknown> = Promise.resolve();
  let sequence = 0;
  const write = async (operations: Operation[]): Promise<void> => {
    const keys = operations.map(keyOf).filter(isToldOf);
    const read = async () => new Map((await table.batchGet(keys)).map((item) => [`${item.pk} ${item.sk}`, item]));
    const before = await read();
    await table.transact(operations);
    const after = await read();
    const changes = keys.map((key): TableChange => {
      const [was, is] = [before.get(`${key.pk} ${key.sk}`), after.get(`${key.pk} ${key.sk}`)];
      sequence += 1;
      const id = String(sequence);
      return {
        id,
        sequence: id.padStart(40, '0'),
        at: clock.now(),
        key,
        ...(was && { before: was }),
        ...(is && { after: is }),
      };
    });
    await tellStatusNews({ table, events }, changes);
  };
  // What a test puts in a method's place calls this table, and not the one below it.
  const replaced = new Map<string | symbol, unknown>();
  return new Proxy(table, {
    set: (_target, name, value) => Boolean(replaced.set(name, value)),
    get(target, name) {
      if (replaced.has(name)) return replaced.get(name);
      if (name === 'transact')
        return (operations: Operation[]) => {
          if (!operations.map(keyOf).some(isToldOf)) return table.transact(operations);
          const done = turn.then(() => write(operations));
          turn = done.catch(() => {});
          return done;
        };
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** The table, told of to the events. */
export function streamed(table: Table, parts: Parts): Table {
  if (!(table instanceof SqliteTable)) return watched(table, parts);
  new TableStream({ table, ...parts });
  return table;
}
