// Writes operating statuses that a report of an amphora changed.
import type { OperatingStatusChange } from '../domain/operating-status.ts';
import { type Child, childrenOf, type Tree } from '../domain/tree.ts';
import type { Operation } from '../drivers/table/table.ts';
import { transactPassable } from './intents.ts';
import { childKey, loadBalancerKey } from './keys.ts';
import type { Store } from './store.ts';

/**
 * The statuses are written on condition that they still are what they were when judged. Rows that went meanwhile are passed over.
 * The load balancer's revision is not raised: nobody decides on an operating status.
 */
export async function writeOperatingStatuses(
  store: Store,
  tree: Tree,
  changes: OperatingStatusChange[],
): Promise<void> {
  if (changes.length === 0) return;
  const children = new Map<string, Child>(childrenOf(tree).map((child) => [child.row.id, child]));
  const operations: Operation[] = [];
  for (const change of changes) {
    const child = children.get(change.id);
    const key = change.kind === 'loadbalancer' ? loadBalancerKey(change.id) : child && childKey(child);
    if (key === undefined) continue;
    operations.push({
      kind: 'update',
      key,
      set: { operating_status: change.to },
      when: { exists: true, equals: { operating_status: change.from } },
    });
  }
  await transactPassable(store, operations);
}
