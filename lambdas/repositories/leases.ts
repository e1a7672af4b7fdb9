// Who works on a load balancer: a flow takes the lease before it starts and gives it back with its last write. The row of the
// load balancer remembers it, so a flow that died is noticed by its time.

import { NotReady } from '../domain/errors.ts';
import type { Lease, LoadBalancerRow } from '../domain/load-balancer.ts';
import { changeLoadBalancer } from './load-balancers.ts';
import type { Store } from './store.ts';

/**
 * Takes the load balancer for an execution; again by the same one: fine.
 * @returns the row as it is now, or undefined when the operation is not wanted any more
 * @throws NotReady `LoadBalancerBusy` while another execution holds it
 */
export async function takeLease(
  store: Store,
  loadBalancerId: string,
  lease: Lease,
  isWanted: (row: LoadBalancerRow) => boolean,
): Promise<LoadBalancerRow | undefined> {
  let held: LoadBalancerRow | undefined;
  const change = await changeLoadBalancer(store, loadBalancerId, (row) => {
    held = undefined;
    if (!isWanted(row)) return undefined;
    const isOver = row.lease === null || row.lease.until <= store.clock.now();
    // A start that was put off for longer than the lease lasts has to take it again: anybody may by now.
    if (row.lease?.execution === lease.execution && !isOver) {
      held = row;
      return undefined;
    }
    if (row.lease !== null && !isOver) {
      throw new NotReady(
        'LoadBalancerBusy',
        `${row.lease.flow} ${row.lease.execution} works on load balancer ${row.id}`,
      );
    }
    return { lease };
  });
  return change?.after ?? held;
}
