// Changes too large for one transaction. They are accepted in one: it names the intent in the load balancer's row, after the
// operations themselves were put aside. From then on anybody who comes by writes them out; each may be written twice.
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import {
  type Item,
  limits,
  type Operation,
  queryAll,
  TableUnavailable,
  TransactionCancelled,
} from '../drivers/table/table.ts';
import { RowChanged, untilWon } from './contention.ts';
import { intentPrefix, partitionOf } from './keys.ts';
import { loadBalancerUpdate, transactWithLoadBalancer } from './load-balancers.ts';
import type { Store } from './store.ts';
import { readLoadBalancer } from './trees.ts';

/** Half of what an item may have, as operations are not split. */
const chunkBytes = 180_000;

function chunks(operations: Operation[]): Operation[][] {
  const made: Operation[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const operation of operations) {
    const length = Buffer.byteLength(JSON.stringify(operation));
    if (size + length > chunkBytes) {
      made.push([]);
      size = 0;
    }
    made.at(-1)!.push(operation);
    size += length;
  }
  return made;
}

/** Puts the operations aside. Until a load balancer's row names the intent, nobody knows of it. */
export async function putIntentAside(
  store: Store,
  loadBalancerId: string,
  intent: string,
  operations: Operation[],
): Promise<void> {
  const items = chunks(operations).map((chunk, index) => ({
    pk: partitionOf(loadBalancerId),
    sk: `${intentPrefix(intent)}${String(index).padStart(4, '0')}`,
    operations: JSON.stringify(chunk),
  }));
  for (const item of items) await store.table.transact([{ kind: 'put', item }]);
}

/** Takes away what was put aside for a change that was refused; without an answer it may have been accepted, and stays. */
export async function dropIntent(
  store: Store,
  loadBalancerId: string,
  intent: string,
  refused: unknown,
): Promise<void> {
  if (refused instanceof TableUnavailable) return;
  // Refused may be the repetition of a write whose answer was lost: what the row names was accepted.
  if ((await readLoadBalancer(store.table, loadBalancerId))?.intents.includes(intent)) return;
  const aside = await queryAll(store.table, { pk: partitionOf(loadBalancerId), prefix: intentPrefix(intent) });
  for (const { pk, sk } of aside) await store.table.transact([{ kind: 'delete', key: { pk, sk } }]);
}

/**
 * Writes operations out; those whose condition fails were written before, or overtaken.
 * @param unless goes with each part, which is left when its condition fails
 */
export async function transactPassable(store: Store, operations: Operation[], unless: Operation[] = []): Promise<void> {
  const perTransaction = limits.operationsPerTransaction - unless.length;
  for (let start = 0; start < operations.length; start += perTransaction) {
    let rest = [...unless, ...operations.slice(start, start + perTransaction)];
    while (rest.length > unless.length) {
      try {
        await store.table.transact(rest);
        break;
      } catch (error) {
        if (!(error instanceof TransactionCancelled) || error.isConflict) throw error;
        // Anything else that is wrong with an operation is wrong again the next time.
        if (!error.hasFailedCondition) throw error;
        const hasFailed = error.reasons.map(({ code }) => code === 'ConditionalCheckFailed');
        if (unless.some((_, index) => hasFailed[index])) return;
        rest = rest.filter((_, index) => !hasFailed[index]);
      }
    }
  }
}

/**
 * A part is written on condition that it is still aside, and taken away before anybody is let at what it wrote: whoever is slow, or a
 * request that was long on its way, finds it gone, and brings nothing back that was changed or deleted since.
 */
async function writeOutPart(store: Store, { pk, sk, ...part }: Item): Promise<void> {
  const key = { pk, sk };
  const isAside: Operation = { kind: 'check', key, when: { exists: true } };
  await transactPassable(store, JSON.parse(String(part['operations'])) as Operation[], [isAside]);
  await store.table.transact([{ kind: 'delete', key }]);
}

async function writeOut(store: Store, row: LoadBalancerRow, intent: string): Promise<void> {
  const aside = await queryAll(store.table, { pk: partitionOf(row.id), prefix: intentPrefix(intent) });
  for (const item of aside) await writeOutPart(store, item);
  const latest = await readLoadBalancer(store.table, row.id);
  if (latest?.intents.includes(intent)) {
    await transactWithLoadBalancer(
      store,
      loadBalancerUpdate(latest, { intents: latest.intents.filter((one) => one !== intent) }),
    );
  }
}

/** Writes out what was accepted and is not written yet. Not to be called in the load balancer's turn. */
export async function writeOutIntents(store: Store, loadBalancerId: string): Promise<void> {
  await untilWon(store, loadBalancerId, async () => {
    const row = await readLoadBalancer(store.table, loadBalancerId);
    for (const intent of row?.intents ?? []) await writeOut(store, row!, intent);
  });
}

/**
 * Right after a change was accepted. It stands whatever happens now: should the writing out fail, it is as if this process had
 * died, and whoever comes next does it.
 */
export async function beginWritingOut(store: Store, loadBalancerId: string): Promise<void> {
  await writeOutIntents(store, loadBalancerId).catch(() => undefined);
}

/** Before a row of the tree is judged: true when there was something to write out, so that it must be read again. */
export async function helpWithIntents(store: Store, row: LoadBalancerRow): Promise<void> {
  if (row.intents.length === 0) return;
  for (const intent of row.intents) await writeOut(store, row, intent);
  throw new RowChanged('an accepted change had to be written out first');
}
