// Answers to creates that carried an Idempotency-Key, kept for a day. The id of what is made is written down before anything is
// made: whoever takes over from a request that died can tell whether it got that far.
import { type Key, TransactionCancelled } from '../drivers/table/table.ts';
import { rowOf } from './keys.ts';
import type { Store } from './store.ts';

export interface KeyedRequest {
  /** Of method, path and body: the same key with another one is a mistake. */
  fingerprint: string;
  resource_id: string;
  state: 'running' | 'done';
  /** Which attempt runs. */
  attempt: string;
  /** Milliseconds since the epoch; an attempt that ran longer has died. */
  locked_until: number;
  status?: number;
  /** JSON; absent when it was too large to keep. */
  body?: string;
  /** Whose the resource is, so that its answer is told to nobody else. */
  project_id?: string;
}

const keptMs = 86_400_000;
/** Longer than a Lambda of the API may run. */
const lockMs = 60_000;
/** An item holds 400 KB. */
const bodyCharacters = 100_000;
const indexType = 'idempotency';
/** Each new key takes away some that have ended; housekeeping takes the rest. */
const sweptAtOnce = 10;

const keyOf = (name: string): Key => ({ pk: `IDEMPOTENCY#${name}`, sk: 'IDEMPOTENCY' });

/** @returns false when a condition failed */
async function isWritten(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof TransactionCancelled) return false;
    throw error;
  }
}

/** Forgets keys that have ended. @param limit at most 100 @returns how many */
export async function sweepKeys({ table, clock }: Store, limit: number): Promise<number> {
  const between: [string, string] = ['0', new Date(clock.now()).toISOString()];
  const { items } = await table.queryIndex({ index: 'by_type', pk: indexType, between, limit });
  if (items.length === 0) return 0;
  const isGone = await isWritten(table.transact(items.map(({ pk, sk }) => ({ kind: 'delete', key: { pk, sk } }))));
  return isGone ? items.length : 0;
}

/** What is known of a key: mine to work on (`isResumed`: somebody died at it), or what another request has made of it. */
export type Claim = { isMine: true; isResumed: boolean; row: KeyedRequest } | { isMine: false; row: KeyedRequest };

/** @returns undefined when somebody else was faster in this moment: ask again */
export async function claimKey(store: Store, name: string, fingerprint: string): Promise<Claim | undefined> {
  const now = store.clock.now();
  const key = keyOf(name);
  const item = await store.table.get(key);
  const found = item && rowOf<KeyedRequest & { kept_until: number }>(item);
  const isOver = found !== undefined && found.kept_until <= now;
  const attempt = store.newId();
  const locked_until = now + lockMs;
  if (found && !isOver) {
    const isDead = found.state === 'running' && found.locked_until <= now && found.fingerprint === fingerprint;
    if (!isDead) return { isMine: false, row: found };
    const when = { equals: { attempt: found.attempt } };
    const isMine = await isWritten(
      store.table.transact([{ kind: 'update', key, set: { attempt, locked_until }, when }]),
    );
    return isMine ? { isMine, isResumed: true, row: { ...found, attempt, locked_until } } : undefined;
  }
  const row: KeyedRequest = { fingerprint, resource_id: store.newId(), state: 'running', attempt, locked_until };
  const kept_until = now + keptMs;
  const listed = { type_pk: indexType, type_sk: new Date(kept_until).toISOString() };
  const when = found ? { equals: { attempt: found.attempt } } : { exists: false };
  const isMine = await isWritten(
    store.table.transact([{ kind: 'put', item: { ...key, ...listed, ...row, kept_until }, when }]),
  );
  if (!isMine) return undefined;
  await sweepKeys(store, sweptAtOnce);
  return { isMine, isResumed: false, row };
}

/** Keeps the answer. */
export async function finishKey(
  store: Store,
  name: string,
  attempt: string,
  answer: { status: number; body: string; project_id: string | undefined },
): Promise<void> {
  const { body, project_id, status } = answer;
  const set = { state: 'done', status, project_id, body: body.length > bodyCharacters ? undefined : body };
  const when = { equals: { attempt } };
  await isWritten(store.table.transact([{ kind: 'update', key: keyOf(name), set, when }]));
}

/** After a refusal: nothing was made, and the key may be used again. */
export async function forgetKey(store: Store, name: string, attempt: string): Promise<void> {
  await isWritten(store.table.transact([{ kind: 'delete', key: keyOf(name), when: { equals: { attempt } } }]));
}

/** After a failure of which nobody knows how far it got: the next request with the key finds out. */
export async function abandonKey(store: Store, name: string, attempt: string): Promise<void> {
  const when = { equals: { attempt } };
  await isWritten(store.table.transact([{ kind: 'update', key: keyOf(name), set: { locked_until: 0 }, when }]));
}
