// What every write does once it is judged: accept it in one transaction, set the work going.
import { policyOf } from '../../controller/change-policy.ts';
import { requestWhatIsPending } from '../../controller/requests.ts';
import { ApiError, notFound } from '../../domain/errors.ts';
import type { ChildKind, ChildRows, Skeleton } from '../../domain/tree.ts';
import { type AcceptedChange, changeTree, type TreeChange } from '../../repositories/changes.ts';
import { readPointer } from '../../repositories/trees.ts';
import type { ApiRequest } from '../../runtime/http/request.ts';

/** @param decide may throw; the caller is authorized for the load balancer's project before it is asked */
export async function submit(
  request: ApiRequest,
  loadBalancerId: string,
  decide: (skeleton: Skeleton) => TreeChange | Promise<TreeChange>,
): Promise<AcceptedChange> {
  const { services } = request;
  const accepted = await changeTree(services, policyOf(services.config), loadBalancerId, (skeleton) => {
    request.authorize(skeleton.loadBalancer.project_id);
    return decide(skeleton);
  });
  await requestWhatIsPending(services, accepted.loadBalancer);
  return accepted;
}

/** The load balancer a child belongs to. @throws ApiError 404 in the child's own words */
export async function loadBalancerOf(
  request: ApiRequest,
  kind: ChildKind,
  title: string,
  id: string,
  shape: 'fault' | 'http' = 'fault',
): Promise<string> {
  const pointer = await readPointer(request.services.table, id);
  if (pointer?.kind === kind) return pointer.load_balancer_id;
  throw shape === 'fault' ? notFound(title, id) : new ApiError(404, `${title} ${id} not found.`, { shape });
}

/** Octavia's rows that are being deleted take no writes. */
export function refuseWhileDeleting(title: string, row: { id: string; provisioning_status: string }): void {
  if (row.provisioning_status === 'PENDING_DELETE') {
    throw new ApiError(409, `${title} ${row.id} is immutable and cannot be updated.`);
  }
}

export const rowWritten = <K extends ChildKind>(accepted: AcceptedChange, _kind: K, id: string): ChildRows[K] =>
  accepted.rows.get(id) as ChildRows[K];
