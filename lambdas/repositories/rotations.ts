// What is written of an amphora while what it was born with is renewed: whose turn it is, and both keys of its heartbeats.
import type { AmphoraRow } from '../domain/amphora.ts';
import { longerPause } from '../domain/load-balancer.ts';
import type { Condition } from '../drivers/table/table.ts';
import { setAmphora } from './amphorae.ts';
import type { Store } from './store.ts';

/** Makes an execution the one that renews. @returns false when another was first */
export function claimRotation(store: Store, seen: AmphoraRow, rotation: string, until: number): Promise<boolean> {
  const when = seen.rotation === undefined ? { missing: ['rotation'] } : { equals: { rotation: seen.rotation } };
  return setAmphora(store, seen.id, { rotation, rotation_until: until }, when);
}

/** Writes only as long as the execution has its turn. */
export const setRotated = (store: Store, id: string, rotation: string, set: Partial<AmphoraRow>): Promise<boolean> =>
  setAmphora(store, id, set, { equals: { rotation } });

export const endRotation = (store: Store, id: string, rotation: string): Promise<boolean> =>
  setRotated(store, id, rotation, { rotation: null, rotation_pause: null, is_rotation_asked: false });

export const failRotation = (store: Store, { id, rotation_pause }: AmphoraRow, rotation: string): Promise<boolean> =>
  setRotated(store, id, rotation, {
    rotation: null,
    rotation_pause: longerPause(rotation_pause, store.clock.now()),
  });

/** The next key of its heartbeats, sealed, beside the one in use. @returns false when there is one already, or the turn is over */
export function putNextHeartbeatKey(store: Store, seen: AmphoraRow, rotation: string, sealed: string) {
  const set = { next_heartbeat_key: sealed, next_heartbeat_key_at: store.clock.now() };
  const when: Condition =
    seen.next_heartbeat_key === undefined
      ? { equals: { rotation }, missing: ['next_heartbeat_key'] }
      : { equals: { rotation, next_heartbeat_key: null } };
  return setAmphora(store, seen.id, set, when);
}

/** It was used: from now on it is the key, and the one before holds for what is still on its way. @returns false: done before */
export const promoteHeartbeatKey = (store: Store, seen: AmphoraRow, next: string): Promise<boolean> =>
  setAmphora(
    store,
    seen.id,
    {
      heartbeat_key: next,
      heartbeat_key_version: (seen.heartbeat_key_version ?? 0) + 1,
      heartbeat_key_at: store.clock.now(),
      previous_heartbeat_key: seen.heartbeat_key,
      next_heartbeat_key: null,
    },
    { equals: { next_heartbeat_key: next, heartbeat_key: seen.heartbeat_key } },
  );
