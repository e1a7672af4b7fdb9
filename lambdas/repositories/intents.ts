// Changes too large for one transaction. They are accepted in one: it names the intent in the load balancer's row, after the
// operations themselves were put aside. From then on anybody who comes by writes them out; each may be written twice.
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import { limits, type Operation, queryAll, TransactionCancelled } from '../drivers/table/table.ts';
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

/** Writes operations out; those whose condition fails were written before, or overtaken. */
export async function transactPassable(store: Store, operations: Operation[]): Promise<void> {
  for (let start = 0; start < operations.length; start += limits.operationsPerTransaction) {
    let rest = operations.slice(start, start + limits.operationsPerTransaction);
    while (rest.length > 0) {
      try {
        await store.table.transact(rest);
        break;
      } catch (error) {
        if (!(error instanceof TransactionCancelled) || error.isConflict) throw error;
        const { reasons } = error;
        rest = rest.filter((_, index) => reasons[index]?.code !== 'ConditionalCheckFailed');
      }
    }
  }
}

async function writeOut(store: Store, row: LoadBalancerRow, intent: string): Promise<void> {
  const pk = partitionOf(row.id);
  const aside = await queryAll(store.table, { pk, prefix: intentPrefix(intent) });
  for (const item of aside) await transactPassable(store, JSON.parse(String(item['operations'])) as Operation[]);
  const latest = await readLoadBalancer(store.table, row.id);
  if (latest?.intents.includes(intent)) {
    await transactWithLoadBalancer(
      store,
      loadBalancerUpdate(latest, { intents: latest.intents.filter((one) => one !== intent) }),
    );
  }
  await transactPassable(
    store,
    aside.map(({ pk: itemPk, sk }) => ({ kind: 'delete', key: { pk: itemPk, sk } })),
  );
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
