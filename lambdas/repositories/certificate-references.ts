// Which listeners and pools refer to certificates, and what is known of those: one partition, so that whoever looks after them reads
// nothing of load balancers without any. An entry of a use is written in the same transaction as the row it is about.
import { type CertificateReference, certificateReferencesOf } from '../domain/certificate-references.ts';
import type { Child, ChildRow } from '../domain/tree.ts';
import {
  type Item,
  type Key,
  type Operation,
  queryAll,
  type Table,
  TransactionCancelled,
} from '../drivers/table/table.ts';

const partition = 'CERTIFICATES';

/** A listener or pool that refers to certificates. */
export interface CertificateUse {
  kind: 'listener' | 'pool';
  /** Of the listener or pool. */
  id: string;
  load_balancer_id: string;
  project_id: string;
  /** Of the row when it was written with these references. */
  generation: number;
  references: CertificateReference[];
  /** Beyond those, what was in force before the change they came with: served on where amphorae refuse it. */
  former?: CertificateReference[];
  /** Digests of what it was last applied with, by the id of the copy; null: could not be read. undefined: not looked at yet. */
  applied?: Record<string, string | null>;
}

/** What is known of a copy, without the copy. */
export interface CopyState {
  copy_id: string;
  /** null when it was never read. */
  digest: string | null;
  /** Milliseconds since the epoch. */
  written_at: number;
  /** Since when its reference cannot be read; null while it can. */
  lost_since: number | null;
  /** When the certificate ends, Octavia's spelling; null for an authority. */
  expires_at: string | null;
  /** Whether it was said that the certificate has expired. */
  is_expiry_told: boolean;
}

const useKey = ({
  project_id,
  load_balancer_id,
  id,
}: Pick<CertificateUse, 'project_id' | 'load_balancer_id' | 'id'>) => ({
  pk: partition,
  sk: `USE#${project_id}#${load_balancer_id}#${id}`,
});
const stateKey = (copyId: string): Key => ({ pk: partition, sk: `COPY#${copyId}` });

const mayRefer = ({ kind }: Child): boolean => kind === 'listener' || kind === 'pool';

const useKeyOf = ({ row }: Child): Key =>
  useKey({ project_id: row.project_id, load_balancer_id: row.load_balancer_id, id: row.id });

/** What the row is rendered with while its change is refused, as far as that leads elsewhere. */
function formerReferencesOf({ kind, row }: Child, references: CertificateReference[]): CertificateReference[] {
  if (row.last_good === undefined) return [];
  const known = new Set(references.map((one) => JSON.stringify(one)));
  const before = certificateReferencesOf({ kind, row: { ...row, ...row.last_good } } as Child);
  return before.filter((one) => !known.has(JSON.stringify(one)));
}

/** For the transaction that makes or changes a child. @param before of a change, its row until then */
export function useWritten(child: Child, before?: ChildRow): Operation[] {
  const references = certificateReferencesOf(child);
  const former = formerReferencesOf(child, references);
  if (references.length + former.length > 0) {
    const { id, load_balancer_id, project_id, generation } = child.row;
    const kind = child.kind as CertificateUse['kind'];
    const use: CertificateUse = {
      ...{ kind, id, load_balancer_id, project_id, generation, references },
      ...(former.length > 0 ? { former } : {}),
    };
    return [{ kind: 'put', item: { ...useKeyOf(child), ...use } }];
  }
  return before === undefined ? [] : useGone({ ...child, row: before } as Child);
}

/** For the transaction that removes a child for good. */
export const useGone = (child: Child): Operation[] =>
  mayRefer(child) && certificateReferencesOf(child).length > 0 ? [{ kind: 'delete', key: useKeyOf(child) }] : [];

function attributesOf<R>({ pk: _pk, sk: _sk, ...attributes }: Item): R {
  return attributes as unknown as R;
}

/** All of it: nothing but an empty page when nobody uses certificates. */
export async function readCertificateReferences(
  table: Table,
): Promise<{ uses: CertificateUse[]; copies: Map<string, CopyState> }> {
  const items = await queryAll(table, { pk: partition });
  const copies = items.filter(({ sk }) => sk.startsWith('COPY#')).map((item) => attributesOf<CopyState>(item));
  return {
    uses: items.filter(({ sk }) => sk.startsWith('USE#')).map((item) => attributesOf<CertificateUse>(item)),
    copies: new Map(copies.map((copy) => [copy.copy_id, copy])),
  };
}

export async function readUsesOfProject(table: Table, projectId: string): Promise<CertificateUse[]> {
  const items = await queryAll(table, { pk: partition, prefix: `USE#${projectId}#` });
  return items.map((item) => attributesOf<CertificateUse>(item));
}

export async function writeCopyState(table: Table, state: CopyState): Promise<void> {
  await table.transact([{ kind: 'put', item: { ...stateKey(state.copy_id), ...state } }]);
}

/** @param copy the item of the copy itself, sealed */
export async function writeCopy(table: Table, state: CopyState, copy: Item): Promise<void> {
  await table.transact([
    { kind: 'put', item: { ...stateKey(state.copy_id), ...state } },
    { kind: 'put', item: copy },
  ]);
}

/** Does nothing to what was written since it was read. */
async function unlessWritten(table: Table, operations: Operation[]): Promise<void> {
  try {
    await table.transact(operations);
  } catch (error) {
    if (!(error instanceof TransactionCancelled && error.hasFailedCondition)) throw error;
  }
}

export const dropCopy = (table: Table, state: CopyState, copyItemKey: Key): Promise<void> =>
  unlessWritten(table, [
    { kind: 'delete', key: stateKey(state.copy_id), when: { equals: { written_at: state.written_at } } },
    { kind: 'delete', key: copyItemKey },
  ]);

/** @param generation the row has now */
export const recordApplied = (
  table: Table,
  use: CertificateUse,
  applied: Record<string, string | null>,
  generation = use.generation,
): Promise<void> =>
  unlessWritten(table, [
    { kind: 'update', key: useKey(use), set: { applied }, when: { exists: true, equals: { generation } } },
  ]);

/** Its change is in force: nothing else is served any more. */
export const forgetFormer = (table: Table, use: CertificateUse): Promise<void> =>
  use.references.length === 0
    ? forgetUse(table, use)
    : unlessWritten(table, [
        {
          kind: 'update',
          key: useKey(use),
          set: {},
          remove: ['former'],
          when: { equals: { generation: use.generation } },
        },
      ]);

export const forgetUse = (table: Table, use: CertificateUse): Promise<void> =>
  unlessWritten(table, [{ kind: 'delete', key: useKey(use), when: { equals: { generation: use.generation } } }]);
