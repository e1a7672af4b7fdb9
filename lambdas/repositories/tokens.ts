// What the table remembers about tokens: the keys they are signed with, which were revoked early, and logins that failed.
import { type Key, queryAll, type Table, TransactionCancelled } from '../drivers/table/table.ts';
import { untilWon } from './contention.ts';
import { rowOf } from './keys.ts';
import type { Store } from './store.ts';

export interface SigningKeyRow {
  /** A sequence number, sortable as text: two processes that add the next key at once agree on one of them. */
  kid: string;
  /** JSON Web Key. */
  public_key: Record<string, unknown>;
  /** JSON Web Key, sealed. */
  private_key: string;
}

const keysPk = 'TOKENKEYS';

/** Oldest first; the last one signs. */
export async function listSigningKeys(table: Table): Promise<SigningKeyRow[]> {
  return (await queryAll(table, { pk: keysPk, prefix: 'KEY#' })).map((item) => rowOf<SigningKeyRow>(item));
}

/** No error when another process was faster: its key is as good. */
export async function addSigningKey(table: Table, row: SigningKeyRow): Promise<void> {
  try {
    const item = { pk: keysPk, sk: `KEY#${row.kid}`, ...row };
    await table.transact([{ kind: 'put', item, when: { exists: false } }]);
  } catch (error) {
    if (!(error instanceof TransactionCancelled)) throw error;
  }
}

const revocationKey = (auditId: string): Key => ({ pk: `REVOKED#${auditId}`, sk: 'REVOKED' });
const revocationType = 'revocation';
/** Each revocation takes away some that have ended; housekeeping takes the rest. */
const sweptAtOnce = 25;

/** @param expiresAt end of the token, milliseconds since the epoch */
export async function revoke(store: Store, auditId: string, expiresAt: number): Promise<void> {
  const index = { type_pk: revocationType, type_sk: new Date(expiresAt).toISOString() };
  const item = { ...revocationKey(auditId), ...index };
  await untilWon(store, item.pk, () => store.table.transact([{ kind: 'put', item }]));
  await sweepRevocations(store, sweptAtOnce);
}

/** Forgets revocations of tokens that have ended. @param limit at most 100 @returns how many */
export async function sweepRevocations({ table, clock }: Store, limit: number): Promise<number> {
  const between: [string, string] = ['0', new Date(clock.now()).toISOString()];
  const { items } = await table.queryIndex({ index: 'by_type', pk: revocationType, between, limit });
  if (items.length === 0) return 0;
  try {
    await table.transact(items.map(({ pk, sk }) => ({ kind: 'delete', key: { pk, sk } })));
  } catch (error) {
    // Somebody else is sweeping the same ones.
    if (!(error instanceof TransactionCancelled)) throw error;
    return 0;
  }
  return items.length;
}

export const isRevoked = async (table: Table, auditId: string): Promise<boolean> =>
  (await table.get(revocationKey(auditId))) !== undefined;

export interface FailedLogins {
  failures: number;
  /** Milliseconds since the epoch. */
  last_failed_at: number;
}

const loginsKey = (userId: string): Key => ({ pk: `LOGINS#${userId}`, sk: 'LOGINS' });

export async function readFailedLogins(table: Table, userId: string): Promise<FailedLogins> {
  const item = await table.get(loginsKey(userId));
  return item ? rowOf<FailedLogins>(item) : { failures: 0, last_failed_at: 0 };
}

/** Counts up where the row stands, so that guesses made at once all count; starts anew when the row is to be forgotten. */
export async function countFailedLogin(store: Store, userId: string, startsAnew: boolean): Promise<void> {
  const key = loginsKey(userId);
  const last_failed_at = store.clock.now();
  const counted = startsAnew
    ? { set: { failures: 1, last_failed_at } }
    : { set: { last_failed_at }, add: { failures: 1 } };
  await untilWon(store, key.pk, () => store.table.transact([{ kind: 'update', key, ...counted }]));
}

export async function forgetFailedLogins(store: Store, userId: string): Promise<void> {
  const key = loginsKey(userId);
  await untilWon(store, key.pk, () => store.table.transact([{ kind: 'delete', key }]));
}
