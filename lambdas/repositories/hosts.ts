// Hosts and the places on them. A place is taken and given back by conditions on the host's row, together with the amphora's: never more
// than its flavor allows, and never two of one load balancer, however many look for one at once.
import { amphoraeOn, type HostRow, placeName, tenantName } from '../domain/host.ts';
import { type Key, type Operation, queryAll, type Table } from '../drivers/table/table.ts';
import { RowChanged, untilWon } from './contention.ts';
import { amphoraKey, rowOf } from './keys.ts';
import { passes } from './passes.ts';
import type { Store } from './store.ts';

const pk = 'HOSTS';
const hostKey = (id: string): Key => ({ pk, sk: id });
/** Counts hosts that were made. */
const madeKey: Key = { pk: 'HOSTS#made', sk: 'MADE' };

export async function readHosts(table: Table): Promise<HostRow[]> {
  return (await queryAll(table, { pk })).map((item) => rowOf<HostRow>(item));
}

export async function readHost(table: Table, id: string): Promise<HostRow | undefined> {
  const item = await table.get(hostKey(id));
  return item && rowOf<HostRow>(item);
}

/** To be read before hosts are, by whoever may make another. */
export const readHostsMade = async (table: Table): Promise<number> =>
  Number((await table.get(madeKey))?.['hosts_made'] ?? 0);

interface Guest {
  amphora_id: string;
  /** null for a spare. */
  load_balancer_id: string | null;
}

const places = ({ amphora_id, load_balancer_id }: Guest): Record<string, string> => ({
  [placeName(amphora_id)]: load_balancer_id ?? '',
  ...(load_balancer_id === null ? {} : { [tenantName(load_balancer_id)]: amphora_id }),
});

/** It has one place at most, and none once it is given up. */
const getsPlace = (hostId: string, { amphora_id }: Guest): Operation => ({
  kind: 'update',
  key: amphoraKey(amphora_id),
  set: { host_id: hostId },
  when: { exists: true, equals: { status: 'BOOTING' }, missing: ['host_id'] },
});

/** @returns false when the host has none any more */
export function takePlace(store: Store, { id, colocation }: HostRow, guest: Guest): Promise<boolean> {
  const set = places(guest);
  const when = { exists: true, atMost: { taken: colocation - 1 }, missing: ['is_ending', ...Object.keys(set)] };
  const take: Operation = { kind: 'update', key: hostKey(id), set, add: { taken: 1 }, when };
  return passes(store, [take, getsPlace(id, guest)]);
}

/**
 * A new host with its first amphora, unless another host was made since they were counted: then there may be room on it.
 * @throws RowChanged when that is so
 */
export async function makeHost(store: Store, host: HostRow, guest: Guest, madeBefore: number): Promise<void> {
  const made = madeBefore === 0 ? { missing: ['hosts_made'] } : { equals: { hosts_made: madeBefore } };
  const item = { ...hostKey(host.id), ...host, ...places(guest), taken: 1 };
  const isMade = await passes(store, [
    { kind: 'update', key: madeKey, add: { hosts_made: 1 }, when: made },
    { kind: 'put', item, when: { exists: false } },
    getsPlace(host.id, guest),
  ]);
  if (!isMade) throw new RowChanged('another host was made, or the amphora has a place');
}

/** The operation by which a spare's place becomes a load balancer's, on condition that no other amphora of it is on that host. */
export const placeClaimed = (hostId: string, amphoraId: string, loadBalancerId: string): Operation => ({
  kind: 'update',
  key: hostKey(hostId),
  set: places({ amphora_id: amphoraId, load_balancer_id: loadBalancerId }),
  when: { exists: true, equals: { [placeName(amphoraId)]: '' }, missing: [tenantName(loadBalancerId)] },
});

/** Once its process is gone; nothing happens when it has no place there. */
export async function givePlaceBack(store: Store, hostId: string, amphoraId: string): Promise<void> {
  await untilWon(store, hostId, async () => {
    const loadBalancerId = (await readHost(store.table, hostId))?.[placeName(amphoraId)];
    if (loadBalancerId === undefined) return;
    const leave: Operation = {
      kind: 'update',
      key: hostKey(hostId),
      add: { taken: -1 },
      remove: [placeName(amphoraId), tenantName(loadBalancerId)],
      when: { exists: true, equals: { [placeName(amphoraId)]: loadBalancerId } },
    };
    // A spare's place became a load balancer's since it was read.
    if (!(await passes(store, [leave]))) throw new RowChanged('the place is another by now');
  });
}

/** @returns whether its machine may be ended: it is empty, and from here on nobody gets a place */
export async function closeEmptyHost(store: Store, host: HostRow): Promise<boolean> {
  if (host.is_ending) return true;
  if (amphoraeOn(host).length > 0) return false;
  const when = { exists: true, equals: { taken: 0 } };
  const close: Operation = { kind: 'update', key: hostKey(host.id), set: { is_ending: true }, when };
  return untilWon(store, host.id, () => passes(store, [close]));
}

export const forgetHost = (store: Store, id: string): Promise<void> =>
  store.table.transact([{ kind: 'delete', key: hostKey(id) }]);
