// Barbican's secrets and containers in the table. Payloads come and go sealed.
import {
  type ContainerRow,
  type KeyManagerKind,
  keyManagerKey,
  type PayloadRow,
  payloadKey,
  type SecretRow,
} from '../domain/key-manager.ts';
import { type Item, type Operation, queryAll, type Table, TransactionCancelled } from '../drivers/table/table.ts';
import { RowChanged, untilWon } from './contention.ts';
import { rowOf } from './keys.ts';
import type { Store } from './store.ts';

interface Rows {
  secrets: SecretRow;
  containers: ContainerRow;
}

const itemOf = <K extends KeyManagerKind>(kind: K, row: Rows[K]): Item => ({
  ...keyManagerKey(kind, row.id),
  project_pk: `${row.project_id}#${kind}`,
  project_sk: `${row.created_at}#${row.id}`,
  ...row,
  revision: 1,
});

const payloadPut = ({ id, project_id }: SecretRow, sealed_payload: string): Operation => {
  const payload: PayloadRow = { project_id, sealed_payload };
  return { kind: 'put', item: { ...payloadKey(id), ...payload }, when: { exists: false } };
};

/** @param sealedPayload null for a secret whose payload comes later */
export async function createSecret(table: Table, row: SecretRow, sealedPayload: string | null): Promise<void> {
  const payload = sealedPayload === null ? [] : [payloadPut(row, sealedPayload)];
  await table.transact([{ kind: 'put', item: itemOf('secrets', row), when: { exists: false } }, ...payload]);
}

export async function createContainer(table: Table, row: ContainerRow): Promise<void> {
  await table.transact([{ kind: 'put', item: itemOf('containers', row), when: { exists: false } }]);
}

export async function readKept<K extends KeyManagerKind>(
  table: Table,
  kind: K,
  id: string,
): Promise<Rows[K] | undefined> {
  const item = await table.get(keyManagerKey(kind, id));
  return item && rowOf<Rows[K]>(item);
}

/** Of a project, oldest first. */
export async function listKept<K extends KeyManagerKind>(table: Table, kind: K, projectId: string): Promise<Rows[K][]> {
  const items = await queryAll(table, { index: 'by_project', pk: `${projectId}#${kind}` });
  return items.map((item) => rowOf<Rows[K]>(item));
}

export async function readSealedPayload(table: Table, id: string): Promise<string | undefined> {
  const item = await table.get(payloadKey(id));
  return item && rowOf<PayloadRow>(item).sealed_payload;
}

/** @returns false when there is a payload already */
export async function addPayload(
  table: Table,
  row: SecretRow,
  set: Partial<SecretRow>,
  sealed: string,
): Promise<boolean> {
  const when = { exists: true, equals: { content_type: null } };
  try {
    await table.transact([
      { kind: 'update', key: keyManagerKey('secrets', row.id), set, when },
      payloadPut(row, sealed),
    ]);
    return true;
  } catch (error) {
    if (error instanceof TransactionCancelled && error.hasFailedCondition) return false;
    throw error;
  }
}

/** @param decide what is to be set; undefined leaves it as it is */
export function changeKept<K extends KeyManagerKind>(
  store: Store,
  kind: K,
  id: string,
  decide: (row: Rows[K]) => Partial<Rows[K]> | undefined,
): Promise<Rows[K] | undefined> {
  const key = keyManagerKey(kind, id);
  return untilWon(store, `${key.pk}`, async () => {
    const item = await store.table.get(key);
    const row = item && rowOf<Rows[K] & { revision: number }>(item);
    const set = row && decide(row);
    if (row === undefined || set === undefined) return row;
    const { revision } = row;
    try {
      await store.table.transact([
        { kind: 'update', key, set: { ...set, revision: revision + 1 }, when: { exists: true, equals: { revision } } },
      ]);
    } catch (error) {
      if (error instanceof TransactionCancelled && error.hasFailedCondition)
        throw new RowChanged('changed since it was read', { cause: error });
      throw error;
    }
    return { ...row, ...set };
  });
}

export async function deleteKept(table: Table, kind: KeyManagerKind, id: string): Promise<void> {
  const payload: Operation[] = kind === 'secrets' ? [{ kind: 'delete', key: payloadKey(id) }] : [];
  await table.transact([{ kind: 'delete', key: keyManagerKey(kind, id) }, ...payload]);
}
