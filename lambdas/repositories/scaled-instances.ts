// What was last said of a machine of an Auto Scaling group, and where it was registered. News may come twice, late and in any order: the
// latest by the time it happened is what holds, and of two at one time the leaving.
import type { Registration } from '../domain/scaled-instance.ts';
import type { Condition, Table } from '../drivers/table/table.ts';
import { passes } from './passes.ts';
import type { Store } from './store.ts';

export interface ScaledInstance {
  instance_id: string;
  said: 'LAUNCHED' | 'LEAVING';
  /** Milliseconds since the epoch. */
  said_at: number;
  registrations: Registration[];
}

const instanceKey = (id: string) => ({ pk: `INSTANCE#${id}`, sk: 'INSTANCE' });

/** Far longer than news is late; DynamoDB then forgets it by itself. */
const keptSeconds = 7 * 86_400;

export const readScaledInstance = async (table: Table, id: string): Promise<ScaledInstance | undefined> =>
  (await table.get(instanceKey(id))) as ScaledInstance | undefined;

/** @returns what holds now: this, or what was said since */
async function say(store: Store, id: string, set: Partial<ScaledInstance>, newer: Condition, remove: string[]) {
  const update = (when: Condition) =>
    passes(store, [{ kind: 'update', key: instanceKey(id), set: { instance_id: id, ...set }, remove, when }]);
  if (!(await update(newer))) await update({ exists: false });
  return (await readScaledInstance(store.table, id))!;
}

/** Written before anything is registered, so that whoever takes it back knows where. */
export const sayLaunched = (store: Store, id: string, said_at: number, registrations: Registration[]) =>
  say(store, id, { said: 'LAUNCHED', said_at, registrations }, { below: { said_at } }, ['outbox_until']);

export const sayLeaving = (store: Store, id: string, said_at: number, registrations: Registration[]) => {
  const outbox_until = Math.floor(store.clock.now() / 1_000) + keptSeconds;
  const set = { said: 'LEAVING' as const, said_at, registrations, outbox_until };
  return say(store, id, set, { atMost: { said_at } }, []);
};
