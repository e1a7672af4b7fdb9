// The load balancer an execution works on: a task that comes late, after another execution took over, does nothing.
import { Superseded } from '../domain/errors.ts';
import type { LoadBalancerRow } from '../domain/load-balancer.ts';
import { readLoadBalancer } from '../repositories/trees.ts';
import type { Services } from '../runtime/services.ts';

export interface OfOperation {
  load_balancer_id: string;
  operation_id: string;
  execution: string;
}

/** The load balancer, as long as this execution holds it. @throws Superseded when it does not any more */
export function held(row: LoadBalancerRow | undefined, { load_balancer_id, execution }: OfOperation): LoadBalancerRow {
  if (row === undefined) throw new Superseded(`load balancer ${load_balancer_id} is gone`);
  if (row.lease?.execution !== execution)
    throw new Superseded(`${execution} does not hold load balancer ${load_balancer_id}`);
  return row;
}

/** @throws Superseded when this execution does not hold it any more */
export const owned = async (services: Services, input: OfOperation): Promise<LoadBalancerRow> =>
  held(await readLoadBalancer(services.table, input.load_balancer_id), input);
